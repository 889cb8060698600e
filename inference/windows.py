"""Windows of whole sentences over the pieces of an article, and which window speaks for which piece.

Nothing is ever left out: a sentence longer than a window is covered by several that overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

SHORTEST_STRETCH: Final = 48


@dataclass(frozen=True, slots=True)
class Window:
    """A range of an article's pieces, and the sentences that lie in it, whole or in part.

    Args:
        start: first piece.
        end: one past the last piece.
        sentences: the pieces `[start, end)` of each sentence within the window, with its index in the article.
    """

    start: int
    end: int
    sentences: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        """Return the number of pieces."""
        return self.end - self.start


def plan_stretches(
    lengths: Sequence[int], breaks: Sequence[bool], size: int, shortest: int = SHORTEST_STRETCH
) -> list[Window]:
    """Cover an article with windows that depend on the text nearby alone, not on how much stands before it.

    The article is parted into stretches of lines: one ends with a line once it holds `shortest` pieces. Each stretch
    is covered by itself, so that a passage is read in the same company wherever it stands, in an article alone or
    in a file of forty.

    Args:
        lengths: number of pieces of each sentence, in order.
        breaks: whether each sentence begins a line.
        size: the most pieces in a window.
        shortest: the fewest pieces of a stretch, but for the last.

    Returns:
        Windows in order, as `plan_windows` gives them.
    """
    windows: list[Window] = []
    begin, held, offset = 0, 0, 0
    for index in range(len(lengths) + 1):
        if index == len(lengths) or (breaks[index] and held >= shortest):
            windows.extend(_moved(w, offset, begin) for w in plan_windows(lengths[begin:index], size))
            offset += held
            begin, held = index, 0
        if index < len(lengths):
            held += lengths[index]
    return windows


def _moved(window: Window, pieces: int, sentences: int) -> Window:
    inside = tuple((start + pieces, end + pieces, index + sentences) for start, end, index in window.sentences)
    return Window(window.start + pieces, window.end + pieces, inside)


def plan_windows(lengths: Sequence[int], size: int, overlap: float = 0.5) -> list[Window]:
    """Cover sentences of the given lengths with windows of at most `size` pieces.

    Args:
        lengths: number of pieces of each sentence, in order; empty sentences get no place in any window.
        size: the most pieces in a window.
        overlap: the share of a window, at the most, that the next one repeats, by whole sentences.

    Returns:
        Windows in order; each sentence lies whole in at least one, unless it is longer than `size`.

    Raises:
        ValueError: where `size` is less than 2 or `overlap` is not in [0, 1).
    """
    if size < 2 or not 0 <= overlap < 1:
        raise ValueError(f"windows need a size of 2 or more and an overlap in [0, 1), got {size} and {overlap}")
    starts = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
    windows: list[Window] = []
    first, covered = 0, 0
    count = len(lengths)
    while covered < count:
        last = first
        while last < count and starts[last + 1] - starts[first] <= size:
            last += 1
        if last == first:
            windows.extend(_cut_sentence(first, int(starts[first]), int(starts[first + 1]), size))
            first = covered = first + 1
            continue
        windows.append(_whole(starts, first, last))
        covered = last
        first = _next_start(starts, first, last, size, overlap)
    return [window for window in windows if len(window)]


def _whole(starts: IntArray, first: int, last: int) -> Window:
    inside = tuple((int(starts[i]), int(starts[i + 1]), i) for i in range(first, last) if starts[i] < starts[i + 1])
    return Window(int(starts[first]), int(starts[last]), inside)


def _next_start(starts: IntArray, first: int, last: int, size: int, overlap: float) -> int:
    """Return the first sentence of the next window: back from `last` while the overlap and the next sentence fit."""
    if last >= len(starts) - 1:
        return last
    start = last
    room = min(overlap * size, size - (starts[last + 1] - starts[last]))
    while start - 1 > first and starts[last] - starts[start - 1] <= room:
        start -= 1
    return start


def _cut_sentence(index: int, start: int, end: int, size: int) -> list[Window]:
    windows: list[Window] = []
    at = start
    while True:
        stop = min(at + size, end)
        windows.append(Window(at, stop, ((at, stop, index),)))
        if stop == end:
            return windows
        at = min(at + size // 2, end - size)


def owners(windows: Sequence[Window], pieces: int) -> IntArray:
    """Return for each piece the index of the window that speaks for it: where it has most context on its poorer side.

    Pieces of one sentence that lies whole in a window are given to one window together.
    """
    best = np.full(pieces, -1, dtype=np.int64)
    owner = np.zeros(pieces, dtype=np.int64)
    for index, window in enumerate(windows):
        for start, end, _ in window.sentences:
            left, right = start - window.start, window.end - end
            # the ends of the article are no poorer context than any other place
            left = pieces if window.start == 0 else left
            right = pieces if window.end == pieces else right
            here = np.full(end - start, min(left, right), dtype=np.int64)
            if end - start == len(window):
                # a sentence cut into windows: each piece by its own distance from the cuts
                at = np.arange(end - start)
                here = np.minimum(
                    at if window.start else pieces, (end - start - 1 - at) if window.end < pieces else pieces
                )
            span = slice(start, end)
            better = here > best[span]
            owner[span] = np.where(better, index, owner[span])
            best[span] = np.maximum(here, best[span])
    return owner
