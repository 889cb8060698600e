"""A lint for labelled articles: the slips that annotators make, found by rule.

A finding is a place to look, not a fault: the guidelines decide, and some findings are right as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rasid.data.schema import Article, Mention
from rasid.data.scheme import ACTOR, DIRECTIONS, LOCATION, NAMELESS_PLACES, PLACE_CLASSES

_PROCLITICS: Final = "وفبلك"
_ARTICLE_CLITIC: Final = re.compile(r"(?:[وفبك]ال|لل|[وف][بلك]ال|[وف]لل)(?!د|ي\b|دة|ده)\w{3,}")
_CLASS_NOUN: Final = re.compile(r"(?:مدينة|مدينتي|بلدة|بلدتي|قرية|قريتي|محافظة|محافظتي|ناحية)\s+\w")
_LAST_WORD: Final = re.compile(r"(?<!\w)[وفبل]?(\w+) $")
_NUMERAL: Final = re.compile(r"[0-9٠-٩]")
_EDGE: Final = "،؛؟.,;:!…()-–—"
_QUOTE_PAIRS: Final = (("“", "”"), ("«", "»"), ("(", ")"))
_SAME_QUOTE: Final = '"'
_CUES: Final = re.compile(
    r"(?<!\w)[وف]?(?:قصف(?:ت|وا)?|اعتقل(?:ت|وا)?|اغتال(?:ت|وا)?|اغتيال|اختطف(?:ت|وا)?|خطف(?:ت|وا)?|"
    r"انسحب(?:ت|وا)?|هاجم(?:ت|وا)?|اشتباكات|اتهم(?:ت|وا)?|أدان(?:ت|وا)?|ندد(?:ت|وا)?|طالب(?:ت|وا)?|"
    r"هدد(?:ت|وا)?|توعد(?:ت|وا)?|التقى|التقت|رفض(?:ت|وا)?|حاصر(?:ت|وا)?|داهم(?:ت|وا)?|"
    r"أفرج(?:ت|وا)?|تظاهر(?:ت|وا)?|مظاهرة|صادر(?:ت|وا)?)(?!\w)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One place to look: which rule, in which article and sentence (0-based; -1 for the whole), and why."""

    rule: str
    article: str
    sentence: int
    message: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        where = self.article if self.sentence < 0 else f"{self.article}, sentence {self.sentence + 1}"
        return f"{where}: {self.rule}: {self.message}"


def lint(article: Article) -> list[Finding]:
    """Return every finding of every rule, in the order of the text."""
    found = [finding for rule in _RULES for finding in rule(article)]
    return sorted(found, key=lambda f: f.sentence)


def _edges(article: Article) -> Iterator[Finding]:
    for m in article.mentions:
        surface = article.surface(m)
        sentence = _sentence_at(article, m.start)
        if surface[0] in _EDGE or surface[-1] in _EDGE.replace(")", ""):
            yield Finding("edge", article.id, sentence, f"{surface!r} begins or ends with punctuation")
        if _NUMERAL.match(surface) and m.label == ACTOR:
            yield Finding("numeral", article.id, sentence, f"{surface!r} begins with a numeral; numerals stay outside")
        if m.label == LOCATION and _CLASS_NOUN.match(surface):
            yield Finding("class-noun", article.id, sentence, f"{surface!r} begins with a class noun; it stays outside")


def _places(article: Article) -> Iterator[Finding]:
    for m in article.mentions:
        if m.label != LOCATION:
            continue
        words = article.surface(m).split()
        sentence = _sentence_at(article, m.start)
        if NAMELESS_PLACES.issuperset(words):
            yield Finding("nameless", article.id, sentence, f"{article.surface(m)!r} names no place by itself")
        before = _LAST_WORD.search(article.text[max(m.start - 20, 0) : m.start])
        if before and before[1] in DIRECTIONS and words[0] not in PLACE_CLASSES:
            message = f"{before[1]!r} right before {article.surface(m)!r} belongs to it"
            yield Finding("direction", article.id, sentence, message)


def _quotes(article: Article) -> Iterator[Finding]:
    for m in article.mentions:
        surface = article.surface(m)
        unbalanced = any(surface.count(a) != surface.count(b) for a, b in _QUOTE_PAIRS)
        if unbalanced or surface.count(_SAME_QUOTE) % 2:
            yield Finding(
                "quotes",
                article.id,
                _sentence_at(article, m.start),
                f"{surface!r} has a quotation mark without its mate",
            )
        elif _wrapped(surface):
            yield Finding(
                "quotes",
                article.id,
                _sentence_at(article, m.start),
                f"{surface!r}: a pair around the whole span stays outside",
            )


def _wrapped(surface: str) -> bool:
    inner = surface[1:-1]
    if surface[0] == surface[-1] == _SAME_QUOTE:
        return len(surface) > 1 and _SAME_QUOTE not in inner
    return any(surface[0] == a and surface[-1] == b and a not in inner for a, b in _QUOTE_PAIRS)


def _proclitics(article: Article) -> Iterator[Finding]:
    surfaces = {article.surface(m) for m in article.mentions}
    for m in article.mentions:
        surface = article.surface(m)
        known = surface[0] in _PROCLITICS and len(surface) > 3 and surface[1:] in surfaces
        if known or _ARTICLE_CLITIC.match(surface):
            yield Finding(
                "proclitic",
                article.id,
                _sentence_at(article, m.start),
                f"{surface!r} may begin with a proclitic, which stays outside",
            )


def _unlabelled(article: Article) -> Iterator[Finding]:
    covered = bytearray(len(article.text))
    for m in article.mentions:
        covered[m.start : m.end] = b"\x01" * (m.end - m.start)
    for surface in sorted({article.surface(m) for m in article.mentions}):
        if len(surface) < 4:
            continue
        for match in re.finditer(rf"(?<!\w)(?:[وف]?[بلك]?)({re.escape(surface)})(?!\w)", article.text):
            if not any(covered[match.start(1) : match.end(1)]):
                yield Finding(
                    "unlabelled",
                    article.id,
                    _sentence_at(article, match.start(1)),
                    f"{surface!r} is labelled elsewhere, not here",
                )


def _sentence_at(article: Article, at: int) -> int:
    return next((i for i, (start, end) in enumerate(article.sentences) if start <= at < end), -1)


def _split_ids(article: Article) -> Iterator[Finding]:
    first: dict[tuple[str, str], Mention] = {}
    for m in article.mentions:
        earlier = first.setdefault((m.label, article.surface(m)), m)
        if earlier.entity != m.entity:
            message = f"{article.surface(m)!r} is {m.entity} here and {earlier.entity} before"
            yield Finding("ids", article.id, _sentence_at(article, m.start), message)


def _cues(article: Article) -> Iterator[Finding]:
    with_events = {event.sentence for event in article.events}
    for index, span in enumerate(article.sentences):
        cue = _CUES.search(article.surface(span))
        if cue and index not in with_events:
            yield Finding("no-event", article.id, index, f"{cue.group()!r} in a sentence without events")


_RULES: Final[tuple[Callable[[Article], Iterator[Finding]], ...]] = (
    _edges,
    _places,
    _quotes,
    _proclitics,
    _unlabelled,
    _split_ids,
    _cues,
)
