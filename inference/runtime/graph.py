"""Where the exported graph of a model lies: in its folder, else in the user's cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from rasid.data.errors import DataError

FILE: Final = "model.int8.onnx"


def find_graph(folder: Path) -> Path:
    """Return the graph of a model folder; where it has none, one is exported into the user's cache, once.

    Raises:
        DataError: where it has none and what is needed to export it is not installed.
    """
    shipped = folder / FILE
    if shipped.is_file():
        return shipped
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise DataError("the model could not be loaded: it has no model.safetensors", source=str(folder))
    cached = cache_folder() / _digest(weights)[:16] / FILE
    if not cached.is_file():
        from rasid.inference.export import export_onnx

        export_onnx(folder, cached)
    return cached


def cache_folder() -> Path:
    """Return where graphs are kept: RASID_CACHE, else `rasid` in the user's cache folder."""
    if own := os.environ.get("RASID_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) / "rasid" if base else Path.home() / ".cache" / "rasid"


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
