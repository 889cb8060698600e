"""A real Ray and a real Spark of this machine give the rows that one process gives."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.ray import RayPool, TagArticles
from rasid.inference.records import read_records
from rasid.inference.shards import Job, open_job
from rasid.inference.spark import SCHEMA, tag_batches
from rasid.inference.tables import tag_table
from rasid.inference.tagger import Tagger
from rasid.inference.workers import run_job
from rasid.train.cli import main

COUNT = 23


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    found = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # one more than there are workers, for the tasks that read
        found.init(num_cpus=3, log_to_driver=False, include_dashboard=False)
        yield found
        found.shutdown()


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    answer = signal.getsignal(signal.SIGINT)
    settings = {"spark.ui.enabled": "false", "spark.sql.execution.arrow.maxRecordsPerBatch": "4"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = sql.SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
        yield session
        session.stop()
    signal.signal(signal.SIGINT, answer)  # Spark leaves its own


@pytest.fixture
def table(gold: list[Article]) -> pa.Table:
    """Rows of which every seventh cannot be tagged."""
    texts = [gold[i % len(gold)].text if i % 7 != 6 else "no Arabic" for i in range(COUNT)]
    return pa.table({"id": [f"r{i}" for i in range(COUNT)], "text": texts, "outlet": ["x"] * COUNT})


@pytest.fixture
def source(table: pa.Table, tmp_path: Path) -> Path:
    """The same rows in files that two workers share."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        pq.write_table(table.slice(number * 8, 8), folder / f"{number}.parquet")
    return folder


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["id"]))


def wanted(table: pa.Table, model_folder: Path) -> list[dict[str, Any]]:
    rows = by_id(tag_table(Tagger.from_pretrained(str(model_folder), "cpu"), table).to_pylist())
    assert sum(row["error"] is None for row in rows) == 20
    assert any(row["events"] for row in rows)
    return rows


def test_ray_data_gives_the_rows_of_one_process(ray: Any, table: pa.Table, source: Path, model_folder: Path) -> None:  # noqa: ANN401
    tagged = ray.data.read_parquet(str(source)).map_batches(
        TagArticles,
        fn_constructor_kwargs={"model": str(model_folder), "device": "cpu"},
        batch_format="pyarrow",
        batch_size=4,
        concurrency=2,
    )
    assert by_id(pa.concat_tables(ray.get(tagged.to_arrow_refs())).to_pylist()) == wanted(table, model_folder)


def test_a_job_on_ray_writes_the_shards_of_one_process(
    ray: Any,  # noqa: ANN401
    source: Path,
    model_folder: Path,
    tmp_path: Path,
) -> None:
    out = {}
    for name in ("local", "ray"):
        options = ["--model", str(model_folder), "--shard-size", "3", "--format", "jsonl", "--engine", name]
        result = CliRunner().invoke(main, ["tag", str(source), "-o", str(tmp_path / name), "--workers", "2", *options])
        assert result.exit_code == 3, result.output
        assert "20 articles" in result.stderr
        shards = sorted((tmp_path / name).glob("part-*"))
        out[name] = [[json.loads(line) for line in shard.open(encoding="utf-8")] for shard in shards]
    assert len(out["ray"]) == 8
    assert out["ray"] == out["local"]
    assert ray.is_initialized()


def test_a_model_that_an_actor_cannot_load_is_one_clear_error(ray: Any, source: Path, tmp_path: Path) -> None:  # noqa: ANN401
    assert ray.is_initialized()
    job = Job((), "model", "jsonl", 5)
    load = partial(Tagger.from_pretrained, str(tmp_path / "nowhere"))
    with open_job(job, tmp_path / "out"), pytest.raises(DataError, match="no model here"):
        pool = RayPool(load, 2, threads=1, gpu=False)
        list(run_job(read_records([source]), job, tmp_path / "out", load, pool=pool))


def test_spark_gives_the_rows_of_one_process(spark: Any, table: pa.Table, source: Path, model_folder: Path) -> None:  # noqa: ANN401
    frame = spark.read.parquet(str(source)).repartition(2)
    tagged = frame.mapInArrow(tag_batches(str(model_folder), "cpu"), SCHEMA)
    found = [row.asDict(recursive=True) for row in tagged.collect()]
    assert by_id(found) == wanted(table, model_folder)
