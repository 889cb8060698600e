"""Batch jobs: records in, tagged records out, as JSON lines, Parquet or text to read."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from rasid.data.errors import DataError
from rasid.data.jsonl import article_to_dict, dumps
from rasid.data.schema import Article
from rasid.inference.records import Failure
from rasid.inference.report.terminal import render_article, render_failure

if TYPE_CHECKING:
    import pyarrow as pa

    from rasid.inference.tagger import Tagger

FORMATS: Final = ("jsonl", "parquet", "text")
_ROWS_AT_ONCE: Final = 256


class Write(Protocol):
    """Takes one record of the output."""

    def __call__(self, item: Article | Failure) -> None:
        """Write the record."""
        ...


@dataclass(slots=True)
class Tally:
    """What came out of a job."""

    articles: int = 0
    failures: int = 0
    mentions: int = 0
    events: int = 0

    def add(self, item: Article | Failure) -> None:
        """Count one record."""
        if isinstance(item, Failure):
            self.failures += 1
        else:
            self.articles += 1
            self.mentions += len(item.mentions)
            self.events += len(item.events)

    def merge(self, other: Tally) -> None:
        """Add what another job or part of a job has counted."""
        self.articles += other.articles
        self.failures += other.failures
        self.mentions += other.mentions
        self.events += other.events


def tag_records(
    tagger: Tagger, records: Iterable[Article | Failure], min_score: float = 0.0
) -> Iterator[Article | Failure]:
    """Tag the articles among the records; failures come out where they came in."""
    waiting: deque[Failure | None] = deque()

    def articles() -> Iterator[Article]:
        for record in records:
            if isinstance(record, Failure):
                waiting.append(record)
            else:
                waiting.append(None)
                yield record

    def due() -> Iterator[Failure]:
        while waiting and (failure := waiting[0]) is not None:
            waiting.popleft()
            yield failure

    for article in tagger.stream(articles(), min_score=min_score):
        yield from due()
        waiting.popleft()
        yield article
    yield from due()


def choose_format(out: Path | None, wanted: str | None) -> str:
    """Return the format of the output: as asked for, else by the suffix, else JSON lines.

    Raises:
        DataError: where the suffix says nothing, or Parquet would go to the terminal.
    """
    by_suffix = {".jsonl": "jsonl", ".parquet": "parquet", ".txt": "text"}
    chosen = wanted or ("jsonl" if out is None else by_suffix.get(out.suffix))
    if chosen is None:
        raise DataError(
            "the output should end in .jsonl, .parquet or .txt, or --format say what it is", source=str(out)
        )
    if chosen == "parquet" and out is None:
        raise DataError("Parquet needs a file to go to: -o OUT.parquet")
    return chosen


@contextmanager
def open_output(out: Path | None, form: str, *, color: bool | None = None) -> Iterator[Write]:
    """Open the output of a job; a file gets its name only when everything is in it.

    Args:
        out: the file, or None for standard output.
        form: one of `FORMATS`.
        color: whether text is coloured; None for "where it is a terminal".

    Raises:
        DataError: where the file cannot be written.
    """
    if out is None:
        yield _printer(form, color)
        return
    with open_file(out) as opened:
        if form == "parquet":
            with _parquet_writer(opened) as write:
                yield write
        else:
            yield lambda item: _write_line(opened, _render(item, form, bool(color)))


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which gets its name only when everything is in it and on the disk.

    Raises:
        DataError: where it cannot be written.
    """
    # a name of this process's own: one that was killed may have left children that still write
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        opened = part.open("wb")
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", source=str(path)) from None
    try:
        with opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_line(file: Any, line: str) -> None:  # noqa: ANN401 - any binary file
    file.write((line + "\n").encode("utf-8", "backslashreplace"))


def _printer(form: str, color: bool | None) -> Write:
    import click

    def write(item: Article | Failure) -> None:
        click.echo(_render(item, form, True), color=color)

    return write


def _render(item: Article | Failure, form: str, color: bool) -> str:
    import click

    if form == "text":
        text = render_failure(item) if isinstance(item, Failure) else render_article(item)
        return text if color else click.unstyle(text)
    return dumps(item.to_dict() if isinstance(item, Failure) else article_to_dict(item))


@cache
def arrow_schema() -> pa.Schema:
    """Return the columns of a Parquet output; `meta` holds the record's other keys as a JSON object."""
    import pyarrow as pa

    text, ids, real = pa.string(), pa.list_(pa.string()), pa.float32()
    mention = {"start": pa.int32(), "end": pa.int32(), "label": text, "entity": text, "sector": text, "score": real}
    event = {"sentence": pa.int32(), "type": text, "mode": text, "sources": ids, "targets": ids, "locations": ids}
    return pa.schema(
        {
            **{"id": text, "date": text, "text": text, "sentences": pa.list_(pa.list_(pa.int32()))},
            "mentions": pa.list_(pa.struct(list(mention.items()))),
            "events": pa.list_(pa.struct([*event.items(), ("score", real)])),
            **{"error": text, "meta": text},
        }
    )


def to_row(item: Article | Failure) -> dict[str, Any]:
    """Return a record as a row of `arrow_schema`."""
    record = item.to_dict() if isinstance(item, Failure) else article_to_dict(item)
    names = arrow_schema().names
    row = {name: record.get(name) for name in names if name != "meta"}
    if isinstance(item, Failure):
        row |= {"id": item.id, "date": None, "sentences": None, "mentions": None, "events": None}
        row["text"] = row["text"] if isinstance(row["text"], str) else None
    meta = {key: value for key, value in record.items() if key not in row}
    return {**row, "meta": json.dumps(meta, ensure_ascii=False, default=str) if meta else None}


@contextmanager
def _parquet_writer(file: Any) -> Iterator[Write]:  # noqa: ANN401 - any binary file
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema()
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def flush() -> None:
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows.clear()

        def write(item: Article | Failure) -> None:
            rows.append(to_row(item))
            if len(rows) >= _ROWS_AT_ONCE:
                flush()

        yield write
        flush()
