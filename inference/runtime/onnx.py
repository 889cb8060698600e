"""The ONNX runtime: an exported graph on the CPU, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.inference.batches import Batch


class OnnxRuntime:
    """Runs an exported graph on batches of arrays."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open the graph.

        Args:
            path: the file that `rasid export` wrote.
            threads: to compute with; None for one a core.

        Raises:
            DataError: where the file is no graph.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no class of their own
            raise DataError(f"the graph could not be loaded: {str(error).splitlines()[0]}", source=str(path)) from None
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        """Return the logits of every head as float32 arrays, by the names of `Logits`."""
        arrays = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "sentence_mask": batch.sentence_mask,
        }
        return dict(zip(self._names, self._session.run(None, arrays), strict=True))
