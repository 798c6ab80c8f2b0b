"""report.html: one self-contained page of what a run did, made from the files in its folder alone."""

import base64
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gen_jax.core.lines import visible
from gen_jax.runs import diagnosis, figures, folder, log, manifest, panels, scripts, shapes
from gen_jax.runs.diagnosis import remedies
from gen_jax.runs.files import atomic_write_text
from gen_jax.runs.scoreboard import evaluation, minus, number, tracked, words
from gen_jax.runs.settings import flatten

OF_PROBABILITIES = ("non_saturating", "minimax")  # games whose D gives the probability that an example is real
STRIP = 9  # pictures in the strip over training
THUMBNAIL = 300  # pixels


def write_report(run_dir: str | Path) -> Path:
    """Write `report.html` into the run folder and return its path; parts whose files are missing are left out.

    Raises `UserError` where a file of the folder is damaged or the page cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    run_dir = Path(run_dir)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.filters["sentence"] = sentence
    page = templates.get_template("report.html.j2").render(**content(run_dir))
    return atomic_write_text(run_dir / "report.html", page)


def sentence(text: str) -> str:
    """The text with a capital at its beginning, unless it begins with a symbol: r_v, q(z), p, D."""
    first = text.partition(" ")[0].rstrip(",.:;")
    word = first == "a" or (len(first) > 1 and first.replace("-", "").replace("'", "").isalpha() and first.islower())
    return text[:1].upper() + text[1:] if word else text


def content(run_dir: Path) -> dict[str, Any]:
    """What the page shows, ready to be laid out; every part may be empty."""
    config = folder.read_config(run_dir) if (run_dir / "config.json").exists() else {}
    record = manifest.read(run_dir) or {}
    provenance = dict(manifest.summary(run_dir))
    lines = log.read_lines(run_dir)
    log.tell_of_losses(run_dir, lines, config)
    metrics = log.series(lines)
    samples = _samples(run_dir)
    reached = max([0, *(int(series.steps[-1]) for series in metrics.values()), *samples])
    return {
        "title": manifest.script_name(record) or run_dir.resolve().name,
        "about": _about(run_dir / "experiment.py"),
        "status": record.get("status", ""),
        "reason": record.get("reason") or "",
        "facts": _facts(config, provenance, reached),
        "final": _data(samples[max(samples)]) if samples else None,
        "final_step": max(samples, default=0),
        "sound": _heard(run_dir / "samples" / f"step_{max(samples, default=0):08d}.wav"),
        "strip": [(step, _data(_thumbnail(samples[step]))) for step in _spread(sorted(samples))],
        "pictures": [
            (words(visible(path.stem)), _data(png)) for path, png in _sound((run_dir / "pictures").glob("*.png"))
        ],
        "curves": [_chart(panel, metrics, _has_probabilities(run_dir, config)) for panel in panels.of(metrics)],
        "tracked": tracked(metrics),
        "evaluation": evaluation(shapes.read(run_dir / "evaluation.json", shapes.EVALUATION, default={})),
        "diagnosis": diagnosed(metrics, remedies.ground(run_dir)),
        "settings": [(name, _value(value)) for name, value in flatten(config).items()],
        "provenance": [(name, value) for name, value in provenance.items() if name != "status"],
    }


def _chart(panel: panels.Panel, metrics: Mapping[str, Any], probabilities: bool) -> tuple[str, str]:
    """(the picture, the sentence beside it). `probabilities`: whether D's logits stand for some."""
    logits = panel.is_of_logits and probabilities
    axis = figures.Axis(panel.unit, logits)
    svg = figures.curves(
        metrics,
        panel.names,
        sentence(panel.title),
        panels.labels(panel),
        axis,
        panels.styles(panel.names),
    )
    dashed = " Dashed: held-out examples." if any(name.startswith("held_out/") for name in panel.names) else ""
    right = " At the right, the probability of being real that they stand for." if logits else ""
    return _inline(svg), panel.sentence + right + (dashed if len(panel.names) > 1 else "")


