"""Which runs are seeds of one arm: those of the same data, code and length, and not only of the same settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gen_jax.runs import folder, identity, local_code, log, manifest, scripts
from gen_jax.runs.identity import PACKAGES

UNKNOWN = f"no {manifest.FILE}"


def fields(runs: Sequence[Path]) -> list[dict[str, str]]:
    """Of each run what tells it from the others beside its settings: `script`, `code`, `data`, `steps`; each the same
    text for runs of the same.

    `script` is its name, `code` a mark of its files where scripts of one name differ, `data` their name, with a mark
    where data of one name differ, and `steps` how far a run has come.
    """
    records = [folder.record(run) for run in runs]
    marks = [identity.history(record) if record else _of_copy(run) for run, record in zip(runs, records, strict=True)]
    specs = [str(folder.read_config(run).get("data")) for run in runs]
    names = [record["data"]["name"] if record else spec for record, spec in zip(records, specs, strict=True)]
    said = [_script(run, record) for run, record in zip(runs, records, strict=True)]
    code = _where_needed(said, [" then ".join(each["code"]) for each in marks])
    data = _where_needed(names, [" then ".join(each["data"]) for each in marks])
    return [
        {
            "script": said[number],
            "code": code[number],
            "data": f"{names[number]} ({data[number]})" if data[number] else names[number],
            "steps": length(run, records[number]),
        }
        for number, run in enumerate(runs)
    ]


def notes(runs: Sequence[Path]) -> list[str]:
    """What differs and may explain other numbers: data, versions of packages. Lines for under a table."""
    sittings = [record["sittings"][-1] for run in runs if (record := folder.record(run))]
    found = []
    for name in PACKAGES:
        versions = dict.fromkeys(str(sitting["versions"].get(name, "none")) for sitting in sittings)
        if len(versions) > 1:
            found.append(f"{name} {' and '.join(versions)}")
    commits = dict.fromkeys((sitting["code"]["commit"] or "")[:12] for sitting in sittings)
    if len(commits) > 1:
        found.append(f"gen_jax at {' and '.join(commit or 'no commit' for commit in commits)}")
    known = [folder.record(run) is not None for run in runs]
    data = dict.fromkeys(each["data"] for each, there in zip(fields(runs), known, strict=True) if there)
    said = [f"The runs are of different data: {' and '.join(data)}; what each did on its own is no race."]
    said = said if len(data) > 1 else []
    if gone := [str(run) for run, there in zip(runs, known, strict=True) if not there]:
        said.append(f"{' and '.join(gone)}: {UNKNOWN}, so it is not known on which data this was trained.")
    return said + ([f"The runs were made with different versions: {'; '.join(found)}."] if found else [])


def _of_copy(run: Path) -> dict[identity.Kind, list[str]]:
    """`identity.history` of a run without its manifest: the code that lies there, and data that nothing tells."""
    code = {key: local_code.File(path, path.read_bytes()) for key, path in local_code.kept(run).items()}
    return {"data": [UNKNOWN], "code": [identity.short_code(local_code.hashes(code))] if code else []}


def _where_needed(names: Sequence[str], marks: Sequence[str]) -> list[str]:
    """The mark of each, where others of its name have another one; else nothing."""
    return [
        mark if len({other for same, other in zip(names, marks, strict=True) if same == name}) > 1 else ""
        for name, mark in zip(names, marks, strict=True)
    ]


def length(run: Path, record: dict[str, Any] | None) -> str:
    """How far a run has come: "6" at its end, "4 of 6" before it."""
    asked = folder.read_config(run).get("steps", 0)
    if record and record["status"] == "complete":
        return str(asked)
    lines = log.read_lines(run)
    reached = lines[-1]["step"] if lines else 0
    return f"{reached} of {asked}" if reached < asked else str(asked)


def _script(run: Path, record: dict[str, Any] | None) -> str:
    """The name of the script that a run was trained by; of a run that kept no command, what its copy says of itself."""
    name = manifest.script_name(record)
    if name is not None and name != Path(local_code.SCRIPT).stem:
        return name
    text = scripts.docstring(run / local_code.SCRIPT)
    return text.splitlines()[0].partition(":")[0] if text else ""
