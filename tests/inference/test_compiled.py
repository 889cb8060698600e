"""Graphs that are compiled once a machine: what is kept is used, and a bad cache costs time alone."""

from __future__ import annotations

import os
import shutil
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from rasid.inference.batches import Batch
from rasid.inference.runtime.compiled import compile_graph
from rasid.inference.runtime.graph import FILE
from rasid.inference.runtime.openvino import OpenVinoRuntime

SETTINGS = {"INFERENCE_NUM_THREADS": 2}


class Compiled:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def export_model(self) -> BytesIO:
        return BytesIO(self.content)


class Core:
    """Stands for OpenVINO's; counts what it compiled."""

    def __init__(self, processor: str = "one") -> None:
        self.processor = processor
        self.compiled = 0

    def get_property(self, _: str, name: str) -> str:
        return f"{name} {self.processor}"

    def read_model(self, path: Path) -> bytes:
        return path.read_bytes()

    def compile_model(self, content: bytes, _: str, __: dict[str, object]) -> Compiled:
        self.compiled += 1
        return Compiled(b"compiled " + content)

    def import_model(self, content: bytes, _: str, __: dict[str, object]) -> Compiled:
        if not content.startswith(b"compiled "):
            raise RuntimeError("no graph")
        return Compiled(content)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RASID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "graph").write_bytes(b"a graph")
    return tmp_path / "graph"


def test_what_was_compiled_is_used_again(cache: Path, graph: Path) -> None:
    core = Core()
    found = [compile_graph(core, graph, SETTINGS, "1").content for _ in range(3)]
    assert found == [b"compiled a graph"] * 3
    assert core.compiled == 1
    assert len(list(cache.iterdir())) == 1


def test_another_file_processor_version_or_setting_is_compiled_anew(cache: Path, graph: Path) -> None:
    core, other = Core(), Core("two")
    compile_graph(core, graph, SETTINGS, "1")
    compile_graph(core, graph, SETTINGS, "2")
    compile_graph(core, graph, {"INFERENCE_NUM_THREADS": 1}, "1")
    compile_graph(other, graph, SETTINGS, "1")
    graph.write_bytes(b"another graph")
    assert compile_graph(core, graph, SETTINGS, "1").content == b"compiled another graph"
    assert (core.compiled, other.compiled) == (4, 1)


def test_what_cannot_be_read_is_compiled_and_kept_anew(cache: Path, graph: Path) -> None:
    core = Core()
    compile_graph(core, graph, SETTINGS, "1")
    (kept,) = cache.iterdir()
    kept.write_bytes(b"broken")
    for _ in range(2):
        assert compile_graph(core, graph, SETTINGS, "1").content == b"compiled a graph"
    assert core.compiled == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RASID_CACHE", str(tmp_path / "file"))
    core = Core()
    assert compile_graph(core, graph, SETTINGS, "1").content == b"compiled a graph"


def test_what_nobody_used_for_long_is_thrown_away(cache: Path, graph: Path) -> None:
    core = Core()
    for version in ("1", "2"):
        compile_graph(core, graph, SETTINGS, version)
    first, second = sorted(cache.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    for file in (first, second):
        os.utime(file, (0, time.time() - 100 * 24 * 3600))
    compile_graph(core, graph, SETTINGS, "2")  # used again, and so young again
    compile_graph(core, graph, SETTINGS, "3")
    assert not first.exists()
    assert second.exists()


def test_a_graph_that_was_kept_says_the_same(exported: Path, cache: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "model")
    ids = np.arange(24, dtype=np.int64).reshape(2, 12) % 20
    batch = Batch(ids, np.ones_like(ids), np.ones((2, 1, 12), dtype=np.bool_))
    first, again = (OpenVinoRuntime(folder / FILE, 1)(batch) for _ in range(2))
    assert len(list(cache.iterdir())) == 1
    assert first.keys() == again.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
