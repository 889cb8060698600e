"""The folder of a job of any size: shards that are written whole, so that it can be killed and gone on with.

A shard holds the records `[number * size, (number + 1) * size)` of the input, in its order. It is written under a
temporary name and renamed when it is whole; going on means to pass over the records of the shards that are there and
hold as many records as they should. `job.json` says what the job is of, so that no folder is gone on with under other
settings, and a lock keeps two processes from working on one folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.jobs import Tally, open_file, open_output, tag_records
from rasid.inference.records import STDIN, Failure, list_files

if TYPE_CHECKING:
    from rasid.inference.tagger import Tagger

JOB: Final = "job.json"
FORMATS: Final = ("parquet", "jsonl")
SHARD_SIZE: Final = 1000
_LOCK: Final = ".lock"
# Names of shards, and of those that are being written.
_OURS: Final = re.compile(r"part-\d{6}\.(parquet|jsonl)(\.\d+\.part)?")

Record = Article | Failure


@dataclass(frozen=True, slots=True)
class Job:
    """What a folder of shards is of.

    Args:
        inputs: of the files read, in order: path, size in bytes, time of change in ns.
        model: what tells the model, and what runs it, from another.
        form: one of `FORMATS`.
        size: records a shard.
        min_score: mentions and events below this probability are left out.
    """

    inputs: tuple[tuple[str, int, int], ...]
    model: str
    form: str
    size: int = SHARD_SIZE
    min_score: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.form not in FORMATS:
            raise DataError(f"a job writes {' or '.join(FORMATS)}, not {self.form!r}")
        if self.size < 1:
            raise DataError(f"a shard of {self.size} records holds nothing")

    def name(self, number: int) -> str:
        """Return the file name of a shard."""
        return f"part-{number:06d}.{self.form}"


@dataclass(frozen=True, slots=True)
class Done:
    """A shard that is whole: its number, what is in it, and whether an earlier run had written it."""

    number: int
    tally: Tally
    before: bool = False


def describe_inputs(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return the files that a job reads, with size in bytes and time of change (ns), for its note.

    Raises:
        DataError: for standard input, which cannot be read again from its beginning.
    """
    files = list_files(paths)
    if STDIN in files:
        raise DataError("a folder of shards needs files to read, which it can go on with; not standard input")
    stats = [(file, file.stat() if file.exists() else None) for file in files]
    return tuple((str(file), s.st_size, s.st_mtime_ns) if s else (str(file), 0, 0) for file, s in stats)


@contextmanager
def open_job(job: Job, out: Path, *, restart: bool = False) -> Iterator[None]:
    """Make the folder of a job, or see that it is of this job, and keep other processes off it inside the block.

    Args:
        job: what is to be done.
        out: its folder.
        restart: throw away the shards that are there.

    Raises:
        DataError: where the folder is of another job, holds other things, is being worked on, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise DataError("is a file; a job writes a folder of shards", source=str(out))
    lock = FileLock(out / _LOCK)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check_folder(job, out, restart)
        lock.acquire(timeout=0)
    except Timeout:
        raise DataError("another process is at work on this folder", source=str(out)) from None
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", source=str(out)) from None
    try:
        _clean(job, out, restart)
        yield
    finally:
        lock.release()


def _check_folder(job: Job, out: Path, restart: bool) -> None:
    note = out / JOB
    if not note.is_file():
        others = [path.name for path in out.iterdir() if path.name != _LOCK]
        if others:
            raise DataError(f"the folder holds other things ({others[0]}); name one of its own", source=str(out))
        return
    if restart:
        return
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError("its job.json is broken; name another folder, or --restart", source=str(out)) from None
    changed = [key for key, value in _plain(job).items() if found.get(key) != value]
    if changed:
        raise DataError(
            f"the folder is of a job with another {', '.join(changed)}; name another, or --restart", source=str(out)
        )


def _clean(job: Job, out: Path, restart: bool) -> None:
    """Take away what a run that was killed had not finished, or all that is there, and write the note."""
    note = out / JOB
    try:
        for path in out.iterdir():
            if _OURS.fullmatch(path.name) and (restart or path.suffix == ".part"):
                path.unlink()
        if restart or not note.is_file():
            fresh = note.with_suffix(".new")
            fresh.write_text(json.dumps(_plain(job), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            fresh.replace(note)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", source=str(out)) from None


def _plain(job: Job) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(job)))
    return plain


def find_done(number: int, records: list[Record], job: Job, there: Path) -> Done | None:
    """Return the shard of an earlier run, unless it does not hold as many records as it should."""
    if not there.is_file():
        return None
    try:
        tally = count(there, job.form)
    except (ValueError, OSError):  # Arrow's errors are ValueErrors too
        return None
    return Done(number, tally, before=True) if tally.articles + tally.failures == len(records) else None


def write_shard(tagger: Tagger, records: list[Record], job: Job, there: Path) -> Tally:
    """Tag records into a shard, which gets its name when it is whole.

    Raises:
        DataError: where it cannot be written.
    """
    tally = Tally()
    try:
        with open_output(there, job.form) as write:
            for item in tag_records(tagger, records, job.min_score):
                write(item)
                tally.add(item)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", source=str(there)) from None
    return tally


def keep_shard(content: bytes, job: Job, there: Path) -> Tally:
    """Put a shard that was written on another machine into its place.

    Raises:
        DataError: where it cannot be written.
    """
    try:
        with open_file(there) as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", source=str(there)) from None
    return count(there, job.form)


def count(shard: Path, form: str) -> Tally:
    """Return what is in a shard that an earlier run wrote."""
    tally = Tally()
    for record in _read_counts(shard, form):
        if record["error"] is not None:
            tally.failures += 1
        else:
            tally.articles += 1
            tally.mentions += len(record["mentions"] or ())
            tally.events += len(record["events"] or ())
    return tally


def _read_counts(shard: Path, form: str) -> Iterator[dict[str, Any]]:
    if form == "parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(shard).iter_batches(columns=["error", "mentions", "events"]):
            yield from batch.to_pylist()
        return
    with shard.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            yield {name: record.get(name) for name in ("error", "mentions", "events")}
