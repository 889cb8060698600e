"""The logits of an article's windows made into those of the article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rasid.inference.decode import Scores
from rasid.inference.layout import TYPE_OF_COLUMN
from rasid.inference.windows import Window, owners

FloatArray = NDArray[np.float32]
WindowLogits = Mapping[str, FloatArray]

_BY_TOKEN: Final = ("actor", "location", "proclitic", "sector", "token_role")
BY_SENTENCE: Final = ("event", "mode", "event_role", "event_at")
# Weights that the decoding needs, the same for every window.
CONSTANTS: Final = ("role_bias", "gap_bias")
# All that the network puts out.
HEADS: Final = (*_BY_TOKEN, *BY_SENTENCE, *CONSTANTS)


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
    merged = {name: np.zeros((pieces, *logits[0][name].shape[1:]), np.float32) for name in _BY_TOKEN}
    merged |= {name: np.zeros((sentences, *logits[0][name].shape[1:]), np.float32) for name in BY_SENTENCE}
    # an empty sentence reports nothing
    merged["event"] -= 1e4
    speaks = np.full(sentences, -1, dtype=np.int64)
    for index, (window, out) in enumerate(zip(windows, logits, strict=True)):
        mine = np.flatnonzero(owner[window.start : window.end] == index)
        for name in _BY_TOKEN:
            merged[name][mine + window.start] = out[name][mine + 1]
        for slot, (start, end, sentence) in enumerate(window.sentences):
            if speaks[sentence] < 0:
                speaks[sentence] = owner[start]
            if np.any(owner[start:end] == index):
                _merge_sentence(merged, out, slot, sentence, window.start - 1)
    constants = {name: np.asarray(logits[0][name], np.float32) for name in CONSTANTS}
    return Scores(**merged, **constants, windows=speaks)


def _merge_sentence(merged: dict[str, FloatArray], out: WindowLogits, slot: int, sentence: int, offset: int) -> None:
    surer = out["event"][slot] > merged["event"][sentence]
    of_column = surer[list(TYPE_OF_COLUMN)]
    merged["event"][sentence, surer] = out["event"][slot, surer]
    merged["event_role"][sentence, surer] = out["event_role"][slot, surer]
    merged["event_at"][sentence, surer] = out["event_at"][slot, surer] + offset
    merged["mode"][sentence, of_column] = out["mode"][slot, of_column]
