"""Changes to the text of a labelled article that carry its labels along."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from rasid.data.schema import Article


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `text` in the place of the characters `[start, end)`."""

    start: int
    end: int
    text: str


def rewrite(article: Article, edits: Iterable[Edit]) -> Article:
    """Return the article with its text changed, and sentences and mentions where they now are.

    An edit may not reach over the edge of a mention or a sentence from inside to outside, nor leave one without a
    character; such edits, and those that overlap an earlier one, are left out, as they would break a label.

    Args:
        article: what is changed; its events stay as they are.
        edits: in any order.
    """
    spans = [*article.sentences, *((m.start, m.end) for m in article.mentions)]
    chosen: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < edit.end and _follows(edit, chosen) and all(_fits(edit, span, article.text) for span in spans):
            chosen.append(edit)
    if not chosen:
        return article
    parts: list[str] = []
    at = 0
    for edit in chosen:
        parts += [article.text[at : edit.start], edit.text]
        at = edit.end
    parts.append(article.text[at:])
    ends = [edit.end for edit in chosen]
    shifts = [0, *accumulate(len(edit.text) - (edit.end - edit.start) for edit in chosen)]

    def moved(offset: int) -> int:
        return offset + shifts[bisect_right(ends, offset)]

    return replace(
        article,
        text="".join(parts),
        sentences=tuple((moved(start), moved(end)) for start, end in article.sentences),
        mentions=tuple(replace(m, start=moved(m.start), end=moved(m.end)) for m in article.mentions),
    )


def _follows(edit: Edit, chosen: Sequence[Edit]) -> bool:
    if not chosen or chosen[-1].end < edit.start:
        return True
    # two that touch could together empty a span, or bare a white space at its edge
    return chosen[-1].end == edit.start and bool(chosen[-1].text and edit.text)


def _fits(edit: Edit, span: tuple[int, int], text: str) -> bool:
    start, end = span
    if edit.end <= start or end <= edit.start:
        return True
    if not (start <= edit.start and edit.end <= end):
        return False
    if edit.text:
        return edit.text == edit.text.strip() or start < edit.start and edit.end < end
    rest = text[start : edit.start] + text[edit.end : end]
    return bool(rest) and rest == rest.strip()
