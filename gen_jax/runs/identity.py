"""What a run is of: its data, its code and its settings, compared wherever a run is continued, rebuilt or measured.

Each sitting of a run keeps its own in manifest.json, under `identity`, so that nothing that a run was ever trained on
is forgotten. Data and code that are not the run's are refused by name, with what changed from what to what;
`--allow-changed` goes on nevertheless, and the manifest says so for ever, under `changed`. Other versions of packages,
and an edited gen_jax (`runs.sources`), are told in one line: they may change the last bits, and a model should outlive
them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.data.source import Source
from gen_jax.runs import local_code
from gen_jax.runs.files import read_json
from gen_jax.runs.local_code import SCRIPT, Code

Kind = Literal["data", "code"]
KEY, CHANGED = "identity", "changed"  # in the manifest: of each sitting; of the run
SCRIPT_NAME = "script_name"  # in an identity
PACKAGES = ("gen_jax", "jax", "jaxlib", "flax", "optax", "numpy")  # whose versions can change a result
FEW = 5  # names in one line


class Change(NamedTuple):
    """A kind of thing that differs, and how, in words."""

    kind: Kind
    words: str


# ---- what a run is of ------------------------------------------------------------------------------------------------
def of_data(source: Source, spec: str) -> dict[str, Any]:
    """Of the data, what tells them from others, and what a person needs to see which they are. JSON."""
    return {
        "name": source.name,
        "spec": spec,
        "fingerprint": source.fingerprint,
        "shape": list(source.shape),
        "classes": source.classes,
        "names": list(source.names) if source.names is not None else None,
        "train": source.train.size,
        "test": source.test.size,
        **({"drawn_from": source.drawn_from} if source.drawn_from else {}),
    }


def of(source: Source, spec: str, code: Code, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is of, as a sitting keeps it. `settings`: as `settings.to_json` makes them."""
    name = _name_of(code[SCRIPT].path)  # which no command tells: a study's names the study
    found = {"data": of_data(source, spec), "code": local_code.hashes(code), "settings": dict(settings)}
    return {**found, SCRIPT_NAME: name}


def _name_of(script: Path) -> str:
    """The name of a script, without .py; of a study's copy, that of what was copied."""
    asked = read_json(script.with_name("study.json"), {}) if script.name == SCRIPT else {}
    return Path(str(asked.get("experiment", script))).stem if isinstance(asked, dict) else script.stem


def last(record: Mapping[str, Any] | None, run_dir: Path) -> dict[str, Any]:
    """What the latest sitting was of. Of a run that kept less (an older one, or one without its manifest), what there
    is: parts may be missing."""
    found = record["sittings"][-1].get(KEY) if record else None
    if found is not None:
        return found
    copy = local_code.kept(run_dir).get(SCRIPT)
    code = {} if copy is None else {"script": hashlib.sha256(copy.read_bytes()).hexdigest()}
    return {**({"data": dict(record["data"])} if record else {}), **code}


def history(record: Mapping[str, Any] | None) -> dict[Kind, list[str]]:
    """The data and the code that a run was trained on in turn, each by the first digits of its hash. Of data of which
    the run's seed drew a part, of those that it drew from: they are the same for every seed."""
    found: dict[Kind, list[str]] = {"data": [], "code": []}
    for sitting in (record or {}).get("sittings", []):
        identity = sitting.get(KEY) or {"data": record["data"]}  # pyright: ignore[reportOptionalSubscript]
        data = identity["data"]
        marks: dict[Kind, str] = {"data": (data.get("drawn_from") or data["fingerprint"])[:8]}
        if "code" in identity:
            marks["code"] = short_code(identity["code"])
        for kind, mark in marks.items():
            if found[kind][-1:] != [mark]:
                found[kind].append(mark)
    return found


# ---- comparing -------------------------------------------------------------------------------------------------------
def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """What of `now` is not as it was before; parts that either lacks are not compared."""
    found = []
    if "data" in before and "data" in now and before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        found.append(Change("data", _of_data(before["data"], now["data"])))
    if "code" in now:
        code = now["code"]
        if "code" not in before:  # older runs kept the script alone
            before = {"code": {**code, SCRIPT: before.get("script", code[SCRIPT])}}
        if before["code"] != code:
            found.append(Change("code", _of_code(before["code"], code)))
    return found


