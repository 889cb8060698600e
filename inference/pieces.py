"""Articles as the model reads them: words with their raw spans, and the tokenizer's pieces that spell them.

A word is a run of letters, a run of digits, or one other character. Spans of labels begin at a word, after as
many of its proclitic letters as the model says, and end with a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rasid.inference.normalise import Normalised, normalise

if TYPE_CHECKING:
    from tokenizers import Tokenizer

IntArray = NDArray[np.int64]

PROCLITICS: Final = "وفبلكس"
MAX_PROCLITICS: Final = 3
WORD: Final = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_LEADING: Final = re.compile(f"[{PROCLITICS}]{{0,{MAX_PROCLITICS}}}")
# A tokenizer call on a megabyte of text without a sentence end takes quadratic time in some models.
_CHUNK: Final = 2000


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text's words and pieces, sentence after sentence.

    Args:
        ids: int64 (pieces,), the tokenizer's ids without special tokens.
        words: int64 (pieces,), the word that each piece belongs to; never decreasing.
        starts: int64 (words, MAX_PROCLITICS + 1), the raw offset where the word begins after 0, 1, … letters.
        ends: int64 (words,), the raw offset where it ends.
        proclitics: int64 (words,), how many of its first letters may be proclitics.
        sentences: int64 (sentences, 2), the range of pieces of each sentence; it may be empty.
    """

    ids: IntArray
    words: IntArray
    starts: IntArray
    ends: IntArray
    proclitics: IntArray
    sentences: IntArray

    @property
    def lengths(self) -> IntArray:
        """Number of pieces of each sentence."""
        return self.sentences[:, 1] - self.sentences[:, 0]


def to_pieces(text: str, sentences: Sequence[tuple[int, int]], tokenizer: Tokenizer) -> Pieces:
    """Cut the sentences of a raw text into words and pieces.

    Args:
        text: the raw text.
        sentences: half-open character spans.
        tokenizer: a fast tokenizer with offsets; its special tokens, truncation and padding are not used.

    Returns:
        The pieces; every word of every sentence has at least one.
    """
    ids: list[int] = []
    piece_words: list[int] = []
    starts: list[IntArray] = []
    ends: list[IntArray] = []
    proclitics: list[int] = []
    ranges: list[tuple[int, int]] = []
    for begin, end in sentences:
        clean = normalise(text[begin:end])
        found = _find_words(clean)
        first_word, first_piece = len(proclitics), len(ids)
        spans = np.array(found, dtype=np.int64).reshape(-1, 2)
        inside = np.minimum(spans[:, :1] + np.arange(MAX_PROCLITICS + 1), spans[:, 1:] - 1)
        starts.append(clean.starts[inside] + begin)
        ends.append(clean.ends[spans[:, 1] - 1] + begin)
        proclitics.extend(_count_proclitics(clean.text[left:right]) for left, right in found)
        sentence_ids, owners = _tokenise(clean.text, found, tokenizer)
        ids.extend(sentence_ids)
        piece_words.extend(owner + first_word for owner in owners)
        ranges.append((first_piece, len(ids)))
    none = np.zeros(0, dtype=np.int64)
    return Pieces(
        np.array(ids, dtype=np.int64),
        np.array(piece_words, dtype=np.int64),
        np.concatenate([none.reshape(0, MAX_PROCLITICS + 1), *starts]),
        np.concatenate([none, *ends]),
        np.array(proclitics, dtype=np.int64),
        np.array(ranges, dtype=np.int64).reshape(-1, 2),
    )


def _find_words(clean: Normalised) -> list[tuple[int, int]]:
    """Return the words of a sentence; those that share a raw character, as the words of U+FDFA do, are one."""
    spans = [match.span() for match in WORD.finditer(clean.text)]
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    if (clean.starts[edges[1:, 0]] >= clean.ends[edges[:-1, 1] - 1]).all():
        return spans
    found: list[tuple[int, int]] = []
    for left, right in spans:
        if found and clean.starts[left] < clean.ends[found[-1][1] - 1]:
            left = found.pop()[0]
        found.append((left, right))
    return found


def _count_proclitics(word: str) -> int:
    leading = _LEADING.match(word)
    return min(leading.end() if leading else 0, len(word) - 1)


def _tokenise(text: str, words: list[tuple[int, int]], tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids of a sentence's pieces and the word of each; a word that gets no piece takes the unknown one."""
    ids: list[int] = []
    owners: list[int] = []
    word = 0
    for begin, end in _chunks(text, words):
        encoding = tokenizer.encode(text[begin:end], add_special_tokens=False)
        for piece, (left, right) in zip(encoding.ids, encoding.offsets, strict=True):
            left, right = left + begin, right + begin
            while left < right and text[left].isspace():
                left += 1
            if left >= right:
                continue
            while word < len(words) and words[word][1] <= left:
                word += 1
            if word < len(words) and words[word][0] < right:
                ids.append(piece)
                owners.append(word)
    return _fill_gaps(ids, owners, len(words), tokenizer)


def _chunks(text: str, words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(text) <= _CHUNK:
        return [(0, len(text))]
    cuts = [0]
    for start, _ in words:
        if start - cuts[-1] >= _CHUNK:
            cuts.append(start)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _fill_gaps(ids: list[int], owners: list[int], words: int, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    missing = sorted(set(range(words)) - set(owners))
    if not missing:
        return ids, owners
    unknown = next((i for t in ("<unk>", "[UNK]") if (i := tokenizer.token_to_id(t)) is not None), 0)
    merged = sorted([*zip(owners, ids, strict=True), *((word, unknown) for word in missing)], key=lambda pair: pair[0])
    return [piece for _, piece in merged], [owner for owner, _ in merged]
