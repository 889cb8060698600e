"""Where the exported graph of a model lies: in its folder, else in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rasid.data.errors import DataError
from rasid.inference.loading import fingerprint

FILE: Final = "model.int8.onnx"
# Of what the export makes; a graph of another is made anew.
_VERSION: Final = 2


def find_graph(folder: Path) -> Path:
    """Return the graph of a model folder; where it has none, one is exported into the user's cache, once.

    Raises:
        DataError: where it has none and what is needed to export it is not installed.
    """
    shipped = folder / FILE
    if shipped.is_file():
        return shipped
    if not (folder / "model.safetensors").is_file():
        raise DataError("the model could not be loaded: it has no model.safetensors", source=str(folder))
    name = fingerprint(folder, ("config.json", "model.safetensors"))
    cached = cache_folder() / f"{name}-{_VERSION}" / FILE
    if not cached.is_file():
        from rasid.inference.export import export_onnx

        try:
            export_onnx(folder, cached)
        except OSError as error:
            raise DataError(f"the graph could not be kept: {error.strerror}", source=str(cached)) from None
    return cached


def cache_folder() -> Path:
    """Return where graphs are kept: RASID_CACHE, else `rasid` in the user's cache folder."""
    if own := os.environ.get("RASID_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) / "rasid" if base else Path.home() / ".cache" / "rasid"
