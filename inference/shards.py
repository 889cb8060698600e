"""Jobs of any size: records in, a folder of shards out, which can be killed and gone on with.

A shard holds the records `[number * size, (number + 1) * size)` of the input, in its order. It is written under a
temporary name and renamed when it is whole, so what a folder has under a shard's name is never half a shard; going on
means to pass over the records of the shards that are there. `job.json` says what the job is of, so that no folder is
gone on with under other settings.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.jobs import Tally, open_output, tag_records
from rasid.inference.records import STDIN, Failure, list_files

if TYPE_CHECKING:
    from types import FrameType

    from rasid.inference.tagger import Tagger

JOB: Final = "job.json"
FORMATS: Final = ("parquet", "jsonl")
SHARD_SIZE: Final = 1000
# Shards that wait for each worker: enough to keep it busy, few enough to keep memory flat.
_AHEAD: Final = 2

Record = Article | Failure


@dataclass(frozen=True, slots=True)
class Job:
    """What a folder of shards is of.

    Args:
        inputs: paths and sizes in bytes of the files read, in order.
        model: what tells the model from another.
        form: one of `FORMATS`.
        size: records a shard.
        min_score: mentions and events below this probability are left out.
    """

    inputs: tuple[tuple[str, int], ...]
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


def describe_inputs(paths: Iterable[Path]) -> tuple[tuple[str, int], ...]:
    """Return the files that a job reads, with their sizes, for its note.

    Raises:
        DataError: for standard input, which cannot be read again from its beginning.
    """
    files = list_files(paths)
    if STDIN in files:
        raise DataError("a folder of shards needs files to read, which it can go on with; not standard input")
    return tuple((str(file), file.stat().st_size if file.exists() else 0) for file in files)


def open_job(job: Job, out: Path, *, restart: bool = False) -> None:
    """Make the folder of a job, or see that it is of this job.

    Args:
        job: what is to be done.
        out: its folder.
        restart: throw away the shards that are there.

    Raises:
        DataError: where the folder is of another job, holds other things, or cannot be written.
    """
    described = json.loads(json.dumps(asdict(job)))
    note = out / JOB
    if out.exists() and not out.is_dir():
        raise DataError("is a file; a job writes a folder of shards", source=str(out))
    if note.is_file() and not restart:
        found = json.loads(note.read_text(encoding="utf-8"))
        changed = [key for key, value in described.items() if found.get(key) != value]
        if changed:
            raise DataError(
                f"the folder is of a job with another {', '.join(changed)}; name another, or --restart", source=str(out)
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in out.iterdir():
            ours = path.name.startswith("part-")
            # what a run that was killed had not finished ends in .part
            if ours and (restart or path.suffix == ".part"):
                path.unlink()
            elif not ours and path.name != JOB and not note.is_file():
                raise DataError(f"the folder holds other things ({path.name}); name one of its own", source=str(out))
        note.write_text(json.dumps(described, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", source=str(out)) from None


def run_job(
    records: Iterable[Record],
    job: Job,
    out: Path,
    load: Callable[[], Tagger],
    *,
    workers: int = 1,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Done]:
    """Tag the records whose shards are not there yet, and yield the shards as they become whole.

    Args:
        records: all of the input, from its beginning.
        job: what is to be done; `open_job` has made its folder.
        out: the folder.
        load: builds a tagger; it is called once a worker, so with several it must be one that can be pickled.
        workers: processes that tag; with one, it is this process.
        stopping: asked before each shard; once it says yes, the shards begun are finished and no more are begun.

    Yields:
        Each shard once, those of earlier runs too, not always in order where there are several workers.
    """
    shards = enumerate(_in_shards(records, job.size))
    if workers == 1:
        yield from _run_here(shards, job, out, load, stopping)
    else:
        from multiprocessing import get_context

        with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (load,)) as pool:
            yield from _run_pool(shards, job, out, pool, workers, stopping)


def _in_shards(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    stream = iter(records)
    while shard := list(islice(stream, size)):
        yield shard


def _run_here(
    shards: Iterator[tuple[int, list[Record]]],
    job: Job,
    out: Path,
    load: Callable[[], Tagger],
    stopping: Callable[[], bool],
) -> Iterator[Done]:
    tagger: Tagger | None = None
    for number, records in shards:
        if stopping():
            return
        there = out / job.name(number)
        if there.is_file():
            yield Done(number, count(there, job.form), before=True)
            continue
        tagger = tagger or load()
        yield Done(number, _write_shard(tagger, records, job, there))


def _run_pool(
    shards: Iterator[tuple[int, list[Record]]],
    job: Job,
    out: Path,
    pool: Executor,
    workers: int,
    stopping: Callable[[], bool],
) -> Iterator[Done]:
    pending: set[Future[Done]] = set()
    for number, records in shards:
        if stopping():
            break
        there = out / job.name(number)
        if there.is_file():
            yield Done(number, count(there, job.form), before=True)
            continue
        pending.add(pool.submit(_work, number, records, job, there))
        if len(pending) >= workers * _AHEAD:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in pending:
        if stopping() and future.cancel():
            continue
        yield future.result()


_worker: dict[str, Tagger] = {}


def _begin_worker(load: Callable[[], Tagger]) -> None:
    """Load the model once a process; an interrupt is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker["tagger"] = load()


def _work(number: int, records: list[Record], job: Job, there: Path) -> Done:
    return Done(number, _write_shard(_worker["tagger"], records, job, there))


def _write_shard(tagger: Tagger, records: list[Record], job: Job, there: Path) -> Tally:
    tally = Tally()
    with open_output(there, job.form) as write:
        for item in tag_records(tagger, records, job.min_score):
            write(item)
            tally.add(item)
    return tally


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


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt (Ctrl-C) inside the block into a wish to stop; a second one ends it at once.

    Yields:
        A function that tells whether to stop.
    """
    asked = threading.Event()

    def answer(_: int, __: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():  # only there can signals be answered
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, answer)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
