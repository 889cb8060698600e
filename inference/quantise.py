"""An exported graph made small: 8-bit weights, and embeddings in float16.

Weights of the encoder's products are int8 with a step for each output column. The states that they are multiplied with
are quantised by the runtime, while it multiplies (dynamic quantisation, Dettmers and others, "LLM.int8()", 2022, for
why by token): each token's in groups of inputs that share a step, for a few channels and a few tokens are many times as
large as the rest. The width of the groups goes with the graph.

Embeddings, the larger half of a small network, are kept in float16, as they are in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

_SMALLEST: Final = 1e-8
# The widths to choose from; the wider the quicker. 384 divides those of most encoders (384, 768, 1,536, 3,072).
_GROUPS: Final = (384, 256, 128, 64, 32, 16)


def quantise_graph(graph: onnx.GraphProto) -> int:
    """Quantise the weights of an exported graph's encoder and halve its embeddings.

    Args:
        graph: to change.

    Returns:
        The width of the groups that the runtime is to quantise states in; 0 where none divides the widths of all
        weights, and states stay in float32.
    """
    widths = quantise_weights_of(graph)
    halve_embeddings(graph)
    return choose_group(widths)


def quantise_weights_of(graph: onnx.GraphProto, prefix: str = "/model/encoder/") -> list[int]:
    """Keep the weights of products in int8, each followed by the operator that makes floats of them.

    Args:
        graph: to change.
        prefix: of the names of the products; the heads, a small share, stay in float32.

    Returns:
        How many inputs each of the weights has.
    """
    from onnx import helper, numpy_helper

    tables = {table.name: table for table in graph.initializer}
    new: dict[str, NDArray[Any]] = {}
    nodes: list[onnx.NodeProto] = []
    widths: list[int] = []
    for node in graph.node:
        weights = node.input[1] if node.op_type == "MatMul" else ""
        if node.name.startswith(prefix) and weights in tables:
            whole, step, floats = (f"{weights}_{part}" for part in ("whole", "step", "floats"))
            if whole not in new:  # a layer may be run more than once
                new[whole], new[step] = quantise_weights(numpy_helper.to_array(tables[weights]))
                widths.append(len(new[whole]))
                nodes.append(helper.make_node("DequantizeLinear", [whole, step], [floats], floats, axis=1))
            node.input[1] = floats
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    kept = [table for table in tables.values() if table.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept + [numpy_helper.from_array(array, name) for name, array in new.items()])
    return widths


def quantise_weights(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return weights (in, out) in whole numbers of steps, from -127 to 127, and the step of each column (out,)."""
    steps = np.maximum(np.abs(weights).max(0), _SMALLEST) / 127
    return np.rint(weights / steps).astype(np.int8), steps.astype(np.float32)


def choose_group(widths: Iterable[int]) -> int:
    """Return the widest group that divides all widths; 0 for none."""
    common = np.gcd.reduce(list(widths) or [0])
    return next((group for group in _GROUPS if common and common % group == 0), 0)


def halve_embeddings(graph: onnx.GraphProto) -> None:
    """Turn the tables that a graph looks rows up in to float16; the rows become float32 again once looked up.

    Of a checkpoint kept in float16 nothing is lost.
    """
    from onnx import TensorProto, helper, numpy_helper

    lookups = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    # what is read in another way too has to stay what it is
    others = {name for node in graph.node for name in (node.input[1:] if node.op_type == "Gather" else node.input)}
    halved = set()
    for table in graph.initializer:
        if table.data_type == TensorProto.FLOAT and table.name in lookups - others:
            table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table).astype(np.float16), table.name))
            halved.add(table.name)
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in halved:
            rows, half = node.output[0], f"{node.output[0]}_half"
            node.output[0] = half
            nodes.append(helper.make_node("Cast", [half], [rows], f"{node.name}_to_float", to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)
