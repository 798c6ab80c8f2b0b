"""`--help` for people: an experiment's settings in groups, a line or two each; the verbs by what they are for.

Words for a setting stand under it in its class; those that nearly every script has are described here once.
"""

import ast
import dataclasses
import enum
import inspect
import itertools
import re
import shutil
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gen_jax.core import domains
from gen_jax.runs.config import Config

COLUMN = 26  # where words begin
FAR = re.compile(r"from (\d+) to \d{6,}")  # an end that nobody meets
GROUPS = {  # of the settings that all experiments have
    "Data": (
        "data", "data_dir", "image_size", "channels", "background", "levels", "normal_class", "labels_per_class",
        "columns",
        "resident_gib",
    ),
    "Training": ("steps", "batch_size", "seed", "precision", "deterministic", "max_nonfinite"),
    "What is seen and kept": (
        "run_dir", "log_every", "sample_every", "evaluate_every", "checkpoint_every", "log", "track", "track_features",
        "track_samples", "allow_changed",
    ),
    "Machine": (
        "backend", "devices", "shard_state", "steps_per_call", "distributed", "coordinator", "processes", "process",
    ),
}  # fmt: skip
WORDS = {
    "loss": "the game: what the players minimise",
    "latent_size": "numbers in a latent",
    "width": "units or channels of the networks; deeper layers may have more",
    "depth": "hidden layers",
    "n_critic": "discriminator steps a round",
    "likelihood": "p(x | z): of pixels that are 0 or 1, or that are grey",
    "binarization": "how pixels become 0 or 1",
    "sigma": "standard deviation of the likelihood",
    "lr": "learning rate",
    "lr_generator": "the generator's learning rate",
    "lr_discriminator": "the discriminator's learning rate",
    "lr_density": "the learning rate of the density of codes",
    "lr_second": "the second stage's learning rate",
    "lr_prior": "the learning rate of the prior of codes",
    "b1_discriminator": "the discriminator's first decay of Adam",
    "b2_discriminator": "the discriminator's second decay of Adam",
    "ema_decay": "of the average of weights, which samples come from",
    "clip_norm": "largest norm of a player's gradient",
    "discriminator_width": "units of the discriminator's layers",
    "flow_width": "units of the flow's layers",
    "dropout": "share of units that are left out while training",
    "warm_up": "steps over which the KL's weight rises",
    "capacity_steps": "steps over which the capacity rises",
    "rate": "how the KL is steered",
    "network": "which network it is",
    "clusters": "components or categories of the latent",
    "categories": "values of the categorical code",
    "codes": "entries of the codebook",
    "codebook_decay": "of the average that a codebook's entries are",
    "prior_layers": "layers of the prior of codes",
    "noise": "numbers of noise in a latent",
    "gradient_penalty": "weight of the gradient penalty",
    "dragan": "weight of DRAGAN's penalty",
    "latent_l2": "weight of the codes' squared norm",
    "mutual_information": "weight of the mutual information of x and z",
    "total_correlation": "weight of the total correlation of z",
    "dimension_kl": "weight of each dimension's KL",
    "b1": "Adam's first decay",
    "b2": "Adam's second decay",
    "beta": "weight of the KL",
    "conditional": "both players are told the label",
    "attention": "after which block self-attention stands",
    "estimator": "of the encoder's gradient",
    "bound": "which bound is trained",
    "prior": "p(z)",
    # of studies
    "data": "the data, as an experiment's --data names them",
    "data_dir": "where TFDS data sets are",
    "image_size": "pixels of a side that images are resized to",
    "seed": "of weights, data order and noise",
    "seeds": "training runs of each arm",
    "steps": "rounds of training in each run",
    "gan_steps": "rounds of training of each GAN",
    "vae_steps": "rounds of training of each VAE",
    "batch_size": "examples a minibatch",
    "study_dir": "where the runs go",
    "model": "what is trained",
    "models": "what is trained",
    "labels_per_class": "how many examples of each class have a label",
    "importance_samples": "importance samples behind an NLL",
    "epsilon": "what the private runs may spend",
    "examples": "test examples that are measured",
    "strength": "weight of the penalty",
}


def wanted(args: Sequence[str] | None) -> bool:
    """Whether a command line asks for help."""
    words = sys.argv[1:] if args is None else args
    return any(word in ("-h", "--help") for word in words)


def of_experiment(kind: type, about: str, width: int | None = None) -> str:
    """The help of a settings class: what the script says of itself, its own settings, then those that all have."""
    width = width or min(shutil.get_terminal_size().columns, 120)
    shared = {field.name for field in dataclasses.fields(Config)}
    found = dict(rows(kind))
    own = [row for name, row in found.items() if name not in shared and "." not in name]
    scalars = [row for name, row in found.items() if "." in name]
    common = {title: [found[name] for name in names if name in found] for title, names in GROUPS.items()}
    left = [found[name] for name in found if name in shared and not any(name in names for names in GROUPS.values())]
    groups = {"This experiment": own, "Its numbers, which an ablation may vary": scalars, **common, "More": left}
    parts = [f"usage: {Path(sys.argv[0]).name} [--SETTING VALUE ...]", folded(about, width)]
    parts += [group(title, lines, width) for title, lines in groups.items() if lines]
    return "\n\n".join(part for part in parts if part)


