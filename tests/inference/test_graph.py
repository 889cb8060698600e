"""Which graph runs a model: the one in its folder if it was made of the weights there, else one in the cache."""

from __future__ import annotations

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
from safetensors.torch import load_file, save_file

from rasid.data.errors import DataError, MissingPackage
from rasid.inference import export
from rasid.inference.export import export_onnx
from rasid.inference.runtime.choose import Choice, choose_runtime, identify, resolve
from rasid.inference.runtime.graph import FILE, VERSION, find_graph, stamp
from rasid.inference.runtime.metadata import read_metadata
from rasid.inference.runtime.openvino import OpenVinoRuntime
from rasid.inference.runtime.torch import TorchRuntime

WEIGHTS = "model.safetensors"


@pytest.fixture
def exported(exported: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder, to change."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RASID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def retrain(folder: Path) -> None:
    """Change one weight of a head, as little as can be."""
    weights = load_file(folder / WEIGHTS)
    weights["actor.bias"][0] += 0.25
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def mark(folder: Path, **changes: str) -> None:
    model = onnx.load(str(folder / FILE))
    found = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, found | {key.replace("_", "."): value for key, value in changes.items()})
    onnx.save(model, str(folder / FILE))


def no_packages(_: Path) -> None:
    raise MissingPackage("exporting a model needs torch, which is not installed: pip install 'rasid[train]'")


def test_a_graph_says_what_it_was_made_of(exported: Path) -> None:
    found = read_metadata(exported / FILE)
    assert stamp(exported).items() <= found.items()
    assert found == {entry.key: entry.value for entry in onnx.load(str(exported / FILE)).metadata_props}


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x72\xff", b"\x72\x02\x0a\x09", b"\xff" * 20, b"\x08\x07"])
def test_a_file_that_is_no_graph_has_no_metadata(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    assert read_metadata(tmp_path / "a.onnx") == {}


def test_a_graph_of_the_weights_beside_it_is_used(exported: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_graph(exported) == exported / FILE
    assert not caplog.records


def test_a_graph_alone_is_used(exported: Path) -> None:
    (exported / WEIGHTS).unlink()
    assert find_graph(exported) == exported / FILE


def test_a_graph_of_other_weights_is_left_out_with_a_warning(
    exported: Path, own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    retrain(exported)
    with caplog.at_level(logging.WARNING):
        found = find_graph(exported)
    assert own_cache in found.parents
    assert read_metadata(found)["rasid.weights"] == stamp(exported)["rasid.weights"]
    assert "was not exported from the model.safetensors beside it" in caplog.text
    assert f"rasid export {exported}" in caplog.text
    caplog.clear()
    assert find_graph(exported) == found
    assert not caplog.records, "it is said once"
    export_onnx(exported, exported / FILE)
    assert find_graph(exported) == exported / FILE


def test_a_graph_of_another_version_is_left_out(exported: Path, own_cache: Path) -> None:
    mark(exported, rasid_graph=str(VERSION - 1))
    assert own_cache in find_graph(exported).parents


def test_without_what_exports_a_graph_of_other_weights_is_one_clear_error(
    exported: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "check_packages", no_packages)
    retrain(exported)
    with pytest.raises(DataError, match=r"not exported from the model.safetensors beside it, and .*rasid\[train\]"):
        find_graph(exported)
    (exported / FILE).unlink()
    with pytest.raises(DataError, match=r"there is no model.int8.onnx, and .*rasid\[train\]"):
        find_graph(exported)


def test_a_folder_with_neither_graph_nor_weights_is_one_clear_error(exported: Path) -> None:
    (exported / WEIGHTS).unlink()
    (exported / FILE).write_bytes(b"no graph")
    with pytest.raises(DataError, match=r"model.int8.onnx is broken or .*, and no model.safetensors"):
        find_graph(exported)


def test_a_folder_without_a_graph_gets_one_in_the_cache_once(model_folder: Path, own_cache: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        (first,) = set(pool.map(find_graph, [model_folder] * 3))
    assert own_cache in first.parents
    before = first.stat().st_mtime_ns
    assert find_graph(model_folder) == first
    assert first.stat().st_mtime_ns == before
    assert [p.name for p in first.parent.iterdir()] == [FILE]


def test_a_cache_that_cannot_be_written_is_named(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RASID_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="RASID_CACHE"):
        find_graph(model_folder)


def test_a_cpu_takes_8_bits_unless_told_otherwise(
    model_folder: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rasid.inference.runtime.choose.has_gpu", lambda: False)
    for folder in (model_folder, exported):
        for device in ("auto", "cpu"):
            assert isinstance(choose_runtime(folder, device, "auto", None), OpenVinoRuntime)
        assert isinstance(choose_runtime(folder, "cpu", "fp32", None), TorchRuntime)


def test_a_gpu_takes_halves_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rasid.inference.runtime.choose.has_gpu", lambda: True)
    assert resolve("auto", "auto") == Choice("half", "cuda")
    assert resolve("cuda:1", "auto") == Choice("half", "cuda:1")
    assert resolve("auto", "fp32") == Choice("fp32", "cuda")
    assert resolve("auto", "int8") == resolve("cpu", "auto") == Choice("int8", "cpu")


def test_a_job_knows_a_model_by_its_files_wherever_they_lie(model_folder: Path, exported: Path) -> None:
    plain = identify(model_folder, "cpu", "auto")
    assert plain == identify(model_folder, "cpu", "int8") != identify(model_folder, "cpu", "fp32")
    assert identify(exported, "cpu", "auto") == identify(Path(exported), "cpu", "int8")
    retrain(exported)
    assert identify(exported, "cpu", "auto") not in (plain, identify(model_folder, "cpu", "auto"))
