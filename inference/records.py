"""Records in: articles from text files, JSON lines, Parquet and standard input.

A record that cannot be tagged does not end the job: it comes out as a `Failure` in its place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from rasid.data.errors import DataError
from rasid.data.jsonl import article_from_dict, parse_record
from rasid.data.schema import Article

STDIN: Final = Path("-")
SUFFIXES: Final = (".txt", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
_BLOCK: Final = 1 << 20
_ARABIC_LETTER: Final = re.compile(r"[\u0620-\u063f\u0641-\u064a\u066e-\u066f\u0671-\u06d3\ufb50-\ufdff\ufe70-\ufefc]")


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that cannot be tagged.

    Args:
        id: of the record, or the place it stands at.
        error: what is wrong, naming file and line.
        record: its keys as they came, where it could be read at all.
    """

    id: str
    error: str
    record: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the record with its `id` and an `error` key."""
        return {"id": self.id, **self.record, "error": self.error}


def read_records(paths: Iterable[Path]) -> Iterator[Article | Failure]:
    """Yield the articles of files and folders, in order, with a Failure in the place of each that cannot be tagged.

    Args:
        paths: `.txt` (one article, its id the file's name), `.jsonl` (a `text` key, others kept), `.parquet` (a
            `text` column), folders of these, or `-` for standard input (JSON lines, or else one text).
    """
    for path in paths:
        for file in _files(path):
            try:
                yield from _read_file(file)
            except OSError as error:
                yield Failure(file.name, f"{file}: cannot be read: {error.strerror or error}")


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that `read_records` reads, in its order; a folder without any stands for itself."""
    return [file for path in paths for file in _files(path)]


def count_records(files: Iterable[Path]) -> int | None:
    """Return about how many records there are in files, or None where only reading them whole would tell."""
    total = 0
    for file in files:
        if file.suffix == ".jsonl" and file.is_file():
            try:
                with file.open("rb") as opened:
                    while block := opened.read(_BLOCK):
                        total += block.count(b"\n")
            except OSError:
                return None
        elif file.suffix == ".parquet":
            total += _parquet_rows(file)
        elif file.suffix == ".txt":
            total += 1
        else:
            return None
    return total


def _parquet_rows(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return 1


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.name.endswith(SUFFIXES))
        yield from found or [path]
    else:
        yield path


def _read_file(path: Path) -> Iterator[Article | Failure]:
    if path == STDIN:
        yield from _read_stdin(sys.stdin.buffer)
    elif path.is_dir():
        yield Failure(path.name, f"{path}: the folder holds no {', '.join(SUFFIXES)} file")
    elif path.suffix == ".parquet":
        yield from _read_parquet(path)
    elif path.suffix == ".jsonl":
        with path.open("rb") as file:
            yield from _read_lines(file, str(path))
    elif path.name.endswith((".jsonl.gz", ".jsonl.zst")):
        yield from _read_compressed(path)
    elif path.suffix == ".txt":
        yield _from_bytes(path.read_bytes(), path.name, str(path))
    elif path.exists():
        yield Failure(path.name, f"{path}: an unknown kind of file; rasid reads {', '.join(SUFFIXES)}")
    else:
        yield Failure(path.name, f"{path}: there is no such file")


def _read_compressed(path: Path) -> Iterator[Article | Failure]:
    import gzip
    import io
    import zlib
    from contextlib import ExitStack

    import pyarrow as pa

    with ExitStack() as stack:
        try:
            lines: Iterable[bytes]
            if path.suffix == ".gz":
                lines = stack.enter_context(gzip.open(path))
            else:
                stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
                lines = stack.enter_context(io.BufferedReader(stream))
            yield from _read_lines(lines, str(path))
        except (OSError, EOFError, zlib.error) as error:
            yield Failure(path.name, f"{path}: cannot be read on, and records may be missing: {error}")


def _read_stdin(stream: BinaryIO) -> Iterator[Article | Failure]:
    first = stream.readline()
    while first and not first.strip():
        first = stream.readline()
    if first.lstrip().startswith(b"{"):
        yield from _read_lines(_chain(first, stream), "<stdin>")
    else:
        yield _from_bytes(first + stream.read(), "<stdin>", "<stdin>")


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _from_bytes(raw: bytes, identifier: str, source: str) -> Article | Failure:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Failure(identifier, f"{source}:{line}: not UTF-8: byte 0x{raw[error.start]:02x} at {error.start}")
    problem = find_problem(text)
    return Failure(identifier, f"{source}: {problem}", {"text": text}) if problem else Article(identifier, text)


def _read_lines(lines: Iterable[bytes], source: str) -> Iterator[Article | Failure]:
    empty = True
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        empty = False
        place = f"{Path(source).name}:{number}"
        try:
            record = parse_record(line, source, number)
        except DataError as error:
            yield Failure(place, str(error))
            continue
        yield _from_record(record, place, f"{source}:{number}")
    if empty:
        yield Failure(Path(source).name, f"{source}: the file is empty")


def _from_record(record: Mapping[str, Any], place: str, source: str) -> Article | Failure:
    """Build an article from a record; labels that it has are kept until the tagger replaces them."""
    identifier = str(record.get("id") or place)
    text = record.get("text")
    if isinstance(text, str) and (problem := find_problem(text)):
        return Failure(identifier, f"{source}: {problem}", record)
    try:
        unlabelled = {key: value for key, value in record.items() if key not in ("mentions", "events", "error")}
        return article_from_dict(unlabelled, fallback_id=place)
    except DataError as error:
        return Failure(identifier, f"{source}: {error.message}", record)


def from_row(row: Mapping[str, Any], place: str, source: str) -> Article | Failure:
    """Build an article from a row of a table, where a column without a value is one that the record does not have.

    Args:
        row: values by column.
        place: the id of a record that has none.
        source: what an error names.
    """
    return _from_record({key: value for key, value in row.items() if value is not None}, place, source)


def _read_parquet(path: Path) -> Iterator[Article | Failure]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        yield Failure(path.name, f"{path}: not a Parquet file: {str(error).splitlines()[0]}")
        return
    if "text" not in file.schema_arrow.names:
        yield Failure(path.name, f"{path}: has no column `text`; its columns: {', '.join(file.schema_arrow.names)}")
        return
    number = 0
    for batch in file.iter_batches(batch_size=256):
        for record in batch.to_pylist():
            number += 1
            yield from_row(record, f"{path.name}:{number}", f"{path}:{number}")
    if not number:
        yield Failure(path.name, f"{path}: the file is empty")


def find_problem(text: str) -> str | None:
    """Return why a text cannot be tagged, or None where it can."""
    if "\0" in text:
        return f"a NUL character at {text.index(chr(0))}; is this a text file in UTF-8?"
    if not text.strip():
        return "the text is empty"
    if _ARABIC_LETTER.search(text) is None:
        return "no Arabic letter in the text"
    return None
