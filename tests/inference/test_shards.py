from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from rasid.data.errors import DataError
from rasid.inference.records import count_records, read_records
from rasid.inference.shards import Job, open_job
from rasid.inference.tagger import Tagger
from rasid.inference.workers import JobStopped, ProcessPool, interruptible, run_job
from rasid.train.cli import main

ARABIC = "انسحبت قوات النظام من مدينة جاسم."
COUNT = 23


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Records, every seventh of them without Arabic."""
    path = tmp_path / "in.jsonl"
    texts = [f"{ARABIC} {i}" if i % 7 else "none" for i in range(1, COUNT + 1)]
    path.write_text("".join(json.dumps({"id": f"r{i}", "text": t}) + "\n" for i, t in enumerate(texts)))
    return path


@pytest.fixture
def tag(model_folder: Path) -> Callable[..., Result]:
    def call(*args: object) -> Result:
        return CliRunner().invoke(main, ["tag", *map(str, args), "--model", str(model_folder), "--device", "cpu"])

    return call


def job(form: str = "jsonl", size: int = 5) -> Job:
    return Job((("in.jsonl", 1, 1),), "m", form, size)


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("part-*")}


def read(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in sorted(out.glob("part-*.jsonl")) for line in path.open(encoding="utf-8")]


def test_shards_hold_every_record_once_in_order(tag: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = tag(source, "-o", out, "--format", "jsonl", "--shard-size", 5)
    assert result.exit_code == 3
    assert "20 articles" in result.stderr
    assert "3 records with an error" in result.stderr
    assert [record["id"] for record in read(out)] == [f"r{i}" for i in range(COUNT)]
    assert [len(path.read_text().splitlines()) for path in sorted(out.glob("part-*"))] == [5, 5, 5, 5, 3]
    whole = tmp_path / "whole.jsonl"
    tag(source, "-o", whole)
    assert read(out) == [json.loads(line) for line in whole.open(encoding="utf-8")]


def test_parquet_is_the_default_and_names_errors(tag: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert tag(source, "-o", out, "--shard-size", 10).exit_code == 3
    rows = [row for path in sorted(out.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert [row["id"] for row in rows] == [f"r{i}" for i in range(COUNT)]
    assert [row["id"] for row in rows if row["error"]] == ["r6", "r13", "r20"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_job_goes_on_from_the_shards_that_are_there(tagger: Tagger, source: Path, tmp_path: Path, form: str) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    with open_job(job(form), whole):
        counted = [d.tally for d in run_job(read_records([source]), job(form), whole, lambda: tagger)]
    second = out / job(form).name(1)
    with open_job(job(form), out), pytest.raises(JobStopped):
        list(run_job(read_records([source]), job(form), out, lambda: tagger, stopping=second.exists))
    assert len(list(out.glob("part-*"))) == 2
    (out / f"part-000002.{form}.77.part").write_text("half a shard")
    with open_job(job(form), out):
        found = list(run_job(read_records([source]), job(form), out, lambda: tagger))
    assert [done.before for done in found] == [True, True, False, False, False]
    assert [done.tally for done in found] == counted
    assert shards(out) == shards(whole)


@pytest.mark.parametrize("content", ["", "half a rec", '{"id": "r0", "error": "one record of five"}\n'])
def test_a_shard_that_does_not_hold_its_records_is_made_anew(
    tagger: Tagger, source: Path, tmp_path: Path, content: str
) -> None:
    with open_job(job(), tmp_path / "out"):
        list(run_job(read_records([source]), job(), tmp_path / "out", lambda: tagger))
        before = shards(tmp_path / "out")
        (tmp_path / "out" / "part-000001.jsonl").write_text(content)
        found = list(run_job(read_records([source]), job(), tmp_path / "out", lambda: tagger))
    assert [done.number for done in found if not done.before] == [1]
    assert shards(tmp_path / "out") == before


def test_two_processes_do_not_work_on_one_folder(tmp_path: Path) -> None:
    with (
        open_job(job(), tmp_path / "out"),
        pytest.raises(DataError, match="another process"),
        open_job(job(), tmp_path / "out"),
    ):
        raise AssertionError("opened twice")
    with open_job(job(), tmp_path / "out"):
        pass


def test_a_job_that_is_done_does_not_even_load_the_model(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    def load() -> Tagger:
        raise AssertionError("loaded")

    with open_job(job(), tmp_path / "out"):
        list(run_job(read_records([source]), job(), tmp_path / "out", lambda: tagger))
        assert all(done.before for done in run_job(read_records([source]), job(), tmp_path / "out", load))


def test_workers_write_the_same_shards(model_folder: Path, source: Path, tmp_path: Path) -> None:
    load = partial(Tagger.from_pretrained, str(model_folder), "cpu", threads=1)
    for name, pool in (("one", None), ("two", ProcessPool(load, 2))):
        with open_job(job(), tmp_path / name):
            numbers = [d.number for d in run_job(read_records([source]), job(), tmp_path / name, load, pool=pool)]
        assert sorted(numbers) == [0, 1, 2, 3, 4]
    assert read(tmp_path / "one") == read(tmp_path / "two")


def test_another_job_does_not_go_on_in_the_folder(tag: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tag(source, "-o", out, "--shard-size", 5)
    result = tag(source, "-o", out, "--shard-size", 6)
    assert result.exit_code == 1
    assert "another size" in result.stderr
    assert tag(source, "-o", out, "--shard-size", 6, "--restart").exit_code == 3
    assert len(list(out.glob("part-*"))) == 4


def test_a_folder_of_other_things_is_left_alone(tag: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    other = tmp_path / "spark" / "part-00000-c0ffee.parquet"
    other.parent.mkdir()
    other.touch()
    for folder, options in ((tmp_path, ()), (other.parent, ("--restart",))):
        result = tag(source, "-o", folder, *options)
        assert result.exit_code == 1
        assert "holds other things" in result.stderr
    assert source.exists()
    assert other.exists()


def test_a_model_that_a_worker_cannot_load_is_one_clear_error(source: Path, tmp_path: Path) -> None:
    load = partial(Tagger.from_pretrained, str(tmp_path / "nowhere"))
    with open_job(job(), tmp_path / "out"), pytest.raises(DataError, match="no model here"):
        list(run_job(read_records([source]), job(), tmp_path / "out", load, pool=ProcessPool(load, 2)))


def test_what_cannot_be_gone_on_with_is_refused(tag: Callable[..., Result], tmp_path: Path) -> None:
    assert "not standard input" in tag("-", "-o", tmp_path / "out").stderr
    assert tag(tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "--workers", 2).exit_code == 2
    with pytest.raises(DataError, match="holds nothing"):
        Job((), "m", "jsonl", 0)
    with pytest.raises(DataError, match="not 'text'"):
        Job((), "m", "text")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_a_first_interrupt_asks_and_a_second_one_ends() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as stopping:
        assert not stopping()
        os.kill(os.getpid(), signal.SIGINT)
        assert stopping()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize(("workers", "how"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGINT)])
def test_a_job_cut_off_anywhere_ends_as_if_it_had_not_been(
    tagger: Tagger, model_folder: Path, source: Path, tmp_path: Path, workers: int, how: signal.Signals
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    records = [json.loads(line) for line in source.read_text().splitlines()]
    many = [{"id": f"{r['id']}-{i}", "text": r["text"]} for i in range(20) for r in records]
    source.write_text("".join(json.dumps(record) + "\n" for record in many))
    command = [sys.executable, "-c", "from rasid.train.cli import main; main()", "tag", str(source), "-o", str(out)]
    command += ["--shard-size", "2", "--format", "jsonl", "--model", str(model_folder), "--device", "cpu"]
    cut = subprocess.Popen([*command, "--workers", str(workers)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not (out / "part-000003.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    cut.send_signal(how)
    assert cut.wait(timeout=60) == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert 0 < len(list(out.glob("part-*.jsonl"))) < len(many) // 2
    # children of a killed process end with it, and give the folder free
    again = subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    assert again.returncode == 3
    with open_job(job(size=2), whole):
        list(run_job(read_records([source]), job(size=2), whole, lambda: tagger))
    assert [record["id"] for record in read(out)] == [record["id"] for record in read(whole)]
    assert not list(out.glob("*.part"))


@pytest.fixture
def compressed(source: Path, tmp_path: Path) -> Iterator[dict[str, Path]]:
    raw = source.read_bytes()
    gz, zst = tmp_path / "in.jsonl.gz", tmp_path / "in.jsonl.zst"
    gz.write_bytes(gzip.compress(raw))
    with pa.CompressedOutputStream(pa.OSFile(str(zst), "wb"), "zstd") as file:
        file.write(raw)
    yield {"gz": gz, "zst": zst}


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed_lines_are_read(compressed: dict[str, Path], source: Path, kind: str) -> None:
    found = list(read_records([compressed[kind]]))
    assert [item.id for item in found] == [item.id for item in read_records([source])]
    whole = compressed[kind].read_bytes()
    compressed[kind].write_bytes(whole[: len(whole) // 2])
    *_, last = read_records([compressed[kind]])
    assert "cannot be read on" in getattr(last, "error", "")


def test_records_are_counted_where_that_is_cheap(compressed: dict[str, Path], source: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [ARABIC, ARABIC]}), tmp_path / "two.parquet")
    (tmp_path / "one.txt").write_text(ARABIC, encoding="utf-8")
    assert count_records([source, tmp_path / "two.parquet", tmp_path / "one.txt"]) == COUNT + 3
    assert count_records([source, compressed["gz"]]) is None


def test_outside_the_main_thread_interrupts_are_not_answered() -> None:
    asked: list[bool] = []

    def inside() -> None:
        with interruptible() as stopping:
            asked.append(stopping())

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert asked == [False]
