"""The windows of a batch in the pieces of another vocabulary, so that who reads those can teach who reads these.

Words do not depend on the vocabulary, so they are what the two are laid side by side by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.inference.batches import Batch, Special, make_batch
from rasid.inference.pieces import Pieces
from rasid.inference.windows import Window
from rasid.train.features import Features, TrainingBatch

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """Where the words of a batch's own tokens stand in another vocabulary's.

    Args:
        tokens: int64 (B, T), for each of the batch's own tokens the other's that begins its word; 0 outside sentences.
        firsts: bool (B, T), which of the batch's own tokens begin their word.
    """

    tokens: IntArray
    firsts: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class View:
    """What a network reads of a batch.

    Args:
        batch: the arrays that it reads.
        spans: int64 (mentions, 3): row, first token, one past the last, in the order of the batch's own mentions.
        words: how the batch's own tokens are found among them; None where they are the same.
    """

    batch: Batch
    spans: IntArray
    words: Words | None = None


def view_of(
    own: Sequence[Features],
    other: Sequence[Features],
    windows: Sequence[tuple[int, Window]],
    labels: TrainingBatch,
    special: Special,
) -> View:
    """Return a batch as another vocabulary's reader reads it.

    Args:
        own: the features of all articles, in the vocabulary of the batch.
        other: the same articles' in the other vocabulary.
        windows: of the batch: article and window, in pieces of the batch's vocabulary.
        labels: what `collate` made of them.
        special: ids of the tokens that frame and pad a window in the other vocabulary.
    """
    theirs = [translate(window, own[index].pieces, other[index].pieces) for index, window in windows]
    batch = make_batch([(other[i].pieces, w) for (i, _), w in zip(windows, theirs, strict=True)], special)
    tokens = np.zeros(labels.batch.input_ids.shape, dtype=np.int64)
    firsts = np.zeros(tokens.shape, dtype=np.bool_)
    for row, ((index, window), their) in enumerate(zip(windows, theirs, strict=True)):
        words = own[index].pieces.words
        mine = words[window.start : window.end]
        at = slice(1, len(window) + 1)
        tokens[row, at] = np.searchsorted(other[index].pieces.words, mine) - their.start + 1
        firsts[row, at] = np.searchsorted(words, mine) == np.arange(window.start, window.end)
    spans = []
    for row, mention in labels.mentions.tolist():
        found, start = other[windows[row][0]].mentions[mention], theirs[row].start
        spans.append((row, found.first - start + 1, found.last - start + 1))
    return View(batch, np.array(spans, dtype=np.int64).reshape(-1, 3), Words(tokens, firsts))


def translate(window: Window, own: Pieces, other: Pieces) -> Window:
    """Return a window in another vocabulary's pieces; a word that it has in part is taken whole."""

    def place(start: int, end: int) -> tuple[int, int]:
        first, last = own.words[start], own.words[end - 1]
        return int(np.searchsorted(other.words, first)), int(np.searchsorted(other.words, last, side="right"))

    sentences = tuple((*place(start, end), index) for start, end, index in window.sentences)
    return Window(sentences[0][0], sentences[-1][1], sentences)


def fitting(own: Pieces, other: Pieces, size: int, most: int) -> int:
    """Return how many of an article's own pieces a window may have so that it never has too many of the other's.

    Args:
        own: the article's pieces.
        other: in the other vocabulary.
        size: no more than so many own pieces.
        most: how many pieces the reader of the other vocabulary reads at once.

    Raises:
        DataError: where no window is small enough: a word comes in too many pieces.
    """
    lengths = own.lengths
    kept = lengths > 0
    found = size
    if kept.any():
        found = min(found, int(most / max(1.0, float((other.lengths[kept] / lengths[kept]).max()))))
    if kept.any() and lengths.max() > found:
        # a sentence that is cut may be cut where its words come in most pieces, and in the midst of one at either end
        mine, theirs = np.bincount(own.words), np.bincount(other.words)
        found = min(found, int(most / max(1.0, float((theirs / mine).max()))) - 2 * (int(mine.max()) - 1))
    if found < 2:
        raise DataError(f"a word comes in {np.bincount(other.words).max()} pieces; a teacher reads {most} at once")
    return found
