"""Checkpoints to resume from: the folder `last/` of a run, put in its place whole.

Wherever a run is killed, there is a checkpoint that is whole once the first has been written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors.torch import save_file
from torch import Tensor, nn

_LAST: Final = "last"
_FRESH: Final = "last.new"
_OLD: Final = "last.old"
_STATE: Final = "progress.json"


def write_checkpoint(out: Path, tensors: Mapping[str, dict[str, Tensor]], state: Mapping[str, Any]) -> None:
    """Write a checkpoint in place of the one before.

    Args:
        out: the folder of the run.
        tensors: what goes into NAME.safetensors, by NAME.
        state: all else, as JSON holds it.
    """
    fresh, last, old = (out / name for name in (_FRESH, _LAST, _OLD))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name, parts in tensors.items():
        save_file(parts, fresh / f"{name}.safetensors")
    (fresh / _STATE).write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if last.exists():
        last.rename(old)
    fresh.rename(last)
    shutil.rmtree(old, ignore_errors=True)


def find_checkpoint(out: Path) -> Path | None:
    """Return the folder of a run's newest whole checkpoint, None where there is none."""
    last = out / _LAST
    # cut off between the two renamings: the newest that is whole is the one
    for name in (_FRESH, _OLD):
        if not last.exists() and (out / name / _STATE).is_file():
            (out / name).rename(last)
    return last if (last / _STATE).is_file() else None


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Return the state of a checkpoint without its tensors."""
    state: dict[str, Any] = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    return state


def drop_checkpoints(out: Path) -> None:
    """Remove what there is of a run's checkpoints."""
    for name in (_LAST, _FRESH, _OLD):
        shutil.rmtree(out / name, ignore_errors=True)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights as safetensors holds them."""
    return {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
