"""The commands and files that a Markdown page shows, in their order, for a test that follows the page word by word."""

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    text: str


class File(NamedTuple):
    name: str
    text: str


def steps(page: Path) -> list[Command | File]:
    """`sh` blocks, a command each (lines that end in a backslash go on), and blocks with a title, as files."""
    found: list[Command | File] = []
    for kind, title, text in FENCE.findall(page.read_text()):
        if title:
            found.append(File(title, text))
        elif kind == "sh":
            whole = text.replace("\\\n", " ")
            found += [Command(" ".join(line.split())) for line in whole.splitlines() if line.strip()]
    return found