def of_other_data(
    before: Mapping[str, Any], source: Source, spec: str, allowed: Sequence[str], run_dir: Path
) -> list[Change]:
    """The allowed change of a run's data where it continues; none where they are the same. Raises UserError where they
    are others, and that is not allowed."""
    found = changes(before, {"data": of_data(source, spec)})
    return settle(found, allowed, run_dir, {"data": "give --data those that it was trained on, or another --run-dir"})


def of_other_code(
    before: Mapping[str, Any], code: Code, allowed: Sequence[str], run_dir: Path, script: Path
) -> list[Change]:
    """`of_other_data`, of the script and its modules."""
    found = changes(before, {"code": local_code.hashes(code)})
    modules = f"PYTHONPATH={run_dir / local_code.FOLDER} " if len(local_code.kept(run_dir)) > 1 else ""
    own = f"continue it with its own copy, `{modules}python {run_dir / SCRIPT} --run-dir {run_dir} …`"
    advice = f"it was made by another version of {script.name}: {own}, give another --run-dir"
    return settle(found, allowed, run_dir, {"code": advice})


def settle(found: Sequence[Change], allowed: Sequence[str], run_dir: Path, advice: Mapping[Kind, str]) -> list[Change]:
    """The changes that are allowed, each told in one line. Raises UserError for the first that is not, with `advice`:
    what else than allowing it would work, by kind.
    """
    for change in found:
        if change.kind not in allowed:
            raise UserError(
                f"{run_dir} is of other {change.kind}: {change.words}; {advice[change.kind]}, or add --allow-changed "
                f"{change.kind}"
            )
    for change in found:
        say(f"{run_dir}: other {change.kind} allowed: {change.words}")
    return list(found)


def tell_packages(record: Mapping[str, Any] | None, now: Mapping[str, str], run_dir: Path) -> None:
    """One line where a run was last trained with other versions of what computes it; none where it kept no manifest."""
    before = record["sittings"][-1]["versions"] if record is not None else now
    other = [
        f"{name} {before.get(name, 'none')} there, {now.get(name, 'none')} here"
        for name in PACKAGES
        if before.get(name) != now.get(name)
    ]
    if other:
        say(f"{run_dir} was made with other versions: {'; '.join(other)}")


def _of_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which data, and every figure that differs, so that one sees what happened to them."""
    there, here = (f"{data.get('spec', data['name'])} ({data['fingerprint'][:8]})" for data in (before, now))
    words = [f"{there} there and {here} here"]
    for name, unit in (
        ("train", "train examples"),
        ("test", "test examples"),
        ("shape", "shape"),
        ("classes", "classes"),
    ):
        if name in before and before[name] != now.get(name):
            words.append(f"{unit} {before[name]} there and {now.get(name)} here")
    if (old := before.get("names")) and (new := now.get("names")) and old != new:
        less, more = [n for n in old if n not in new], [n for n in new if n not in old]
        words += [f"class {_few(less)} only there"] if less else []
        words += [f"class {_few(more)} only here"] if more else []
        words += [] if less or more else ["the classes are in another order"]
    return ", ".join(words)


def _of_code(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    words = []
    for key in sorted(before.keys() | now.keys(), key=lambda key: (key != SCRIPT, key)):
        name = key.removeprefix(f"{local_code.FOLDER}/")
        if before.get(key) == now.get(key):
            continue
        if key not in now:
            words.append(f"{name} is not there any more")
        elif key not in before:
            words.append(f"{name} is new")
        else:
            words.append(f"{name} is {before[key][:8]} there and {now[key][:8]} here")
    return _few(words)


def _few(words: Sequence[str]) -> str:
    return ", ".join(words) if len(words) <= FEW else f"{', '.join(words[:FEW])} and {len(words) - FEW} more"


def short_code(code: Mapping[str, str]) -> str:
    """One mark for all files; the script's own where it is the only one."""
    if list(code) == [SCRIPT]:
        return code[SCRIPT][:8]
    return hashlib.sha256(repr(sorted(code.items())).encode()).hexdigest()[:8]
