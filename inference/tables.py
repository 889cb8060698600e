"""Arrow tables in and out: what Ray and Spark hand to a tagger, and Parquet files hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from rasid.data.errors import DataError
from rasid.inference.jobs import arrow_schema, tag_records, to_row
from rasid.inference.records import from_row

if TYPE_CHECKING:
    from rasid.inference.tagger import Tagger


def tag_table(tagger: Tagger, table: pa.Table | pa.RecordBatch, min_score: float = 0.0) -> pa.Table:
    """Tag the rows of a table.

    Args:
        tagger: what tags.
        table: a `text` column; `id`, `date` and `sentences` are read where they are there, other columns are kept in
            `meta`. A row without an id gets its number in this table, so give every row one.
        min_score: mentions and events of a lower probability are left out.

    Returns:
        As many rows, in their order, with the columns of `rasid.inference.jobs.arrow_schema`; `error` says of a row
        that cannot be tagged what is wrong.

    Raises:
        DataError: where there is no `text` column.
    """
    names = table.schema.names
    if "text" not in names:
        raise DataError(f"the table has no column `text`; its columns: {', '.join(names)}")
    records = (
        from_row(row, str(number), f"record {row.get('id') or number}")
        for number, row in enumerate(table.to_pylist(), start=1)
    )
    rows = [to_row(item) for item in tag_records(tagger, records, min_score)]
    return pa.Table.from_pylist(rows, schema=arrow_schema())