def _has_probabilities(run_dir: Path, config: Mapping[str, Any]) -> bool:
    """Whether D gives the probability that an example is real: by the setting, or by what the script passes on."""
    if "loss" in config:
        return config["loss"] in OF_PROBABILITIES
    script = run_dir / "experiment.py"
    return script.exists() and any(f"adversarial.{name}".encode() in script.read_bytes() for name in OF_PROBABILITIES)


def _heard(path: Path) -> str | None:
    """The sounds beside the last samples, as an address in the page; None where there are none."""
    if not path.is_file() or path.read_bytes()[:4] != b"RIFF":
        return None
    return "data:audio/wav;base64," + base64.b64encode(path.read_bytes()).decode()


def _samples(run_dir: Path) -> dict[int, bytes]:
    """The sample grids by step."""
    named = [path for path in (run_dir / "samples").glob("step_*.png") if re.fullmatch(r"step_[0-9]{1,18}", path.stem)]
    return {int(path.stem.removeprefix("step_")): png for path, png in _sound(named)}


def _sound(paths: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    """The pictures in the order of their names, without those that are damaged."""
    yield from ((path, png) for path in sorted(paths) if (png := figures.read_png(path, "the report")) is not None)


def _spread(steps: list[int], most: int = STRIP) -> list[int]:
    """First and last, and between them steps that grow by a factor: models change most at the start."""
    if len(steps) <= most:
        return steps
    places = {round((len(steps) - 1) ** (number / (most - 1))) for number in range(1, most)} | {0, len(steps) - 1}
    rest = (place for place in range(len(steps)) if place not in places)
    while len(places) < most:
        places.add(next(rest))
    return [steps[place] for place in sorted(places)]


def _about(script: Path) -> str:
    """The first paragraph of the experiment's docstring."""
    return " ".join(scripts.docstring(script).split("\n\n")[0].split())


def _facts(config: Mapping[str, Any], provenance: Mapping[str, Any], reached: int) -> list[tuple[str, str]]:
    asked = config.get("steps")
    steps = f"{reached:,}" if asked in (None, reached) else f"{reached:,} of {asked:,}"
    rows = [
        ("data", config.get("data") or provenance.get("data")),
        ("steps", steps if reached or asked else None),
        ("batch", config.get("batch_size")),
        ("seed", config.get("seed")),
        ("parameters", provenance.get("parameters")),
        ("training time", provenance.get("training time")),
        ("finished", re.sub(r"T(\d\d:\d\d):.*", r" \1 UTC", str(provenance.get("finished") or ""))),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


def diagnosed(metrics: diagnosis.Metrics, run: remedies.Ground = remedies.Ground()) -> dict[str, Any]:
    """Findings, and what was looked at; empty where the run has logged nothing that a rule looks at."""
    found = diagnosis.summary(diagnosis.examine(metrics), run)
    looked = [row for row in found["looked_at"] if row["saw"]]
    if not looked:
        return {}
    return {
        "findings": [{**row, "when": _when(row), "saw": minus(row["saw"])} for row in found["findings"]],
        "looked": [{**row, "saw": minus(row["saw"])} for row in looked],
        "unseen": ", ".join(row["sign"] for row in found["looked_at"] if not row["saw"]),
    }


def _when(row: Mapping[str, Any]) -> str:
    since, until = f"{row['since']:,}", row["until"]
    return f"since step {since}" if until is None else f"from step {since} to {until:,}, then gone"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value) or "–"
    return str(value)


def _thumbnail(png: bytes) -> bytes:
    with figures.opened(png) as image:
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        file = io.BytesIO()
        image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _data(png: bytes) -> str:
    """A picture as the address that stands for it in the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _inline(svg: str) -> str:
    """The SVG element alone, scaling with its column; its text was escaped by what drew it."""
    from markupsafe import Markup

    element = svg[svg.index("<svg") :]
    return Markup(
        re.sub(
            r'(<svg[^>]*?) height="[^"]*"',
            r"\1",
            re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1),
            count=1,
        )
    )
