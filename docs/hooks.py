"""For the site: README.md is its first page, and files of the checkout are named where a link would lead out of it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, page, **_) -> str:
    """The page as the site shows it. README's links begin at the checkout, those of docs/ one folder deeper."""
    if page.file.src_uri == "index.md":
        markdown = (ROOT / "README.md").read_text().replace("](docs/", "](")
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)", _within, markdown)


def _within(link: re.Match) -> str:
    target = link[2]
    return link[0] if (ROOT / "docs" / target).exists() else f"{link[1]} (`{target.removeprefix('../')}`)"
