"""Arabic sentence segmentation: raw text in, half-open character spans out.

Every character that is not white space lies in exactly one span, so nothing of the text is lost. A line break
always ends a sentence, as news pages put titles, captions and paragraphs on lines of their own. The Arabic
semicolon does not: it parts clauses that share their subject far more often than sentences. An ellipsis ends a
sentence only after several words, for headlines use it as a comma.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_LINE: Final = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_BREAK: Final = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_END: Final = re.compile(r"[.!?؟۔…]+")
_CLOSERS: Final = "\"'”’»)]}›"
_OPENERS: Final = "\"'“‘«([{‹"
_PAIRS: Final = {"«": "»", "“": "”", "(": ")", "[": "]", "‹": "›"}
# Titles and units that are written with a full stop; single letters are abbreviations without being listed.
_ABBREVIATIONS: Final = frozenset({"هـ", "ميم", "ص.ب", "ق.م", "Mr", "Mrs", "Dr", "St", "No", "vs", "etc"})
_LAST_WORD: Final = re.compile(r"[^\s«“\"(\[]+$")
_WORDS_BEFORE_ELLIPSIS: Final = 10
# A quotation longer than this is taken for one that was never closed.
_LONGEST_QUOTE: Final = 600


def segment(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a text as character spans, in order, without white space at their edges.

    Args:
        text: any text; it need not be Arabic.

    Returns:
        Spans `[start, end)`. An empty list for an empty or blank text.
    """
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        start = line.start()
        for end in _boundaries(text, line.start(), line.end()):
            _append(spans, text, start, end)
            start = end
        _append(spans, text, start, line.end())
    return spans


def line_starts(text: str, sentences: Sequence[tuple[int, int]]) -> list[bool]:
    """Tell for each sentence whether it is the first of its line."""
    ends = [0, *(end for _, end in sentences)]
    return [
        index == 0 or _BREAK.search(text, ends[index], start) is not None for index, (start, _) in enumerate(sentences)
    ]


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    kept = piece.strip()
    if kept:
        lead = len(piece) - len(piece.lstrip())
        spans.append((start + lead, start + lead + len(kept)))


def _boundaries(text: str, start: int, stop: int) -> list[int]:
    """Return where sentences of one line end, the line's own end left out."""
    quotes = _quotations(text, start, stop)
    ends: list[int] = []
    for mark in _END.finditer(text, start, stop):
        end = mark.end()
        while end < stop and text[end] in _CLOSERS:
            end += 1
        if any(left < mark.start() and end < right for left, right in quotes):
            continue
        if end < stop and _is_boundary(text, start, mark, end, stop):
            ends.append(end)
    return ends


def _quotations(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the spans, marks included, of quotations and brackets closed within the line."""
    found: list[tuple[int, int]] = []
    at = start
    while at < stop:
        closer = _PAIRS.get(text[at])
        close = text.find(closer, at + 1, min(stop, at + _LONGEST_QUOTE)) if closer else -1
        if close >= 0:
            found.append((at, close + 1))
            at = close
        at += 1
    return found


def _is_boundary(text: str, line_start: int, mark: re.Match[str], end: int, stop: int) -> bool:
    following = text[end]
    signs = mark.group()
    spaced = following.isspace()
    if len(signs) > 1 and set(signs) <= {".", "…"} or signs == "…":
        words = text[line_start : mark.start()].split()
        return spaced and len(signs) != 2 and len(words) >= _WORDS_BEFORE_ELLIPSIS
    if signs == ".":
        if _is_abbreviation(text, line_start, mark.start(), spaced):
            return False
        if not spaced:
            return _letters_before(text, line_start, mark.start()) >= 3 and _is_arabic(following)
        return True
    return spaced or _is_arabic(following) or following in _OPENERS


def _letters_before(text: str, start: int, at: int) -> int:
    count = 0
    while at - count - 1 >= start and _is_arabic(text[at - count - 1]):
        count += 1
    return count


def _is_arabic(char: str) -> bool:
    return "\u0620" <= char <= "\u064a" or "\u0671" <= char <= "\u06d3"


def _is_abbreviation(text: str, start: int, dot: int, spaced: bool) -> bool:
    word = _LAST_WORD.search(text, max(start, dot - 12), dot)
    if word is None:
        return False
    stem = word.group()
    if stem in _ABBREVIATIONS:
        return True
    last = stem.rsplit(".", 1)[-1]
    if len(last) == 1 and last.isalpha():
        return True
    # a list number such as "1." belongs to what follows; the number at a sentence's end stands after a word
    return stem.isdigit() and len(stem) <= 2 and not text[start : dot - len(stem)].strip()
