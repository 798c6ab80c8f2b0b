"""What a table is made of, as a file: so that arms measured on several machines, or days, become one table."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line
from gen_jax.runs import folder
from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.paths import short_spec
from gen_jax.runs.settings import differences, to_json
from gen_jax.studies.ablation import Ablation
from gen_jax.studies.claims import Values

VALUES = "values.json"  # of a whole table, in its study folder


class Outcome(NamedTuple):
    """What a table is made of."""

    values: Values
    seconds: float  # of training
    failed: int  # runs
    earlier: tuple[int, Values] = (0, {})  # steps, and what was measured then of runs that have been lengthened since
    where: str = ""  # the machine, where it is not this one
    command: str = ""  # what was typed there
    settings: Mapping[str, Mapping[str, Any]] = {}  # of each study: the script, and what it was told


def told(part: Ablation) -> dict[str, Any]:
    """What makes a study's runs what they are, in JSON, wherever they were made: its script, and what it was told but
    how a machine is to go about it. Arms of a grid are told apart by their names."""
    elsewhere = {*folder.EXECUTION, *folder.RHYTHM} - {"steps"}
    told = {name: value for name, value in part.settings.items() if name not in elsewhere}
    told |= {"data": short_spec(told["data"])} if "data" in told else {}
    return to_json({"experiment": Path(part.experiment).stem, **told})


def write(path: Path, outcome: Outcome, protocol: str) -> None:
    """Keep what a table was made of, for `--collected`."""
    atomic_write_json(path, {"protocol": protocol, **outcome._asdict()})


def read(paths: Sequence[Path], protocol: str, settings: Mapping[str, Mapping[str, Any]] = {}) -> Outcome:
    """Arms and seeds of several files together. Raises UserError for what is no such file, or of another protocol, or
    of runs of other `settings` than these (of the studies that both know)."""
    values: Values = {}
    shorter: Values = {}
    known = dict(settings)
    steps, parts = 0, []
    for path in paths:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            part = Outcome(**{name: found[name] for name in Outcome._fields if name != "settings"})
            part = part._replace(settings={name: dict(own) for name, own in found.get("settings", {}).items()})
            _join(values, part.values)
            steps = max(steps, part.earlier[0])
            _join(shorter, part.earlier[1])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"--collected {path}: no {VALUES} of a table ({one_line(error)})") from None
        if found.get("protocol") != protocol:
            raise UserError(f"--collected {path} was measured otherwise: {found.get('protocol')}; here: {protocol}")
        for name, own in part.settings.items():
            if other := differences(dict(own), dict(known.setdefault(name, own)), ()):
                than = "this call" if name in settings else "the files before it"
                raise UserError(f"--collected {path} is of other runs of {name} than {than}: {'; '.join(other)}")
        parts.append(part)
    where = ", ".join(dict.fromkeys(part.where for part in parts))
    typed = "`, `".join(dict.fromkeys(part.command for part in parts))
    seconds, failed = sum(part.seconds for part in parts), sum(part.failed for part in parts)
    return Outcome(values, seconds, failed, (steps, shorter), where, typed, known)


def _join(values: Values, kept: Mapping[str, Mapping[str, Mapping[Any, float]]]) -> None:
    """Add what JSON held, whose keys are texts."""
    for arm, found in kept.items():
        for name, seeds in found.items():
            values.setdefault(arm, {}).setdefault(name, {}).update({int(s): float(v) for s, v in seeds.items()})
