from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx.reference import ReferenceEvaluator

from rasid.data.errors import DataError
from rasid.inference.batches import Batch
from rasid.inference.export import export_onnx
from rasid.inference.loading import load_network
from rasid.inference.merge import CONSTANTS
from rasid.inference.quantise import choose_group, halve_embeddings, quantise_weights, quantise_weights_of
from rasid.inference.runtime.graph import FILE, find_graph
from rasid.inference.runtime.metadata import GROUP, read_metadata
from rasid.inference.runtime.openvino import OpenVinoRuntime
from rasid.inference.runtime.torch import TorchRuntime
from rasid.inference.tagger import Tagger
from rasid.train.cli import main


def batch(rows: int, tokens: int, sentences: int) -> Batch:
    rng = np.random.default_rng([rows, tokens, sentences])
    attention = np.ones((rows, tokens), dtype=np.int64)
    attention[-1, max(2, tokens // 2) :] = 0
    masks = np.zeros((rows, sentences, tokens), dtype=np.bool_)
    for slot in range(sentences - 1):  # the last sentence has no token
        masks[:, slot, 1 + slot : 2 + slot] = True
    return Batch(rng.integers(0, 40, (rows, tokens)), attention, masks)


@pytest.mark.parametrize("shape", [(1, 3, 2), (4, 17, 3), (2, 26, 9)])
def test_the_graph_computes_what_torch_does(model_folder: Path, tmp_path: Path, shape: tuple[int, int, int]) -> None:
    export_onnx(model_folder, tmp_path / "plain.onnx", quantise=False)
    wanted = TorchRuntime(load_network(model_folder), "cpu")(batch(*shape))
    found = OpenVinoRuntime(tmp_path / "plain.onnx")(batch(*shape))
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=2e-4, err_msg=name)


def test_8_bits_stay_near(model_folder: Path, exported: Path) -> None:
    wanted = TorchRuntime(load_network(model_folder), "cpu")(batch(4, 20, 3))
    found = OpenVinoRuntime(exported / FILE, threads=1)(batch(4, 20, 3))
    for name in ("actor", "event", "token_role"):
        assert np.abs(found[name] - wanted[name]).mean() < 0.1 * wanted[name].std()
        assert not np.array_equal(found[name], wanted[name])


def test_embeddings_are_halves_and_rows_of_them_are_not(exported: Path) -> None:
    model = onnx.load(str(exported / FILE))
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    tables = {name: kind for name, kind in kinds.items() if name.endswith("_embeddings.weight")}
    assert set(tables.values()) == {onnx.TensorProto.FLOAT16}
    assert len(tables) == 3
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    words = weights["model.encoder.embeddings.word_embeddings.weight"]
    whole = load_network(exported).encoder.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(words, whole.astype(np.float16))


def test_a_table_that_is_read_in_another_way_too_is_not_halved() -> None:
    """As where a network's last layer shares the embeddings of its first."""
    info, helper = onnx.helper.make_tensor_value_info, onnx.helper
    tables = [onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), name) for name in ("tied", "own")]
    nodes = [
        helper.make_node("Gather", ["tied", "ids"], ["a"]),
        helper.make_node("Gather", ["own", "ids"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("MatMul", ["sum", "tied"], ["out"]),
    ]
    inputs = [info("ids", onnx.TensorProto.INT64, ["n"])]
    graph = helper.make_graph(nodes, "g", inputs, [info("out", onnx.TensorProto.FLOAT, ["n", 4])], tables)
    halve_embeddings(graph)
    kinds = {t.name: t.data_type for t in graph.initializer}
    assert kinds == {"tied": onnx.TensorProto.FLOAT, "own": onnx.TensorProto.FLOAT16}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (found,) = ReferenceEvaluator(model).run(None, {"ids": np.array([1, 3])})
    np.testing.assert_array_equal(found, 2 * np.eye(4)[[1, 3]])


def test_products_of_the_encoder_have_whole_weights_and_the_heads_have_not() -> None:
    info, helper = onnx.helper.make_tensor_value_info, onnx.helper
    rng = np.random.default_rng(0)
    tables = [onnx.numpy_helper.from_array(rng.normal(size=(32, 48)).astype(np.float32), n) for n in ("inner", "head")]
    nodes = [
        helper.make_node("MatMul", ["states", "inner"], ["a"], "/model/encoder/query/MatMul"),
        helper.make_node("MatMul", ["states", "inner"], ["b"], "/model/encoder/query/MatMul_1"),
        helper.make_node("MatMul", ["states", "head"], ["c"], "/model/sector/MatMul"),
        helper.make_node("Sum", ["a", "b", "c"], ["out"]),
    ]
    inputs = [info("states", onnx.TensorProto.FLOAT, ["n", 32])]
    graph = helper.make_graph(nodes, "g", inputs, [info("out", onnx.TensorProto.FLOAT, ["n", 48])], tables)
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in tables}
    assert quantise_weights_of(graph) == [32]
    kinds = {t.name: t.data_type for t in graph.initializer}
    assert kinds == {"head": 1, "inner_whole": onnx.TensorProto.INT8, "inner_step": 1}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    states = rng.normal(size=(3, 32)).astype(np.float32)
    (found,) = ReferenceEvaluator(model).run(None, {"states": states})
    np.testing.assert_allclose(found, states @ (2 * weights["inner"] + weights["head"]), atol=0.3)


@pytest.mark.parametrize(
    ("widths", "group"), [((384, 1536), 384), ((768, 3072), 384), ((512, 2048), 256), ((312,), 0), ((), 0)]
)
def test_a_group_divides_all_widths(widths: tuple[int, ...], group: int) -> None:
    assert choose_group(widths) == group


def test_the_graph_says_how_states_are_quantised(exported: Path, model_folder: Path, tmp_path: Path) -> None:
    assert int(read_metadata(exported / FILE)[GROUP]) in (16, 32)
    export_onnx(model_folder, tmp_path / "plain.onnx", quantise=False)
    assert GROUP not in read_metadata(tmp_path / "plain.onnx")


def test_a_token_gets_the_same_beside_any_others(exported: Path) -> None:
    """Or an article would be tagged in another way alone, in a shard and on a cluster."""
    runtime, alone, crowd = OpenVinoRuntime(exported / FILE, threads=1), batch(1, 20, 3), batch(6, 20, 3)
    for field in fields(Batch):
        getattr(crowd, field.name)[2] = getattr(alone, field.name)[0]
    found, wanted = runtime(crowd), runtime(alone)
    for name in wanted.keys() - set(CONSTANTS):
        np.testing.assert_allclose(found[name][2], wanted[name][0], rtol=1e-4, atol=1e-5, err_msg=name)


def test_whole_weights_are_as_near_as_their_steps_allow() -> None:
    weights = np.random.default_rng(0).normal(size=(7, 500)).astype(np.float32)
    weights[:, 0] = 0.0
    whole, steps = quantise_weights(weights)
    assert (whole.dtype, steps.shape) == (np.int8, (500,))
    assert not whole[:, 0].any()
    assert (np.abs(whole[:, 1:].astype(int)).max(0) == 127).all()
    assert (np.abs(whole * steps - weights) <= steps / 2 + 1e-6).all()


def test_the_command_writes_the_graph_into_the_folder(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    result = CliRunner().invoke(main, ["export", str(folder)])
    assert result.exit_code == 0, result.output
    assert find_graph(folder) == folder / FILE


def test_a_choice_that_cannot_be_is_named(model_folder: Path, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such precision"):
        Tagger.from_pretrained(exported, precision="int4")
    with pytest.raises(DataError, match="CPU only"):
        Tagger.from_pretrained(exported, device="mps", precision="int8")
    with pytest.raises(DataError, match="threads = 0"):
        Tagger.from_pretrained(exported, threads=0)
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(DataError, match="broken.onnx"):
        OpenVinoRuntime(tmp_path / "broken.onnx")
