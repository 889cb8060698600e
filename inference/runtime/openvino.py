"""The OpenVINO runtime: an exported graph on the CPU, without torch."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.inference.batches import INPUTS, Batch, BatchSizes
from rasid.inference.merge import HEADS
from rasid.inference.runtime.compiled import compile_graph
from rasid.inference.runtime.metadata import GROUP, read_metadata

_SMALLEST: Final = Batch(
    input_ids=np.zeros((1, 1), np.int64),
    attention_mask=np.ones((1, 1), np.int64),
    sentence_mask=np.ones((1, 1, 1), np.bool_),
)


class OpenVinoRuntime:
    """Runs an exported graph on batches of arrays.

    Of a graph with 8-bit weights, the states are quantised too while they are multiplied: each token's in groups of
    its own, so that what a token gets does not depend on what else is in the batch.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Compile the graph, or take it from the user's cache where it was compiled before.

        Args:
            path: the file that `rasid export` wrote.
            threads: to compute with; None for one a core.

        Raises:
            DataError: where the file is no graph.
        """
        self.parallel = threads or _count_cores()
        # a thread compiles code for each shape it has not seen, which takes as long as 100 tokens do; sixteens suit it
        self.sizes = BatchSizes(tokens=512, width=16, slots=4)
        openvino = _import_openvino()
        settings: dict[str, Any] = {
            # each batch in one thread: two that shared one would wait for each other at every node
            "NUM_STREAMS": self.parallel,
            "INFERENCE_NUM_THREADS": self.parallel,
            # or the threads of all processes would be tied to the same cores
            "ENABLE_CPU_PINNING": False,
            # elsewhere than on x86 it would take half precision where the processor has it
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": read_metadata(path).get(GROUP, "0"),
        }
        try:
            compiled = compile_graph(_core(), path, settings, openvino.__version__)
            requests = [compiled.create_infer_request() for _ in range(self.parallel)]
        except RuntimeError as error:
            message = next((line for line in str(error).splitlines() if line.strip()), "")
            raise DataError(f"the graph could not be loaded: {message}", source=str(path)) from None
        # the compiler adds names of its own to those of the heads
        names = [output.get_names() & set(HEADS) for output in requests[0].model_outputs]
        if sorted(name for own in names for name in own) != sorted(HEADS):
            raise DataError("the graph could not be loaded: its outputs are not those of a tagger", source=str(path))
        self._heads = [own.pop() for own in names]
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for request in requests:
            self._idle.put(request)
        # what the binding prepares in its first call hangs for good where two threads make that call at once
        # (OpenVINO 2026.4: a static's guard is held while the interpreter's lock is waited for)
        self(_SMALLEST)

    def __call__(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        """Return the logits of every head as float32 arrays, by the names of `Logits`; from any thread."""
        arrays = {name: getattr(batch, name) for name in INPUTS}
        request = self._idle.get()
        try:
            found = request.infer(arrays, share_inputs=True)
        finally:
            self._idle.put(request)
        return {head: found[index] for index, head in enumerate(self._heads)}


@cache
def _core() -> Any:  # noqa: ANN401
    """Return the one core of this process, never let go of.

    A core gives the thread that compiles first a stack for signals of its own and takes it back at its end: of several,
    the last to go would leave that of another, long gone, and the next Ctrl-C would end the process in a fault.
    """
    return _import_openvino().Core()


def _import_openvino() -> Any:  # noqa: ANN401 - a package without types
    """Import OpenVINO without the package that tells its makers, over the network, that it was imported."""
    name = "openvino_telemetry"
    if "openvino" not in sys.modules and name not in sys.modules:
        # an import of it then fails, and OpenVINO does without
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[name]
    import openvino

    return openvino


def _count_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
