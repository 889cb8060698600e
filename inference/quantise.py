"""8-bit weights and activations for a network's matrix products.

Weights are int8 with a scale for each output column; activations are quantised as they come, a tensor at a time
(dynamic quantisation). A few of an encoder's channels are many times as large as the rest and would take the whole
range, so before that each channel is divided by a factor that the weights are multiplied by: SmoothQuant (Xiao and
others, 2023), with the factor max|x|^a / max|w|^(1 - a) for each input channel. A few tokens are larger than the rest
too, most of all inside the feed-forward layers: there each token is divided by its largest value, and the product
multiplied by it, which is as good as a scale for each token.

Embeddings, the larger half of a small network, are kept in float16, as they are in the checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    import onnx
    from torch.utils.hooks import RemovableHandle

# Of 0.5 to 0.9, what kept the logits of the shipped model nearest to those in float32.
STRENGTH: Final = 0.8
_SMALLEST: Final = 1e-5


class SmoothedLinear(nn.Module):
    """A linear layer whose input is scaled first; what it computes is the same in float32."""

    def __init__(self, linear: nn.Linear, factors: Tensor, *, by_token: bool) -> None:
        """Take the weights of `linear`, each input channel times its factor (in,).

        Args:
            linear: the layer.
            factors: positive, by input channel.
            by_token: divide each token by its largest value as well.
        """
        super().__init__()
        self.by_token = by_token
        self.inverse = nn.Parameter(1.0 / factors, requires_grad=False)
        self.linear = nn.Linear(linear.in_features, linear.out_features, bias=linear.bias is not None)
        with torch.no_grad():
            self.linear.weight.copy_(linear.weight * factors)
            if linear.bias is not None:
                self.linear.bias.copy_(linear.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Return (…, out) for (…, in)."""
        scaled = values * self.inverse
        result: Tensor
        if not self.by_token:
            result = self.linear(scaled)
            return result
        largest = scaled.abs().amax(-1, keepdim=True).clamp(min=_SMALLEST)
        result = functional.linear(scaled / largest, self.linear.weight) * largest
        return result if self.linear.bias is None else result + self.linear.bias


def smooth(encoder: nn.Module, read: Callable[[], object], strength: float = STRENGTH) -> None:
    """Put a `SmoothedLinear` in the place of each linear layer of an encoder.

    Args:
        encoder: the module to change.
        read: runs texts through it, which shows how large its channels are.
        strength: how much of the difference between channels goes to the weights, from 0 to 1.
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
            layer = layers[name]
            above, _, last = name.rpartition(".")
            narrows = layer.in_features > layer.out_features
            setattr(encoder.get_submodule(above), last, SmoothedLinear(layer, factors, by_token=narrows))


def quantise_graph(plain: Path, out: Path) -> None:
    """Quantise the matrix products of an exported graph's encoder and halve its embeddings.

    The heads, a small share, stay in float32.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    products = [node.name for node in onnx.load(str(plain)).graph.node if node.op_type == "MatMul"]
    # it advises on the root logger to preprocess the graph, which changes nothing in this one
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(
            plain,
            out,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=[name for name in products if not name.startswith("/model/encoder/")],
        )
    finally:
        logging.disable(logging.NOTSET)
    model = onnx.load(str(out))
    halve_embeddings(model.graph)
    onnx.save(model, str(out))


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
