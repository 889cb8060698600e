"""The columns of the network's heads: what each index of its logits means."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasid.data.scheme import EVENT_TYPES, MODES

BIO: Final = ("O", "B", "I")

# The modes of each type, before them None for "no mode": the columns of the mode head.
MODE_COLUMNS: Final[tuple[tuple[str, str | None], ...]] = tuple(
    (kind, mode) for kind in EVENT_TYPES for mode in (None, *MODES[kind])
)
TYPE_OF_COLUMN: Final = tuple(EVENT_TYPES.index(kind) for kind, _ in MODE_COLUMNS)
COLUMNS_OF_TYPE: Final[tuple[tuple[int, ...], ...]] = tuple(
    tuple(i for i, of in enumerate(TYPE_OF_COLUMN) if of == kind) for kind in range(len(EVENT_TYPES))
)

# How far a mention's sentence lies from the event's, in sentences, for its role to be looked at.
MAX_DISTANCE: Final = 3

# How far a mention lies from the words that tell of the event, in pieces, has a column a piece up to _NEAR, then three
# for each doubling, as the buckets of Raffel et al., "Exploring the Limits of Transfer Learning" (2020).
_NEAR: Final = 8
MAX_GAP: Final = 15


def gap_columns(gaps: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the columns, in [0, 2 * MAX_GAP], of gaps in pieces, negative where the mention comes first."""
    size = np.abs(gaps)
    far = _NEAR + 3 * np.log2(np.maximum(size, _NEAR) / _NEAR)
    steps = np.minimum(np.where(size < _NEAR, size, far), MAX_GAP).astype(np.int64)
    columns: NDArray[np.int64] = MAX_GAP + np.sign(gaps).astype(np.int64) * steps
    return columns
