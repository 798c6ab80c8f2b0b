"""What somebody may have meant by a name that is not there."""

import difflib
from collections.abc import Iterable


def near(word: str, known: Iterable[str], most: int = 1, least: float = 0.6) -> list[str]:
    """Up to `most` of the known names that come close, whatever their capitals; `least`: from 0, anything, to 1."""
    lower = {name.lower(): name for name in known}
    return [lower[found] for found in difflib.get_close_matches(word.lower(), lower, most, least)]


def meant(word: str, known: Iterable[str]) -> str:
    """ "did you mean sample? ", or nothing where none is near."""
    return "".join(f"did you mean {name}? " for name in near(word, known))