def folded(about: str, width: int) -> str:
    """Text with its paragraphs of prose folded at `width`; those that hold commands or lists stay as they are."""
    paragraphs = about.strip().split("\n\n")
    kept = [any(line.startswith((" ", "python ", "- ")) for line in each.splitlines()) for each in paragraphs]
    return "\n\n".join(
        each if as_it_is else textwrap.fill(" ".join(each.split()), width, break_on_hyphens=False)
        for each, as_it_is in zip(paragraphs, kept, strict=True)
    )


def of_verbs(verbs: Mapping[str, Callable[..., Any]], groups: Mapping[str, Sequence[str]], prog: str) -> str:
    """The help of a command with verbs: a line each."""
    width = min(shutil.get_terminal_size().columns, 120)
    known = {name for names in groups.values() for name in names}
    whole = {**groups, "More": [name for name in verbs if name not in known]}
    parts = [f"usage: {prog} VERB [RUN ...] [--OPTION VALUE ...]; VERB --help says which"]
    for title, names in whole.items():
        listed = [(name, _first_sentence(inspect.getdoc(verbs[name]) or "")) for name in names if name in verbs]
        if listed:
            parts.append(group(title, listed, width))
    return "\n\n".join(parts)


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.partition(": ")[0].rstrip(".") if len(paragraph) > 90 else paragraph.rstrip(".")


def group(title: str, listed: Sequence[tuple[str, str]], width: int) -> str:
    """A title and lines under it: (what is written, its words), the words folded at `width`."""
    lines = [title]
    for flag, words in listed:
        folded = textwrap.wrap(words, max(width - COLUMN, 24)) or [""]
        head = f"  {flag}"
        if len(head) >= COLUMN:
            lines.append(head)
            head = ""
        lines += [f"{head:<{COLUMN}}{folded[0]}".rstrip(), *(f"{'':<{COLUMN}}{line}" for line in folded[1:])]
    return "\n".join(lines)


def rows(kind: type, prefix: str = "") -> list[tuple[str, tuple[str, str]]]:
    """(dotted name, (the flag with what follows it, its words)) of each setting, nested ones in their place."""
    hints, said, known = domains.hints(kind), described(kind), domains.of_class(kind)
    found: list[tuple[str, tuple[str, str]]] = []
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        name, default = f"{prefix}{field.name}", _default(field)
        if dataclasses.is_dataclass(default) and not isinstance(default, type):
            found += rows(type(default), f"{name}.")
            continue
        switch = "[no-]" if isinstance(default, bool) else ""
        flag, behind = f"--{switch}{domains.flag(name)}", follows(hints[field.name])
        words = said.get(field.name) or WORDS.get(field.name, field.name.replace("_", " "))
        found.append((name, (f"{flag} {behind}".strip(), with_notes(words, default, known.get(field.name)))))
    return found


def with_notes(words: str, default: Any, domain: domains.Interval | None) -> str:
    """The words, then the default (none of None) and what else may be given."""
    notes = [] if default in (None, ()) else [f"default {_plain(default)}"]
    if domain is not None and domain not in domains.UNSAID:
        notes.append(FAR.sub(r"\1 or more", domain.brief))
    return f"{words} ({'; '.join(notes)})" if notes else words


def described(kind: type) -> dict[str, str]:
    """The strings that stand under fields in a class and in those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(each):
            continue
        try:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
        body = getattr(tree, "body", [])
        for field, below in itertools.pairwise(body):
            text = getattr(getattr(below, "value", None), "value", None)
            target = getattr(getattr(field, "target", None), "id", None)
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(text, str) and target:
                found[target] = " ".join(text.split())
    return found


def follows(hint: Any) -> str:
    """What is written behind a flag: N, X, TEXT, PATH, one of several words; nothing behind a switch."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return follows(inner[0])
    if origin in (typing.Union, types.UnionType):
        if bool in inner:  # no switch, where neither is a third thing
            return "|".join("None" if each is type(None) else "True|False" for each in inner)
        return "|".join(dict.fromkeys(follows(each) for each in inner if each is not type(None)))
    if origin is typing.Literal:
        return "|".join(str(each) or "''" for each in inner)
    if origin is tuple:
        return f"{follows(inner[0])} ..."
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "|".join(hint.__members__)
    if hint is bool:
        return ""
    return {int: "N", float: "X", Path: "PATH"}.get(hint, "TEXT")


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _plain(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return " ".join(map(_plain, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"
