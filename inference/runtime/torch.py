"""The PyTorch runtime: on a GPU where there is one, in half precision there, else on the CPU in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.inference.batches import Batch, BatchSizes
from rasid.inference.model import Logits

if TYPE_CHECKING:
    from rasid.inference.model import RasidModel


def pick_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        DataError: where this machine has no such device.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DataError(f"there is no device {wanted!r} here: {str(error).splitlines()[0]}") from None
    return device


class TorchRuntime:
    """Runs a `RasidModel` on batches of arrays."""

    def __init__(
        self, model: RasidModel, device: str = "auto", *, half: bool = True, threads: int | None = None
    ) -> None:
        """Move the model to the device.

        Args:
            model: the network.
            device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
            half: compute in half precision where the device is an NVIDIA GPU.
            threads: of PyTorch on the CPU, for the whole process; None leaves them as they are.

        Raises:
            DataError: where this machine has no such device.
        """
        self.device = pick_device(device)
        self._half = half
        # enough to fill a GPU, which a call costs much; on a CPU what lies near the processor
        self.sizes = BatchSizes(512, call=30) if self.device.type == "cpu" else BatchSizes(16_384, call=1_000)
        # each takes all threads, or the whole GPU
        self.parallel = 1
        self._model = model
        if threads is not None:
            torch.set_num_threads(threads)
        torch.nn.Module.to(model, self.device)

    def __call__(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        """Return the logits of every head as float32 arrays, by the names of `Logits`."""
        self._model.eval()
        with torch.inference_mode(), self._autocast():
            logits = self._model(
                torch.from_numpy(batch.input_ids).to(self.device),
                torch.from_numpy(batch.attention_mask).to(self.device),
                torch.from_numpy(batch.sentence_mask).to(self.device),
            )
        return {field.name: getattr(logits, field.name).detach().float().cpu().numpy() for field in fields(Logits)}

    def _autocast(self) -> AbstractContextManager[object]:
        if self.device.type != "cuda" or not self._half:
            return nullcontext()
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", dtype=dtype)
