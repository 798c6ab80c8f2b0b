"""What a run is of: what changes under it is refused by name with the run untouched, or allowed and kept on record."""

import json
import shutil
import sys
from importlib import metadata

import pytest
import toys

from gen_jax.core.errors import UserError
from gen_jax.runs import executing, identity, local_code, manifest, sources
from gen_jax.runs.access import Access
from gen_jax.runs.evaluation import protocol
from gen_jax.runs.opened import open_state


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    bench = toys.make(tmp_path_factory.mktemp("trained"))
    bench.train()
    return bench


@pytest.fixture
def bench(trained, tmp_path):
    """The trained run with its script and data, to be changed; data where they were when it was trained."""
    return trained.copy(tmp_path / "bench")


def edit(path, old, new):
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new))


def add_module(bench):
    (bench.folder / "more.py").write_text("")
    edit(bench.folder / "parts.py", b"import jax", b"import more\nimport jax")


def move(bench):
    bench.pictures.rename(bench.folder / "elsewhere")
    return {"data": f"folder:{bench.folder / 'elsewhere'}"}


# what is done -> what a refusal says; a change that returns settings is followed by the command with these
CHANGES = {
    "a picture added": (
        lambda b: toys.picture(b.pictures / "a" / "new.png", 99),
        ["is of other data", "train examples", "there and"],
    ),
    "a picture edited": (lambda b: toys.picture(b.pictures / "a" / "0.png", 99), ["is of other data", "folder:"]),
    "a class more": (
        lambda b: toys.picture(b.pictures / "0_new" / "x.png", 99),
        ["other data", "classes 3", "class 0_new only here"],
    ),
    "a class renamed": (
        lambda b: (b.pictures / "c").rename(b.pictures / "0"),
        ["other data", "class c only there", "class 0 only here"],
    ),
    "other pictures under the same name": (
        lambda b: {"data": f"folder:{shutil.copytree(b.pictures / 'a', b.folder / 'x' / 'pictures')}"},
        ["other data"],
    ),
    "data of another name": (lambda b: {"data": "ring8"}, ["other data", "ring8"]),
    "the script": (
        lambda b: edit(b.script, b"A toy", b"My toy"),
        ["other code", "experiment.py is", "another version of toy.py"],
    ),
    "a module beside it": (
        lambda b: edit(b.folder / "parts.py", b"x.reshape(len(x), -1)", b"-x.reshape(len(x), -1)"),
        ["other code", "parts.py is"],
    ),
    "a module of a package": (
        lambda b: edit(b.folder / "mine/deep.py", b"SIZE = 3", b"SIZE = 1 + 2"),
        ["other code", "mine/deep.py is"],
    ),
    "a module more": (add_module, ["other code", "more.py is new"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_does_not_go_on_as_another(name, bench):
    change, words = CHANGES[name]
    asked = change(bench)
    before = bench.contents()
    with pytest.raises(UserError) as refusal:
        bench.train(steps=3, **(asked if isinstance(asked, dict) else {}))
    assert bench.contents() == before
    line = str(refusal.value)
    assert "\n" not in line
    assert "--allow-changed" in line
    assert not [word for word in words if word not in line], line


def test_what_is_only_elsewhere_goes_on(bench, capsys):
    """Moved data, a moved run folder, data named from another working directory: the same run."""
    asked = move(bench)
    bench.run.rename(bench.folder / "moved")
    bench.train(**asked, run_dir=bench.folder / "moved")
    relative = {"data": "folder:elsewhere", "run_dir": bench.folder / "moved"}
    toys.within(bench.folder, lambda: bench.train(**relative))
    assert capsys.readouterr().out.count("is complete at step 2") == 2


def test_allowed_changes_are_on_record_for_ever(bench, capsys):
    first = manifest.read(bench.run)["sittings"][0]["identity"]
    toys.picture(bench.pictures / "0_new" / "x.png", 99)
    edit(bench.folder / "mine/deep.py", b"SIZE = 3", b"SIZE = 1 + 2")
    bench.train(steps=3, allow_changed=("data", "code"))
    bench.train(steps=4)  # nothing has changed since
    record = manifest.read(bench.run)
    assert [(change["kind"], change["step"]) for change in record["changed"]] == [("data", 2), ("code", 2)]
    assert record["sittings"][0]["identity"] == first
    assert [len(marks) for marks in identity.history(record).values()] == [2, 2]
    assert (bench.run / "superseded/2/code/mine/deep.py").read_text() == "SIZE = 3\n"
    assert (bench.run / "code/mine/deep.py").read_text() == "SIZE = 1 + 2\n"
    rows = [value for name, value in manifest.summary(bench.run) if name == "changed"]
    assert "class 0_new only here" in rows[0]
    assert "mine/deep.py is" in rows[1]
    with pytest.raises(UserError, match="more than one data in turn"):
        from gen_jax.runs.reproduce import reproduce

        reproduce(bench.run)


# what is done -> what a verb's refusal says
OPENED = {
    "data changed": (lambda b: toys.picture(b.pictures / "a" / "0.png", 99), ["is of other data", "with --data"]),
    "data moved": (lambda b: move(b) and None, ["there is no such folder", "say with --data where they are now"]),
    "the copy of the script": (lambda b: edit(b.run / "experiment.py", b"A toy", b"A boy"), ["other code", "restore"]),
    "a copied module": (lambda b: edit(b.run / "code/parts.py", b"x.resh", b"-x.resh"), ["other code", "parts.py is"]),
    "a copied module gone": (lambda b: (b.run / "code/parts.py").unlink(), ["other code", "parts.py is not there"]),
    "the script gone": (lambda b: (b.run / "experiment.py").unlink(), ["no experiment.py", "writes it again"]),
    "settings": (
        lambda b: edit(b.run / "config.json", b'"lr": 0.1', b'"lr": 0.5'),
        ["hyper.lr is 0.1 there and 0.5 here"],
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_run_is_not_opened_as_another(name, bench):
    change, words = OPENED[name]
    change(bench)
    before = bench.contents()
    with pytest.raises(UserError) as refusal:
        open_state(bench.run)
    assert bench.contents() == before
    assert not [word for word in words if word not in str(refusal.value)], str(refusal.value)


ACCESS = {
    "data changed": (lambda b: toys.picture(b.pictures / "a" / "0.png", 99), lambda b: Access(allow_changed=("data",))),
    "data moved": (move, lambda b: Access(data=f"folder:{b.folder / 'elsewhere'}")),
    "a copied module": (
        lambda b: edit(b.run / "code/mine/deep.py", b"SIZE = 3", b"SIZE = 1 + 2"),
        lambda b: Access(allow_changed=("code",)),
    ),
    "the live script and module": (
        lambda b: [edit(b.script, b"A toy", b"x"), edit(b.folder / "parts.py", b"nn.Dense", b"nn.Nothing")],
        lambda b: Access(),
    ),
}


@pytest.mark.parametrize("name", ACCESS)
def test_it_is_opened_where_it_is_or_is_allowed_to_be(name, bench, tmp_path):
    """Also from any other folder, without the script's own on the path, and after a run whose module has that name."""
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "toy.py"
    other.write_text("import parts\nConfig = build = parts.NAME\n")
    (tmp_path / "other" / "parts.py").write_text("NAME = 'another'\n")
    executing.importable(local_code.of(other), live=True)
    assert __import__("parts").NAME == "another"
    change, access = ACCESS[name]
    change(bench)
    opened = toys.within(tmp_path, lambda: open_state(bench.run, access=access(bench), trusted=True))
    assert (opened.step, opened.config.width) == (2, 3)
    assert sys.modules["parts"].__file__ == str(bench.run / "code" / "parts.py")


def test_the_script_is_kept_byte_for_byte(bench):
    """Line ends of Windows, and text that is no UTF-8 where the source says so."""
    shutil.rmtree(bench.run)
    content = b"# -*- coding: latin-1 -*-\n" + bench.script.read_bytes() + "# über\n".encode("latin-1")
    bench.script.write_bytes(content.replace(b"\n", b"\r\n"))
    bench.train()
    assert (bench.run / "experiment.py").read_bytes() == bench.script.read_bytes()
    bench.train()
    assert open_state(bench.run).step == 2


def test_other_versions_of_packages_are_one_line(bench, capsys):
    path = bench.run / "manifest.json"
    record = json.loads(path.read_text())
    record["sittings"][-1]["versions"]["jax"] = "0.0.1"
    path.write_text(json.dumps(record))
    open_state(bench.run)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "other versions" in line]
    assert "jax 0.0.1 there" in line


def test_a_run_that_goes_on_elsewhere_is_one_line(bench, capsys):
    path = bench.run / "manifest.json"
    record = json.loads(path.read_text())
    record["sittings"][-1]["versions"] |= {"jax": "0.0.1", "gen_jax": "0.2.0 (source 00000000)"}
    path.write_text(json.dumps(record))
    bench.train(steps=4)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "other versions" in line]
    assert "jax 0.0.1 there" in line
    assert "(source 00000000) there" in line
    bench.train(steps=4)  # complete
    assert "other versions" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "counts"),
    [
        (lambda folder: (folder / "nets/mlp.py").write_text("x = 2\n"), True),
        (lambda folder: (folder / "nets/new.py").write_text(""), True),
        (lambda folder: (folder / "nets/mlp.py").unlink(), True),
        (lambda folder: (folder / "nets/mlp.py").rename(folder / "core/mlp.py"), True),
        (lambda folder: (folder / "verbs/show.py").write_text("y = 2\n"), False),
        (lambda folder: (folder / "nets/notes.txt").write_text("z"), False),
        (lambda folder: (folder / "nets/gone.py").symlink_to(folder / "nowhere.py"), False),
        (lambda folder: (folder / "nets/folder.py").mkdir(), False),
    ],
)
def test_the_mark_of_gen_jax_is_of_what_computes(tmp_path, edit, counts):
    for number, name in enumerate(["core", "nets", "verbs"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / ["a.py", "mlp.py", "show.py"][number]).write_text(f"x = {number}\n")
    sources.mark.cache_clear()
    before = sources.mark(tmp_path)
    edit(tmp_path)
    sources.mark.cache_clear()
    assert (sources.mark(tmp_path) != before) == counts


def test_a_run_and_its_scores_name_the_source_of_gen_jax(bench):
    (sitting,) = json.loads((bench.run / "manifest.json").read_text())["sittings"]
    assert sitting["versions"]["gen_jax"] == f"{metadata.version('gen_jax')} (source {sources.mark()})"
    assert f"(source {sources.mark()})" in protocol.packages()


def test_a_relative_import_is_refused_by_line(bench):
    bench.script.write_text("from . import parts\n" + toys.SCRIPT)
    with pytest.raises(UserError, match="line 1: .*belongs to no package.*write the package's name"):
        local_code.of(bench.script)
