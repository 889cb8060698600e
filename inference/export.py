"""The network as an ONNX graph, which a CPU runs without torch."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rasid.data.errors import DataError, needs
from rasid.inference.batches import INPUTS
from rasid.inference.loading import load_network
from rasid.inference.merge import BY_SENTENCE, CONSTANTS, HEADS
from rasid.inference.runtime.graph import stamp
from rasid.inference.runtime.metadata import GROUP

if TYPE_CHECKING:
    import torch

    from rasid.inference.model import RasidModel

_OPSET: Final = 17


def export_onnx(folder: Path, out: Path, *, quantise: bool = True) -> None:
    """Export the network of a model folder, all heads in one graph.

    Args:
        folder: that `rasid train` wrote.
        out: the file to write; it gets its name only when it is whole.
        quantise: 8-bit weights; False keeps float32.

    Raises:
        DataError: where the model or the packages that export needs (torch, onnx) are not there, or its network
            cannot be a graph.
    """
    check_packages(folder)
    import onnx

    from rasid.inference.quantise import quantise_graph

    model = load_network(folder).eval()
    metadata = stamp(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as place:
        traced, made = Path(place) / "traced.onnx", Path(place) / "made.onnx"
        try:
            _trace(model, traced)
        except (RuntimeError, TypeError, ValueError) as error:  # which kinds of encoder it takes is PyTorch's to say
            raise DataError(
                f"the model cannot be exported, though --precision fp32 may run it: {str(error).splitlines()[0]}",
                source=str(folder),
            ) from error
        exported = onnx.load(str(traced))
        if quantise:
            metadata[GROUP] = str(quantise_graph(exported.graph))
        onnx.helper.set_model_props(exported, metadata)
        onnx.save(exported, str(made))
        made.replace(out)


def check_packages(folder: Path) -> None:
    """Say what is missing before anything is begun.

    Raises:
        MissingPackage: where a package is not installed that the export of a model folder needs.
    """
    with needs("train", "exporting a model", source=str(folder)):
        import torch  # noqa: F401, I001 - the one that is told if all are missing
        import onnx  # noqa: F401
        import transformers  # noqa: F401


def _trace(model: RasidModel, out: Path) -> None:
    import torch

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:
            logits = self.model(*arrays)
            return tuple(getattr(logits, name) for name in HEADS)

    model.encoder.set_attn_implementation("eager")
    shapes: dict[str, dict[int, str]] = {name: {0: "windows", 1: "tokens"} for name in ("input_ids", "attention_mask")}
    shapes["sentence_mask"] = {0: "windows", 1: "sentences", 2: "tokens"}
    for name in HEADS:
        if name not in CONSTANTS:
            shapes[name] = {0: "windows", 1: "sentences" if name in BY_SENTENCE else "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Flat().eval(),
            _example(),
            str(out),
            input_names=list(INPUTS),
            output_names=list(HEADS),
            dynamic_axes=shapes,
            opset_version=_OPSET,
            dynamo=False,
        )


def _example() -> tuple[Any, ...]:
    import torch

    ids = torch.arange(2 * 9).view(2, 9) % 5
    attention = torch.ones_like(ids)
    attention[1, 6:] = 0
    sentences = torch.zeros(2, 3, 9, dtype=torch.bool)
    sentences[:, 0, 1:3] = sentences[:, 1, 3:5] = True
    return ids, attention, sentences
