"""What models of rows need of a table beside its rows: how its columns fall into choices, fitted once and kept; and the
settings that the paper's two models share."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gen_jax.core.domains import Size
from gen_jax.core.errors import UserError
from gen_jax.data import frequencies, modes
from gen_jax.data.source import Source, whole
from gen_jax.data.table import TableSource
from gen_jax.runs import config
from gen_jax.runs.evaluation.cache import remembered

VERSION = 2  # of how choices are fitted


@dataclass(frozen=True, kw_only=True)
class Config(config.Config):
    """Of TVAE and CTGAN (Xu et al. 2019); 19,500 steps are their 300 epochs of Adult."""

    data: str = "table:PATH"
    steps: int = 19_500
    batch_size: int = 500
    latent_size: Size = 128


class Fitted(NamedTuple):
    """A column each; `frequencies` of columns of categories alone, in their order."""

    choices: tuple[modes.Choices, ...]
    frequencies: tuple[frequencies.Frequencies, ...]


def need_table(source: Source, tool: str) -> TableSource:
    """The data as a table. Raises UserError where they are none."""
    if not isinstance(source, TableSource):
        raise UserError(
            f"{tool} is for a table's rows, and {source.name} has {source.kind.name}: train tvae.py or ctgan.py with "
            "--data table:PATH"
        )
    return source


def fitted(source: Source, model: str) -> Fitted:
    """The choices of a table's columns, fitted on its train rows and remembered by its fingerprint. Raises UserError
    where the data are no table."""
    table = need_table(source, model)
    x = whole(table.train)["x"]
    said = {"data": table.fingerprint, "version": VERSION, "modes": [modes.MODES, modes.LEAST, modes.FEW, modes.MOST]}

    def make() -> dict[str, np.ndarray]:
        found = modes.fit(x, table.columns)
        return {
            f"{number}/{name}": np.asarray(value)
            for number, each in enumerate(found)
            for name, value in each._asdict().items()
        }

    arrays = remembered("choices", said, make)
    choices = tuple(_choices(arrays, number) for number in range(len(table.columns)))
    often = tuple(
        frequencies.of_column(x[:, place], len(column.categories))
        for place, column in enumerate(table.columns)
        if column.kind == "category"
    )
    return Fitted(choices, often)


def _choices(arrays: dict[str, np.ndarray], number: int) -> modes.Choices:
    centre, deviation, weight, spread, missing, category = (arrays[f"{number}/{n}"] for n in modes.Choices._fields)
    return modes.Choices(centre, deviation, weight, spread, bool(missing), bool(category))
