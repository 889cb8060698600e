"""Windows as padded arrays, the form in which every runtime takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rasid.inference.pieces import Pieces
from rasid.inference.windows import Window


@dataclass(frozen=True, slots=True)
class Special:
    """Ids of the special tokens that frame a window: its first, its last, and padding."""

    first: int
    last: int
    pad: int


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of at most T tokens (frame included) and S sentences.

    Args:
        input_ids: int64 (B, T).
        attention_mask: int64 (B, T), 0 where padded.
        sentence_mask: bool (B, S, T).
    """

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    sentence_mask: NDArray[np.bool_]


# What the network takes, by name and in its order.
INPUTS: Final = tuple(field.name for field in fields(Batch))


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """Which batches suit a runtime.

    Args:
        tokens: the most tokens of a padded batch, but for a window that is longer.
        call: what a batch costs beside what its tokens cost, in tokens. Without a price, windows share a batch only
            where they are padded to the same width, so that none is read in another way for the company it is in.
        width: windows are padded to a multiple of so many tokens. A runtime that compiles code for each shape then has
            less to compile.
        slots: batches have room for a multiple of so many sentences, likewise.
    """

    tokens: int
    call: int = 0
    width: int = 1
    slots: int = 1


def make_batch(items: Sequence[tuple[Pieces, Window]], special: Special, width: int = 0, slots: int = 1) -> Batch:
    """Pad windows, each with the pieces it is cut from, into one batch.

    Piece `p` of the article stands at token `p - window.start + 1`.

    Args:
        items: the windows.
        special: ids of the tokens that frame and pad them.
        width: tokens to pad each to; 0 for those of the longest.
        slots: the number of sentences is padded to a multiple of it.
    """
    tokens = max(width, max(len(window) for _, window in items) + 2)
    sentences = max(1, *(len(window.sentences) for _, window in items))
    ids = np.full((len(items), tokens), special.pad, dtype=np.int64)
    attention = np.zeros((len(items), tokens), dtype=np.int64)
    masks = np.zeros((len(items), -(-sentences // slots) * slots, tokens), dtype=np.bool_)
    for row, (pieces, window) in enumerate(items):
        length = len(window)
        ids[row, 0] = special.first
        ids[row, 1 : length + 1] = pieces.ids[window.start : window.end]
        ids[row, length + 1] = special.last
        attention[row, : length + 2] = 1
        for slot, (start, end, _) in enumerate(window.sentences):
            masks[row, slot, start - window.start + 1 : end - window.start + 1] = True
    return Batch(ids, attention, masks)


def by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group items of like length so that each padded group holds at most `budget` tokens (and at least one item).

    Returns:
        Groups of indices, longest items first.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    groups: list[list[int]] = []
    for index in order:
        if groups and lengths[groups[-1][0]] * (len(groups[-1]) + 1) <= budget:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def plan_batches(lengths: Sequence[int], sizes: BatchSizes, longest: int) -> list[tuple[list[int], int]]:
    """Group items of like length so that all groups together cost the least.

    A group of n items padded to w tokens costs n * w + `sizes.call`. Sorted by length, the cheapest groups of the first
    k items follow from those of fewer (dynamic programming over where the last group begins).

    Args:
        lengths: of the items, in tokens.
        sizes: of the groups.
        longest: the most tokens that an item may be padded to.

    Returns:
        Groups of indices, longest items first, each with the width to pad it to.
    """
    widths = [max(length, min(-(-length // sizes.width) * sizes.width, longest)) for length in lengths]
    order = sorted(range(len(widths)), key=lambda i: -widths[i])
    costs = np.full(len(order) + 1, np.inf)
    costs[0] = 0.0
    begins = np.zeros(len(order) + 1, dtype=np.int64)
    for first, index in enumerate(order):
        counts = np.arange(1, min(max(1, sizes.tokens // widths[index]), len(order) - first) + 1)
        found = costs[first] + sizes.call + counts * widths[index]
        ends = slice(first + 1, first + 1 + len(counts))
        begins[ends] = np.where(found < costs[ends], first, begins[ends])
        costs[ends] = np.minimum(found, costs[ends])
    groups: list[tuple[list[int], int]] = []
    end = len(order)
    while end:
        group = order[begins[end] : end]
        groups.append((group, widths[group[0]]))
        end = int(begins[end])
    return groups[::-1]
