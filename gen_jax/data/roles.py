"""What a split is for, told by its name."""

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}


def of(name: str) -> str | None:
    """ "train", "val" or "test" by any of its usual names, in any case; None for another name."""
    return next((role for role, names in NAMES.items() if name.lower() in names), None)
