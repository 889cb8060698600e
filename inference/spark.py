"""Tagging on Spark: a function for `DataFrame.mapInArrow`.

    from rasid.inference.spark import SCHEMA, tag_batches

    tagged = spark.read.parquet("articles").mapInArrow(tag_batches(), SCHEMA)

Each Python worker loads the model once and keeps it; `spark.python.worker.reuse` (on by default) keeps the worker.
rasid has to be installed on the executors, for the Python that `PYSPARK_PYTHON` names. Needs
`pip install 'rasid[spark]'` where there is no Spark yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from rasid.inference.tables import tag_table

if TYPE_CHECKING:
    from rasid.inference.tagger import Tagger

# The columns of the result as Spark names them: those of `rasid.inference.jobs.arrow_schema`.
SCHEMA: Final = (
    "id string, date string, text string, sentences array<array<int>>, "
    "mentions array<struct<start: int, end: int, label: string, entity: string, sector: string, score: float>>, "
    "events array<struct<sentence: int, type: string, mode: string, sources: array<string>, targets: array<string>, "
    "locations: array<string>, score: float>>, error string, meta string"
)


def tag_batches(
    model: str | None = None,
    device: str = "auto",
    *,
    precision: str = "auto",
    threads: int | None = 1,
    min_score: float = 0.0,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return a function that tags batches of rows, for `mapInArrow` with `SCHEMA`.

    Args:
        model: a folder that every executor has, or a name on the hub; None for the shipped model.
        device: as in `Tagger.from_pretrained`.
        precision: as in `Tagger.from_pretrained`.
        threads: of each Python worker; Spark runs one for each core.
        min_score: mentions and events of a lower probability are left out.

    Returns:
        A function of record batches (see `rasid.inference.tables.tag_table` for their columns) to record batches.
        It raises DataError on the executor where the model cannot be loaded or the rows have no `text`.
    """

    def tag(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            tagger = _load(model, device, precision, threads)
            yield from tag_table(tagger, batch, min_score).to_batches()

    return tag


@lru_cache(maxsize=1)
def _load(model: str | None, device: str, precision: str, threads: int | None) -> Tagger:
    from rasid.inference.tagger import Tagger

    return Tagger.from_pretrained(model, device, precision=precision, threads=threads)
