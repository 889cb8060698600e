"""Spans of named entities as a tag for each token, and the likeliest tags that make sense together.

B-X begins a span of type X, I-X goes on with it, O is outside (Ramshaw and Marcus, 1995, as IOB2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

KINDS: Final = ("PERS", "ORG", "LOC", "MISC")
TAGS: Final = ("O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in "BI"))
Span = tuple[int, int, str]

# What a step that is not allowed costs: more than the least probability of any sentence.
_NEVER: Final = -1e9
_LEAST: Final = 1e-12


def spans_of(tags: Sequence[int]) -> Iterator[Span]:
    """Yield the spans of a sequence of tags, as `conlleval` reads them: an I of another type begins a span."""
    start, kind = 0, ""
    for at, tag in enumerate([*tags, 0]):
        prefix, _, own = TAGS[tag].partition("-")
        if kind and (prefix != "I" or own != kind):
            yield start, at, kind
            kind = ""
        if own and not kind:
            start, kind = at, own


def likeliest(probabilities: NDArray[np.floating], counts: Sequence[int]) -> NDArray[np.int64]:
    """Return the likeliest tags of each sentence in which I-X stands only after B-X or I-X.

    Tokens are taken as independent of each other but for that rule; the path is found as by Viterbi (1967), for all
    sentences at once.

    Args:
        probabilities: (tokens, tags), of the tokens of all sentences one after the other.
        counts: the number of tokens of each sentence.

    Returns:
        int64 (tokens,), indices into `TAGS`.

    Raises:
        ValueError: where the counts do not sum to the number of tokens.
    """
    sizes = np.asarray(counts, dtype=np.int64)
    if sizes.sum() != len(probabilities):
        raise ValueError(f"{sizes.sum()} tokens in sentences, but probabilities of {len(probabilities)}")
    if not len(probabilities):
        return np.zeros(0, dtype=np.int64)
    inside = np.arange(sizes.max()) < sizes[:, None]
    scores = np.zeros((*inside.shape, len(TAGS)))
    scores[inside] = np.log(np.maximum(probabilities, _LEAST))
    steps = np.array([[0.0 if _follows(before, tag) else _NEVER for tag in TAGS] for before in TAGS])
    # past its end a sentence stays in the tag it ended with, at no cost
    stays = np.arange(len(TAGS))
    back = np.tile(stays, (*inside.shape, 1))
    best = scores[:, 0] + steps[0]
    for at in range(1, inside.shape[1]):
        paths = best[:, :, None] + steps
        on = inside[:, at, None]
        back[:, at] = np.where(on, paths.argmax(1), stays)
        best = np.where(on, paths.max(1) + scores[:, at], best)
    tags = np.zeros(inside.shape, dtype=np.int64)
    tag = best.argmax(1)
    for at in range(inside.shape[1] - 1, -1, -1):
        tags[:, at] = tag
        tag = back[np.arange(len(sizes)), at, tag]
    return tags[inside]


def _follows(before: str, tag: str) -> bool:
    return not tag.startswith("I-") or before[1:] == tag[1:]
