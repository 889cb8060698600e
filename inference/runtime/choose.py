"""Which runtime a model gets: an exported graph on a CPU, PyTorch on a GPU, for float32, and without a graph."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rasid.data.errors import DataError
from rasid.inference.runtime.graph import FILE, find_graph

if TYPE_CHECKING:
    from rasid.inference.tagger import Runtime

PRECISIONS: Final = ("auto", "int8", "fp32")


def choose_runtime(folder: Path, device: str, precision: str, threads: int | None) -> Runtime:
    """Return what runs the network of a model folder.

    Args:
        folder: that `rasid train` wrote.
        device: `auto`, `cpu`, or a device of PyTorch's.
        precision: one of `PRECISIONS`.
        threads: to compute with on the CPU; None for one a core.

    Raises:
        DataError: where the device, the precision or a package that they need is not there.
    """
    if precision not in PRECISIONS:
        raise DataError(f"no such precision {precision!r}; one of {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise DataError(f"threads = {threads}; one or more are needed to compute")
    if device == "auto" and precision != "int8" and has_gpu():
        device = "cuda"
    exported = precision == "int8" or (precision == "auto" and (folder / FILE).is_file())
    if device in ("auto", "cpu") and exported:
        from rasid.inference.runtime.onnx import OnnxRuntime

        return OnnxRuntime(find_graph(folder), threads)
    if precision == "int8":
        raise DataError(f"int8 runs on the CPU only, not on {device!r}")
    from rasid.inference.loading import load_network

    model = load_network(folder)
    from rasid.inference.runtime.torch import TorchRuntime

    return TorchRuntime(model, device, half=precision == "auto", threads=threads)


def has_gpu() -> bool:
    """Return whether PyTorch can use an NVIDIA GPU; it is not even imported where no driver is installed."""
    if not Path("/proc/driver/nvidia/version").exists() and shutil.which("nvidia-smi") is None:
        return False
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()
