"""The logits of an article's windows made into those of the article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rasid.inference.layout import TYPE_OF_COLUMN
from rasid.inference.windows import Window, owners

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
WindowLogits = Mapping[str, FloatArray]

_COPIED: Final = ("actor", "location", "proclitic", "sector")
# Wide, and wanted of the mentions alone.
_PATCHED: Final = "token_role"
BY_SENTENCE: Final = ("event", "mode", "event_role", "event_at")
# Weights that the decoding needs, the same for every window.
CONSTANTS: Final = ("role_bias", "gap_bias")
# All that the network puts out.
HEADS: Final = (*_COPIED, _PATCHED, *BY_SENTENCE, *CONSTANTS)


@dataclass(frozen=True, slots=True)
class Patchwork:
    """An array of an article's pieces that is left in those of its windows; only the rows asked for are copied.

    Args:
        arrays: of each window, (T, …).
        shifts: int64 (windows,), what is taken from a piece's index to find its row in the window's array.
        owner: int64 (pieces,), the window that speaks for each piece.
    """

    arrays: Sequence[FloatArray]
    shifts: IntArray
    owner: IntArray

    def __getitem__(self, pieces: IntArray) -> FloatArray:
        """Return the rows of some pieces, (n, …) of (n,)."""
        owner = self.owner[pieces]
        order = np.argsort(owner, kind="stable")
        found = np.empty((len(pieces), *self.arrays[0].shape[1:]), np.float32)
        for own in np.split(order, np.flatnonzero(np.diff(owner[order])) + 1):
            if len(own):
                window = owner[own[0]]
                found[own] = self.arrays[window][pieces[own] - self.shifts[window]]
        return found


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of one article, windows merged.

    Args:
        actor: (pieces, 3) logits.
        location: (pieces, 3) logits.
        proclitic: (pieces, MAX_PROCLITICS + 1) logits.
        sector: (pieces, sectors) logits.
        token_role: (pieces, roles + 1, role_size); an array, or left in the windows'.
        event: (sentences, types) logits.
        mode: (sentences, modes) logits.
        event_role: (sentences, types, role_size).
        event_at: (sentences, types), the piece that the event's words centre on.
        role_bias: (2 * MAX_DISTANCE + 1, roles + 1).
        gap_bias: (2 * MAX_GAP + 1, roles + 1).
        windows: int64 (sentences,), the window that speaks for each sentence, -1 for an empty one.
    """

    actor: FloatArray
    location: FloatArray
    proclitic: FloatArray
    sector: FloatArray
    token_role: FloatArray | Patchwork
    event: FloatArray
    mode: FloatArray
    event_role: FloatArray
    event_at: FloatArray
    role_bias: FloatArray
    gap_bias: FloatArray
    windows: IntArray


def merge(windows: Sequence[Window], logits: Sequence[WindowLogits], pieces: int, sentences: int) -> Scores | None:
    """Merge window logits: a piece takes those of the window that owns it, a sentence those of its pieces' owner.

    A sentence longer than a window has, for each event type, the logits of the window that is surest of the type.

    Args:
        windows: of one article.
        logits: of each window, by head; token heads (T, …) with the frame, sentence heads (S, …).
        pieces: number of pieces of the article.
        sentences: number of its sentences.

    Returns:
        The article's scores, or None where it has no pieces.
    """
    if not windows:
        return None
    owner = owners(windows, pieces)
    merged = {name: np.zeros((pieces, *logits[0][name].shape[1:]), np.float32) for name in _COPIED}
    merged |= {name: np.zeros((sentences, *logits[0][name].shape[1:]), np.float32) for name in BY_SENTENCE}
    # an empty sentence reports nothing
    merged["event"] -= 1e4
    speaks = np.full(sentences, -1, dtype=np.int64)
    for index, (window, out) in enumerate(zip(windows, logits, strict=True)):
        mine = np.flatnonzero(owner[window.start : window.end] == index)
        for name in _COPIED:
            merged[name][mine + window.start] = out[name][mine + 1]
        for slot, (start, end, sentence) in enumerate(window.sentences):
            if speaks[sentence] < 0:
                speaks[sentence] = owner[start]
            if np.any(owner[start:end] == index):
                _merge_sentence(merged, out, slot, sentence, window.start - 1)
    constants = {name: np.asarray(logits[0][name], np.float32) for name in CONSTANTS}
    # a piece stands one further in its window's logits, behind the frame
    shifts = np.array([window.start - 1 for window in windows], dtype=np.int64)
    roles = Patchwork(tuple(np.asarray(out[_PATCHED], np.float32) for out in logits), shifts, owner)
    return Scores(**merged, token_role=roles, **constants, windows=speaks)


def _merge_sentence(merged: dict[str, FloatArray], out: WindowLogits, slot: int, sentence: int, offset: int) -> None:
    surer = out["event"][slot] > merged["event"][sentence]
    of_column = surer[list(TYPE_OF_COLUMN)]
    merged["event"][sentence, surer] = out["event"][slot, surer]
    merged["event_role"][sentence, surer] = out["event_role"][slot, surer]
    merged["event_at"][sentence, surer] = out["event_at"][slot, surer] + offset
    merged["mode"][sentence, of_column] = out["mode"][slot, of_column]
