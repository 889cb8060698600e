"""Normalisation that remembers where every character came from.

Encoders read text without the marks that Arabic writers add or leave out at will; labels must fit the text as it was
given. So normalisation returns, with the new text, the raw span of each of its characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Diacritics, Quranic marks and the tatweel: dropped, yet part of the word they stand in.
_MARKS: Final = re.compile(r"[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]")
# Zero-width and bidirectional controls: dropped, part of nothing.
_INVISIBLE: Final = re.compile(r"[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufe00-\ufe0f]")
_CHANGED: Final = re.compile(
    rf"{_MARKS.pattern}|{_INVISIBLE.pattern}|[\x00-\x1f\x7f-\xa0\u0671\u06a9\u06cc\ufb50-\ufdff\ufe70-\ufefc\ud800-\udfff]"
)
_LETTERS: Final = {"\u0671": "ا", "\u06a9": "ك", "\u06cc": "ي"}


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and the raw span of each of its characters.

    Args:
        text: the normalised text, of n characters.
        starts: int64 (n,), where each character begins in the raw text.
        ends: int64 (n,), where it ends, with the marks that follow it.
    """

    text: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def normalise(raw: str) -> Normalised:
    """Drop Arabic marks and invisible controls and fold letter variants, keeping the offset map.

    Diacritics, tatweel, zero-width and bidirectional controls are dropped; control characters become spaces;
    presentation forms are written out (Unicode NFKC); Persian kaf and yeh and the wasla alef become the Arabic
    letters; a lone surrogate becomes U+FFFD. Hamza and digits stay as they are.
    """
    import numpy as np

    if _CHANGED.search(raw) is None:
        starts = np.arange(len(raw), dtype=np.int64)
        return Normalised(raw, starts, starts + 1)
    out: list[str] = []
    starts_list: list[int] = []
    ends_list: list[int] = []

    def keep(begin: int, end: int) -> None:
        if begin < end:
            out.append(raw[begin:end])
            starts_list.extend(range(begin, end))
            ends_list.extend(range(begin + 1, end + 1))

    kept = 0
    for match in _CHANGED.finditer(raw):
        at, char = match.start(), match.group()
        keep(kept, at)
        kept = at + 1
        fresh = _fold(char)
        if fresh:
            out.append(fresh)
            starts_list.extend([at] * len(fresh))
            ends_list.extend([at + 1] * len(fresh))
        elif ends_list and ends_list[-1] == at and not out[-1][-1].isspace() and not _INVISIBLE.match(char):
            ends_list[-1] = at + 1
    keep(kept, len(raw))
    return Normalised("".join(out), np.array(starts_list, dtype=np.int64), np.array(ends_list, dtype=np.int64))


def normal_form(raw: str) -> str:
    """Return the text that `normalise` makes, for those who need no offsets."""
    return raw if _CHANGED.search(raw) is None else normalise(raw).text


@lru_cache(maxsize=4096)
def _fold(char: str) -> str:
    """Return what a character becomes: itself, other characters, or nothing."""
    if _CHANGED.match(char) is None:
        return char
    if _MARKS.match(char) or _INVISIBLE.match(char):
        return ""
    if char in _LETTERS:
        return _LETTERS[char]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    if char < "\xa1":
        return " "
    plain = "".join(_LETTERS.get(c, c) for c in unicodedata.normalize("NFKC", char) if not _MARKS.match(c))
    # the isolated form of a mark is written out as a space that carries it
    return "" if plain == " " else plain


def key(surface: str) -> str:
    """Return the form under which two spellings of one name are the same.

    Beside `normalise`, the variants of alef, of final yeh and of teh marbuta are folded, quotation marks and
    underscores become spaces, and white space is single.
    """
    text = normal_form(surface).casefold()
    text = re.sub("[أإآ]", "ا", text).replace("ى", "ي").replace("ة", "ه")
    return " ".join(re.sub(r"[\"'“”«»‘’_]", " ", text).split())
