"""Tagging on Ray: a class for `ray.data`, and the actors behind `rasid tag --engine ray`.

    import ray
    from rasid.inference.ray import TagArticles

    articles = ray.data.read_parquet("articles")
    articles.map_batches(TagArticles, batch_format="pyarrow", batch_size=64, concurrency=8).write_parquet("tagged")

rasid has to be installed on the nodes. Needs `pip install 'rasid[ray]'`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from rasid.data.errors import DataError
from rasid.inference.shards import Done, Job, Record, keep_shard, write_shard
from rasid.inference.tables import tag_table

if TYPE_CHECKING:
    from rasid.inference.tagger import Tagger

# How often an actor that died with its node is begun again, and its shard with it.
_RETRIES: Final = 3


class TagArticles:
    """Tags batches of rows; for `map_batches(TagArticles, batch_format="pyarrow")`, which builds one in each actor.

    What the constructor takes is given as `fn_constructor_kwargs`; on GPUs with `num_gpus=1` for each actor.
    """

    def __init__(
        self,
        model: str | None = None,
        device: str = "auto",
        *,
        precision: str = "auto",
        threads: int | None = 1,
        min_score: float = 0.0,
    ) -> None:
        """Load the model.

        Args:
            model: a folder that every node has, or a name on the hub; None for the shipped model.
            device: as in `Tagger.from_pretrained`.
            precision: as in `Tagger.from_pretrained`.
            threads: to compute with on a CPU; as many as `num_cpus` gives the actor.
            min_score: mentions and events of a lower probability are left out.

        Raises:
            DataError: where the model cannot be loaded.
        """
        from rasid.inference.tagger import Tagger

        self._tagger = Tagger.from_pretrained(model, device, precision=precision, threads=threads)
        self._min_score = min_score

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Tag the rows of a table; see `rasid.inference.tables.tag_table`."""
        return tag_table(self._tagger, batch, self._min_score)


class _ShardActor:
    """Writes shards on a node and hands them back as bytes: nodes need no folder in common."""

    def __init__(self, load: Callable[[], Tagger]) -> None:
        self._tagger: Tagger | DataError
        try:
            self._tagger = load()
        except DataError as error:  # to be told by the first shard: an actor that cannot begin only dies
            self._tagger = error

    def write(self, records: list[Record], job: Job) -> bytes:
        if isinstance(self._tagger, DataError):
            raise self._tagger
        with TemporaryDirectory() as folder:
            there = Path(folder) / job.name(0)
            write_shard(self._tagger, records, job, there)
            return there.read_bytes()


class RayPool(ThreadPoolExecutor):
    """Runs the shards of a job in Ray actors, each of which loads the model once; one thread here waits for each."""

    def __init__(self, load: Callable[[], Tagger], workers: int, *, threads: int | None, gpu: bool) -> None:
        """Connect to the cluster of this machine (`RAY_ADDRESS`), or start one of this machine alone.

        Args:
            load: builds a tagger on a node.
            workers: actors.
            threads: CPU cores for each.
            gpu: whether each needs a GPU.

        Raises:
            DataError: where Ray is not installed or cannot be reached.
        """
        try:
            import ray
        except ImportError:
            raise DataError("Ray is needed for this: pip install 'rasid[ray]'") from None
        cores = threads or 1
        if not ray.is_initialized():
            # one that is begun here has room for all workers, or those without a core would be waited for in vain
            room = None if "RAY_ADDRESS" in os.environ else max(workers * cores, os.cpu_count() or 1)
            # it would report its use over the network
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            try:
                ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR, num_cpus=room)
            except Exception as error:  # its errors share no class of their own
                raise DataError(f"Ray could not be started: {str(error).splitlines()[0]}") from None
        self._ray = ray
        self._own = threading.local()
        self._options = {"num_cpus": cores, "num_gpus": int(gpu)}
        self._load = load
        self._actors: list[Any] = []
        self.workers = workers
        super().__init__(workers, "rasid-ray", self._begin)

    def _begin(self) -> None:
        retries = {"max_restarts": _RETRIES, "max_task_retries": _RETRIES}
        self._own.actor = self._ray.remote(_ShardActor).options(**self._options, **retries).remote(self._load)
        self._actors.append(self._own.actor)

    def send(self, number: int, records: list[Record], job: Job, there: Path) -> Future[Done]:
        """Have records tagged in an actor into the shard at `there`.

        The future raises DataError where the model cannot be loaded, or the actor died again and again.
        """
        return self.submit(self._work, number, records, job, there)

    def abort(self) -> None:
        """Kill the actors."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _work(self, number: int, records: list[Record], job: Job, there: Path) -> Done:
        try:
            content: bytes = self._ray.get(self._own.actor.write.remote(records, job))
        except self._ray.exceptions.RayTaskError as error:
            cause: Any = error.cause
            raise cause if isinstance(cause, DataError) else error from None
        except self._ray.exceptions.RayError as error:
            raise DataError(f"a Ray actor died: {_reason(error)}; the same command goes on") from None
        return Done(number, keep_shard(content, job, there))


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
