"""Running a job: its shards tagged in this process, in several, or wherever else a pool sends them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rasid.data.errors import DataError
from rasid.inference.shards import Done, Job, Record, find_done, write_shard

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess as ParentProcess
    from types import FrameType

    from rasid.inference.tagger import Tagger

# Shards that wait for each worker: enough to keep it busy, few enough to keep memory flat.
_AHEAD: Final = 2
# Seconds after which it is asked again whether to stop.
_PATIENCE: Final = 0.5


class ShardPool(Protocol):
    """Whatever tags several shards at once."""

    workers: int

    def send(self, number: int, records: list[Record], job: Job, there: Path) -> Future[Done]:
        """Have records tagged into the shard at `there`."""
        ...

    def abort(self) -> None:
        """End what is running, unfinished."""
        ...

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of what the pool holds."""
        ...


class ProcessPool(ProcessPoolExecutor):
    """Processes of this machine, each of which loads the model once."""

    def __init__(self, load: Callable[[], Tagger], workers: int) -> None:
        """Make room for processes; they start when there is work.

        Args:
            load: builds a tagger; one that can be pickled.
            workers: how many.
        """
        self.workers = workers
        super().__init__(workers, get_context("spawn"), _begin_worker, (load,))

    def send(self, number: int, records: list[Record], job: Job, there: Path) -> Future[Done]:
        """Have records tagged into the shard at `there`."""
        return self.submit(_work, number, records, job, there)

    def abort(self) -> None:
        """Kill the processes."""
        for process in list((getattr(self, "_processes", None) or {}).values()):
            process.terminate()


class JobStopped(Exception):
    """A job was asked to stop and left something undone."""


def run_job(
    records: Iterable[Record],
    job: Job,
    out: Path,
    load: Callable[[], Tagger],
    *,
    pool: ShardPool | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Done]:
    """Tag the records whose shards are not there yet, and yield the shards as they become whole.

    Args:
        records: all of the input, from its beginning.
        job: what is to be done.
        out: the folder, inside a block of `open_job`.
        load: builds a tagger, where this process tags.
        pool: what tags instead; it is shut down at the end.
        stopping: asked before each shard; once it says yes, the shards being tagged are finished and no others.

    Yields:
        Each shard once, those of earlier runs too, not always in order where there are several workers.

    Raises:
        JobStopped: after the last of them, where it was asked to stop and something is left to do.
        DataError: where the model cannot be loaded, a shard not be written, or a worker dies.
    """
    shards = enumerate(_in_shards(records, job.size))
    if pool is None:
        yield from _run_here(shards, job, out, load, stopping)
        return
    try:
        yield from _run_pool(shards, job, out, pool, stopping)
    except BrokenExecutor:
        raise DataError(
            "a worker died, perhaps for want of memory; the same command goes on", source=str(out)
        ) from None
    except BaseException:
        pool.abort()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
            raise JobStopped
        there = out / job.name(number)
        done = find_done(number, records, job, there)
        if done is None:
            tagger = tagger or load()
            done = Done(number, write_shard(tagger, records, job, there))
        yield done


def _run_pool(
    shards: Iterator[tuple[int, list[Record]]],
    job: Job,
    out: Path,
    pool: ShardPool,
    stopping: Callable[[], bool],
) -> Iterator[Done]:
    pending: set[Future[Done]] = set()
    left = False
    for number, records in shards:
        if left := stopping():
            break
        there = out / job.name(number)
        done = find_done(number, records, job, there)
        if done is not None:
            yield done
            continue
        pending.add(pool.send(number, records, job, there))
        while len(pending) >= pool.workers * _AHEAD and not stopping():
            ready, pending = wait(pending, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ready)
    while pending:
        if stopping():
            cancelled = {future for future in pending if future.cancel()}
            left = left or bool(cancelled)
            pending -= cancelled
        ready, pending = wait(pending, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in ready)
    if left:
        raise JobStopped


_worker: dict[str, Tagger | DataError] = {}


def _begin_worker(load: Callable[[], Tagger]) -> None:
    """Load the model once a process; interrupts are the parent's to answer, and with the parent the process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        _worker["tagger"] = load()
    except DataError as error:  # to be told by the first shard: what an initialiser raises is lost
        _worker["tagger"] = error


def _end_with(parent: ParentProcess) -> None:
    parent.join()
    os._exit(1)


def _work(number: int, records: list[Record], job: Job, there: Path) -> Done:
    tagger = _worker["tagger"]
    if isinstance(tagger, DataError):
        raise tagger
    return Done(number, write_shard(tagger, records, job, there))


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
