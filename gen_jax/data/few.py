"""Too few examples, on purpose: `few:COUNT:SOURCE` learns from so many training examples of another data set.

They are spread evenly over its training split; the test split stays whole. For runs that are to overfit, and for what
a model gives away of the little that it has seen.
"""

import dataclasses

from gen_jax.core.errors import UserError
from gen_jax.data.source import Source, count, digest, evenly, subset, whole


def count_of(argument: str) -> tuple[int, str]:
    """(COUNT, SOURCE) of what stands after "few:". Raises UserError for anything else."""
    number, _, base = argument.partition(":")
    if not number.isdecimal() or int(number) < 1 or not base:
        raise UserError(f"few:{argument}: write few:COUNT:SOURCE, such as few:250:mnist5k")
    return int(number), base


def few(base: Source, most: int) -> Source:
    """The data with `most` of their training examples. Raises UserError where there are fewer."""
    if most > base.train.size:
        raise UserError(
            f"few:{most}:{base.name}: it has {base.train.size:,} train examples; ask for {base.train.size} or fewer"
        )
    chosen = evenly(base.train.size, most)
    train = subset(base.train, chosen)
    labels = whole(train)["label"] if base.classes is not None else None
    return dataclasses.replace(
        base,
        name=f"few:{most}:{base.name}",
        fingerprint=digest(base.fingerprint, "few", chosen),
        train=train,
        counts=count(labels, base.classes),
    )
