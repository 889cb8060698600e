"""The columns of the network's heads: what each index of its logits means."""

from __future__ import annotations

from typing import Final

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
