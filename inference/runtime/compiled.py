"""Graphs compiled for this machine, kept in the user's cache: to compile one takes most of a cold start."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rasid.inference.runtime.graph import cache_folder

# A graph compiled that long ago and not used since is thrown away when another is kept.
_SECONDS_KEPT: Final = 90 * 24 * 3600
_LOG: Final = logging.getLogger(__name__)


def compile_graph(core: Any, path: Path, settings: Mapping[str, Any], version: str) -> Any:  # noqa: ANN401 - OpenVINO's
    """Return an exported graph compiled for the CPU: as it was kept, else compiled now and kept.

    A cache that cannot be written to, or holds what cannot be read, costs time and nothing else.

    Args:
        core: an `openvino.Core`.
        path: of the graph.
        settings: of the compilation.
        version: of OpenVINO.

    Raises:
        RuntimeError: where the graph cannot be compiled.
    """
    kept = cache_folder() / "compiled" / f"{_name(core, path, settings, version)}.blob"
    try:
        found = core.import_model(kept.read_bytes(), "CPU", dict(settings))
        os.utime(kept)
    except OSError:
        pass  # there is none, the usual reason; or it may be read and not touched
    except RuntimeError as error:
        _LOG.info("%s is compiled anew: what was kept could not be read: %s", path, error)
    else:
        return found
    compiled = core.compile_model(core.read_model(path), "CPU", dict(settings))
    try:
        _keep(compiled, kept)
    except (OSError, RuntimeError) as error:
        _LOG.info("%s was compiled and could not be kept: %s", path, error)
    return compiled


def _name(core: Any, path: Path, settings: Mapping[str, Any], version: str) -> str:  # noqa: ANN401
    """Return what tells one compilation from another: the file, the processor, the compiler and its settings."""
    state = path.stat()
    parts = [path.resolve(), state.st_size, state.st_mtime_ns, version, sorted(settings.items())]
    parts += [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def _keep(compiled: Any, place: Path) -> None:  # noqa: ANN401
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in place.parent.iterdir():
        if time.time() - old.stat().st_mtime > _SECONDS_KEPT:
            old.unlink(missing_ok=True)
    whole = place.with_suffix(f".{os.getpid()}")  # of each process its own
    try:
        whole.write_bytes(compiled.export_model().getvalue())
        whole.replace(place)
    finally:
        whole.unlink(missing_ok=True)
