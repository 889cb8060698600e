"""Where the exported graph of a model lies: in its folder, else in the user's cache."""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import Final

from rasid.data.errors import DataError, MissingPackage
from rasid.inference.loading import WEIGHTS, fingerprint
from rasid.inference.runtime.metadata import read_metadata

FILE: Final = "model.int8.onnx"
# Of what the export makes; a graph of another is made anew.
VERSION: Final = 4
_LOG: Final = logging.getLogger(__name__)


def stamp(folder: Path) -> dict[str, str]:
    """Return what a graph exported from a model folder carries as its metadata: how it was made, and of what."""
    return {"rasid.graph": str(VERSION), "rasid.weights": fingerprint(folder, (WEIGHTS,))}


def find_graph(folder: Path) -> Path:
    """Return the graph of a model folder; where it has none, one is exported into the user's cache, once.

    A graph in the folder that was not made of the weights beside it, as after a training into the same folder, counts
    as none, and a warning says so. Without weights beside it, it is taken as it is.

    Raises:
        DataError: where it has none and none can be exported.
    """
    shipped = folder / FILE
    fault = _find_fault(folder) if shipped.is_file() else f"there is no {FILE}"
    if fault is None:
        return shipped
    if not (folder / WEIGHTS).is_file():
        raise DataError(f"the model could not be loaded: {fault}, and no {WEIGHTS}", source=str(folder))
    cached = cache_folder() / graph_name(folder) / FILE
    if not cached.is_file():
        try:
            _export(folder, cached, fault)
        except OSError as error:
            raise DataError(
                f"the graph could not be kept: {error.strerror}; RASID_CACHE names another place", source=str(cached)
            ) from None
    if shipped.is_file():
        _warn(f"{folder}: {fault} and is not used; `rasid export {folder}` makes it anew")
    return cached


def graph_name(folder: Path) -> str:
    """Return the name of a folder's graph in the cache: a hash of what it is made of, and how it is made."""
    return f"{fingerprint(folder, ('config.json', WEIGHTS))}-{VERSION}"


def cache_folder() -> Path:
    """Return where graphs are kept: RASID_CACHE, else `rasid` in the user's cache folder."""
    if own := os.environ.get("RASID_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) / "rasid" if base else Path.home() / ".cache" / "rasid"


def _find_fault(folder: Path) -> str | None:
    """Return what speaks against the graph in a folder; None where nothing does."""
    found = read_metadata(folder / FILE)
    if found.get("rasid.graph") != str(VERSION):
        return f"{FILE} is broken or was exported by another version of rasid"
    # the whole file: a hash of parts of it would miss a training of the other parts. 0.1 s for 60 MB
    if (folder / WEIGHTS).is_file() and found.get("rasid.weights") != stamp(folder)["rasid.weights"]:
        return f"{FILE} was not exported from the {WEIGHTS} beside it"
    return None


def _export(folder: Path, out: Path, fault: str) -> None:
    from filelock import FileLock

    from rasid.inference.export import check_packages, export_onnx

    try:
        check_packages(folder)
    except MissingPackage as error:
        raise MissingPackage(f"{fault}, and {error.message}", source=str(folder)) from None
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.parent.with_suffix(".lock")):
        if out.is_file():  # another process was quicker
            return
        _warn(f"{folder}: exporting the model for the CPU, once, to {out}")
        export_onnx(folder, out)


@cache
def _warn(message: str) -> None:
    """Warn, once a process."""
    _LOG.warning(message)
