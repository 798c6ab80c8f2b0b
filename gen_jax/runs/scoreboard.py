"""The numbers of a report: evaluation.json as tables whose rows point at their protocol, and followed scores."""

import math
import re
import string
from collections.abc import Mapping
from typing import Any

from gen_jax.runs.watching import tracking

MODEL = ("step", "weights", "model")  # what a table is of
FEATURES = (  # what is known of an extractor by its name, and stands once beside it
    "dimension", "architecture", "resize", "feature test accuracy", "feature weights", "feature data", "weight file",
    "explained variance",
)  # fmt: skip
NOTES = ("note", "rule", "missing classes")  # of a result's details, told to the reader


def evaluation(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A table for each model that was measured (step, raw or averaged weights), the latest step first.

    What all rows of a table share stands once; each row points, by a letter, at the rest of its protocol.
    """
    groups: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for result in found.get("results", []):
        protocol = {"step": found.get("step"), **(result.get("protocol") or {})}
        protocol = {name: value for name, value in protocol.items() if value not in (None, "")}
        groups.setdefault(repr([protocol.get(name) for name in MODEL]), []).append((result, protocol))
    tables = [_table(rows) for rows in groups.values()]
    return sorted(tables, key=lambda table: -table["step"])


def _table(rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    first = rows[0][1]
    common = {k: v for k, v in first.items() if all(protocol.get(k) == v for _, protocol in rows)}
    known = _extractors([protocol for _, protocol in rows])
    letters: dict[tuple, str] = {}
    protocols, lines, notes = [], [], []
    for result, protocol in rows:
        told = FEATURES if protocol.get("features") in known else ()
        own = _said({name: value for name, value in protocol.items() if name not in common and name not in told})
        if own and own not in letters:
            letters[own] = _letter(len(letters))
            protocols.append((letters[own], own))
        value, interval = figure_with_interval(result.get("value"), result.get("interval"))
        details = result.get("details") or {}
        for name in NOTES:
            if details.get(name):
                notes.append(f"{words(str(result.get('name', '')))}: {_note(name, details[name])}")
        lines.append(
            {
                "name": words(str(result.get("name", ""))),
                "value": value,
                "interval": interval,
                "kind": (result.get("interval_kind") or "") if interval else "",
                "unit": result.get("unit") or "",
                "protocol": letters.get(own, ""),
                "null": bool(details.get("null")),
            }
        )
    step, kind = first.get("step"), first.get("weights")
    return {
        "step": step if isinstance(step, int) else 0,
        "title": ", ".join(
            part for part in (f"step {step:,}" if isinstance(step, int) else "", _weights(kind)) if part
        ),
        "rows": lines,
        "common": _said({name: value for name, value in common.items() if name not in FEATURES or not known}),
        "features": [(name, _said(details)) for name, details in known.items()],
        "protocols": protocols,
        "notes": list(dict.fromkeys(notes)),
    }


def _extractors(protocols: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is known of each extractor that the rows name; one that they do not agree about is left to each row."""
    found: dict[str, list[dict[str, Any]]] = {}
    for protocol in protocols:
        details = {name: protocol[name] for name in FEATURES if name in protocol}
        if "features" in protocol and details and details not in found.setdefault(protocol["features"], []):
            found[protocol["features"]].append(details)
    return {name: details[0] for name, details in found.items() if len(details) == 1}


def tracked(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Scores that a run followed: final and best, and which collapsed; empty where none was followed."""
    rows = [
        {
            "name": row.name.replace("/", " "),
            "final": number(row.final) if math.isfinite(row.final) else "not finite",
            "final_step": f"{row.final_step:,}",
            "best": number(row.best),
            "best_step": f"{row.best_step:,}",
            "collapsed": row.collapsed,
        }
        for row in tracking.summary(metrics)
    ]
    return {"rows": rows, "rule": tracking.RULE} if rows else {}


def figure_with_interval(value: float | None, interval: list[float] | None) -> tuple[str, str]:
    """A number and its interval in the digits that mean something: two of the interval's half width."""
    if value is None or not math.isfinite(value):
        return "not finite", ""
    if not interval or any(end is None or not math.isfinite(end) for end in interval) or interval[1] <= interval[0]:
        return number(value), ""
    places = 1 - math.floor(math.log10((interval[1] - interval[0]) / 2))
    if not 0 <= places <= 6:
        return number(value), f"{number(interval[0])} to {number(interval[1])}"
    return minus(f"{value:.{places}f}"), minus(f"{interval[0]:.{places}f} to {interval[1]:.{places}f}")


def number(value: float) -> str:
    return minus(f"{value:.5g}")


def minus(text: str) -> str:
    return re.sub(r"(?<![\w.])-(?=[\d.])", "−", text)


def words(name: str) -> str:
    """A name of the code in words; what has capitals is written for people already (C_T)."""
    return name.replace("_", " ") if name == name.lower() else name


def _said(protocol: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _plain(name, value)) for name, value in protocol.items())


def _plain(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if "accuracy" in name:
        return f"{100 * value:.2f} %"
    return f"{value:,}" if isinstance(value, int) else number(value)


def _note(name: str, value: Any) -> str:
    if isinstance(value, list):
        return f"{name} {', '.join(map(str, value))}"
    return str(value)


def _weights(kind: Any) -> str:
    return {"ema": "averaged weights", "raw": "raw weights"}.get(kind, "")


def _letter(place: int) -> str:
    return string.ascii_lowercase[place] if place < 26 else f"{string.ascii_lowercase[place // 26 - 1]}{place % 26}"
