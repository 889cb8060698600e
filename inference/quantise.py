"""8-bit weights and activations for a network's matrix products.

Weights are int8 with a scale for each output column. Each token's states are divided by the largest of them, quantised
in steps of 1/127, and the product is multiplied by it again: a scale for each token. So a token's result does not
depend on what else is in its batch, as it would with a scale for the whole tensor (ONNX Runtime's dynamic
quantisation), and an article is tagged the same alone, in a shard, or on a cluster.

A few of an encoder's channels are many times as large as the rest and would take the whole range, so before that each
channel is divided by a factor that the weights are multiplied by: SmoothQuant (Xiao and others, 2023), with the factor
max|x|^a / max|w|^(1 - a) for each input channel.

Embeddings, the larger half of a small network, are kept in float16, as they are in the checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    import onnx
    from torch.utils.hooks import RemovableHandle

# Of 0.5 to 0.9, what kept the logits of the shipped model nearest to those in float32.
STRENGTH: Final = 0.8
_SMALLEST: Final = 1e-5
# Steps from 0 to 1 that states are quantised in; with as many below, and 0 in the middle of uint8.
_STATES: Final = 127
# What the exporter appends to the name of an operator that a layer is run for again.
_AGAIN: Final = re.compile(r"_\d+$")


class SmoothedLinear(nn.Module):
    """A linear layer that sees each channel scaled and each token between -1 and 1; its result is the same."""

    def __init__(self, linear: nn.Linear, factors: Tensor) -> None:
        """Take the weights of `linear`, each input channel times its factor (in,), which is positive."""
        super().__init__()
        self.inverse = nn.Parameter(1.0 / factors, requires_grad=False)
        self.weight = nn.Parameter(linear.weight.detach() * factors, requires_grad=False)
        self.bias = linear.bias

    def forward(self, values: Tensor) -> Tensor:
        """Return (…, out) for (…, in)."""
        scaled = values * self.inverse
        # the largest without a copy of all in absolute terms, which takes longer
        largest = torch.maximum(scaled.amax(-1, keepdim=True), -scaled.amin(-1, keepdim=True)).clamp(min=_SMALLEST)
        result = functional.linear(scaled / largest, self.weight) * largest
        return result if self.bias is None else result + self.bias


def smooth(encoder: nn.Module, read: Callable[[], object], strength: float = STRENGTH) -> list[str]:
    """Put a `SmoothedLinear` in the place of each linear layer of an encoder.

    Args:
        encoder: the module to change.
        read: runs texts through it, which shows how large its channels are.
        strength: how much of the difference between channels goes to the weights, from 0 to 1.

    Returns:
        The names of the layers.
    """
    largest: dict[str, Tensor] = {}
    hooks: list[RemovableHandle] = []

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_: nn.Module, values: tuple[Tensor, ...]) -> None:
            seen = values[0].detach().abs().flatten(0, -2).amax(0)
            largest[name] = torch.maximum(largest[name], seen) if name in largest else seen

        return note

    layers = {name: module for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    for name, layer in layers.items():
        hooks.append(layer.register_forward_pre_hook(watch(name)))
    read()
    for hook in hooks:
        hook.remove()
    # layers that read the same states (queries, keys, values) share factors, so that the states are quantised once
    readers: dict[bytes, list[str]] = {}
    for name, seen in largest.items():
        readers.setdefault(seen.cpu().numpy().tobytes(), []).append(name)
    for names in readers.values():
        weights = torch.stack([layers[name].weight.detach().abs().amax(0) for name in names]).amax(0)
        seen = largest[names[0]].clamp(min=_SMALLEST)
        factors = seen**strength / weights.clamp(min=_SMALLEST) ** (1.0 - strength)
        for name in names:
            above, _, last = name.rpartition(".")
            setattr(encoder.get_submodule(above), last, SmoothedLinear(layers[name], factors))
    return list(largest)


def quantise_graph(plain: Path, out: Path, layers: Collection[str]) -> None:
    """Quantise the products of an exported graph's smoothed layers and halve its embeddings.

    Args:
        plain: the graph.
        out: the file to write.
        layers: what `smooth` returned; the heads, a small share, stay in float32.
    """
    import onnx

    model = onnx.load(str(plain))
    quantise_products(model.graph, {f"/model/encoder/{name}/MatMul".replace("/", ".") for name in layers})
    halve_embeddings(model.graph)
    # of ONNX Runtime's own operators: the standard's take one more pass over each product
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(out))


def quantise_products(graph: onnx.GraphProto, names: Collection[str]) -> None:
    """Turn products of states, which lie between -1 and 1, with weights into products of integers.

    Args:
        graph: to change.
        names: of the products; where a layer is run again, the exporter adds a number.
    """
    from onnx import helper, numpy_helper

    tables = {table.name: table for table in graph.initializer}
    new: dict[str, NDArray[Any]] = {
        "states_step": np.array(1 / _STATES, dtype=np.float32),
        "states_zero": np.array(_STATES + 1, dtype=np.uint8),
    }
    seen: set[str] = set()
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if _AGAIN.sub("", node.name).replace("/", ".") not in names or node.input[1] not in tables:
            nodes.append(node)
            continue
        states, weights = node.input
        whole, step, quantised = f"{weights}_whole", f"{weights}_step", f"{states}_quantised"
        if whole not in new:
            new[whole], new[step] = quantise_weights(numpy_helper.to_array(tables[weights]))
        if states not in seen:  # layers that read the same states share them
            seen.add(states)
            inputs = [states, "states_step", "states_zero"]
            nodes.append(helper.make_node("QuantizeLinear", inputs, [quantised], f"{node.name}_states"))
        inputs = [quantised, whole, "states_step", step, "states_zero"]
        product = helper.make_node("MatMulIntegerToFloat", inputs, node.output, node.name, domain="com.microsoft")
        nodes.append(product)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    kept = [table for table in tables.values() if table.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept + [numpy_helper.from_array(array, name) for name, array in new.items()])


def quantise_weights(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return weights (in, out) in whole numbers of steps, and the step of each column (out,).

    Processors without VNNI or its like, most of those before 2020, add products of two inputs that follow each other
    in 16 bits, which hold 255 * 128. So no two weights of one sign may add up to more than 128 steps, or sums would be
    cut off there and an article tagged in another way. This costs hardly any exactness.
    """
    even = np.pad(weights, ((0, len(weights) % 2), (0, 0)))
    sums = [np.maximum(sign * even, 0)[::2] + np.maximum(sign * even, 0)[1::2] for sign in (1, -1)]
    # 127, and one for two that are rounded up
    steps = np.maximum(np.maximum(*sums).max(0), _SMALLEST) / 127
    return np.rint(weights / steps).astype(np.int8), steps.astype(np.float32)


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
