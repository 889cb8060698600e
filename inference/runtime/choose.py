"""Which runtime a model gets: its exported graph on a CPU, PyTorch on a GPU and for float32."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rasid.data.errors import DataError
from rasid.inference.loading import WEIGHTS, fingerprint
from rasid.inference.runtime.graph import FILE, VERSION, find_graph

if TYPE_CHECKING:
    from rasid.inference.tagger import Runtime

PRECISIONS: Final = ("auto", "int8", "fp32")


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs a network: `int8` (the exported graph), `fp32` or `half` (PyTorch), and on which device."""

    precision: str
    device: str


def resolve(device: str, precision: str) -> Choice:
    """Return what a choice of device and precision comes to on this machine.

    Args:
        device: `auto` (a GPU where PyTorch can use one, else the CPU), `cpu`, or a device of PyTorch's.
        precision: one of `PRECISIONS`; `auto` is `int8` on the CPU and half precision on a GPU.

    Raises:
        DataError: where there is no such precision, or not on that device.
    """
    if precision not in PRECISIONS:
        raise DataError(f"no such precision {precision!r}; one of {', '.join(PRECISIONS)}")
    if device == "auto" and precision != "int8" and has_gpu():
        device = "cuda"
    if device in ("auto", "cpu") and precision != "fp32":
        return Choice("int8", "cpu")
    if precision == "int8":
        raise DataError(f"int8 runs on the CPU only, not on {device!r}")
    return Choice("half" if precision == "auto" and device.startswith("cuda") else "fp32", device)


def identify(folder: Path, device: str, precision: str) -> str:
    """Return what tells a model and what runs it from others: a hash of its files, precision and device.

    A graph that has yet to be exported is exported now, before several processes would do so at once.

    Raises:
        DataError: as `resolve` and `find_graph`.
    """
    choice = resolve(device, precision)
    how, weights = choice.precision, WEIGHTS
    if choice.precision == "int8":
        how = f"int8 ({VERSION})"
        if find_graph(folder).parent == folder:
            weights = FILE
    files = ("config.json", "tokenizer.json", "tokenizer_config.json", weights)
    return f"{fingerprint(folder, files)} {how} {choice.device}"


def choose_runtime(folder: Path, device: str, precision: str, threads: int | None) -> Runtime:
    """Return what runs the network of a model folder.

    Args:
        folder: that `rasid train` wrote.
        device: as `resolve` takes it.
        precision: as `resolve` takes it.
        threads: to compute with on the CPU; None for one a core.

    Raises:
        DataError: where the device, the precision or a package that they need is not there.
    """
    if threads is not None and threads < 1:
        raise DataError(f"threads = {threads}; one or more are needed to compute")
    choice = resolve(device, precision)
    if choice.precision == "int8":
        from rasid.inference.runtime.openvino import OpenVinoRuntime

        return OpenVinoRuntime(find_graph(folder), threads)
    from rasid.inference.loading import load_network

    model = load_network(folder)
    from rasid.inference.runtime.torch import TorchRuntime

    return TorchRuntime(model, choice.device, half=choice.precision == "half", threads=threads)


def has_gpu() -> bool:
    """Return whether PyTorch can use an NVIDIA GPU; it is not even imported where no driver is installed."""
    if not Path("/proc/driver/nvidia/version").exists() and shutil.which("nvidia-smi") is None:
        return False
    if find_spec("torch") is None or find_spec("transformers") is None:
        return False
    import torch

    return torch.cuda.is_available()
