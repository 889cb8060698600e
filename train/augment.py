"""Labelled articles in other words, for training: other names, spellings, quotation marks and sentence bounds.

Each change is drawn anew for each article in each epoch, so a model seldom sees the same article twice. Diacritics and
tatweel need no change of their own: the normalisation before the tokenizer drops them everywhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from rasid.data.schema import Article, Mention
from rasid.data.scheme import ACTOR, LOCATION
from rasid.train.rewrite import Edit, rewrite

# Words before a place that say what kind it is; a name is swapped for another that has stood after the same word.
_PLACE_KINDS: Final = ("مدينة", "بلدة", "قرية", "محافظة", "ناحية", "حي", "مديرية", "ولاية")
# Titles before the name of a man, which is swapped for that of another man.
_TITLE: Final = re.compile(
    r"(?:العميد|اللواء|العقيد|المقدم|الرائد|النقيب|الملازم(?: أول)?|القيادي|القائد|الشيخ|الدكتور|المدعو|المحامي|الناشط|"
    r"الصحفي|المهندس|الشاب) "
)
_PERSON: Final = re.compile(r"(?!ال)[\u0621-\u064a]+(?: [\u0621-\u064a]+){1,2}")
_UNITS: Final = (
    (
        re.compile(r"(?:الفرقة|الكتيبة|السرية) (?:ال\w+ة)"),
        ("الأولى", "الثالثة", "الرابعة", "الخامسة", "السابعة", "التاسعة", "العاشرة"),
    ),
    (
        re.compile(r"(?:اللواء|الفوج|الفيلق) (?:ال(?:أول|ثاني|ثالث|رابع|خامس|سادس|سابع|ثامن|تاسع|عاشر))"),
        ("الأول", "الثاني", "الثالث", "الرابع", "الخامس", "السابع", "الثامن"),
    ),
)
_QUOTES: Final = re.compile(r"«([^«»\n]{1,80})»|“([^“”\n]{1,80})”|\"([^\"\n]{1,80})\"")
_QUOTE_STYLES: Final = (("«", "»"), ("“", "”"), ('"', '"'), ("”", "“"), ("", ""))
_HAMZA: Final = re.compile("[أإآ]")
_SPLIT: Final = re.compile(r"(?:،|؛) (?=[وف]\w)")
# Only short sentences are joined, as writers do; the words of both together.
_JOINED_WORDS: Final = 40
_SPLIT_WORDS: Final = 8


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The probability of each change for an article in an epoch; 0 for never.

    Args:
        names: places, persons and units are swapped for others of their kind, alike in the whole article.
        hamza: alefs lose their hamza and madda, and a final yeh its dots or a teh marbuta its own.
        quotes: all pairs of quotation marks take another style, or go.
        sentences: some short neighbours are joined, and some sentences without events are split.
    """

    names: float = 0.0
    hamza: float = 0.0
    quotes: float = 0.0
    sentences: float = 0.0

    def __bool__(self) -> bool:
        """Return whether anything is ever changed."""
        return any(getattr(self, f.name) > 0 for f in fields(self))


@dataclass(frozen=True, slots=True)
class Names:
    """Names to choose from: places by the word for their kind, and names of men."""

    places: Mapping[str, tuple[str, ...]]
    persons: tuple[str, ...]


def collect_names(articles: Iterable[Article]) -> Names:
    """Collect the names that the articles themselves have, those of persons from fiction only."""
    places: dict[str, Counter[str]] = defaultdict(Counter)
    persons: Counter[str] = Counter()
    for article in articles:
        for mention in article.mentions:
            kind = _kind(article, mention)
            if kind:
                places[kind][article.surface(mention)] += 1
            name = _person(article, mention)
            if name and article.meta.get("fiction"):
                persons[name] += 1
    return Names({kind: tuple(sorted(found)) for kind, found in sorted(places.items())}, tuple(sorted(persons)))


def augment(article: Article, how: Augmentation, names: Names, rng: np.random.Generator) -> Article:
    """Return the article with the changes that are drawn for it.

    Args:
        article: what to change; it stays as it is.
        how: the probability of each change.
        names: what names are swapped for.
        rng: draws.
    """
    draws = rng.random(4)
    if draws[0] < how.names:
        article = rewrite(article, _swap_names(article, names, rng))
    if draws[1] < how.quotes:
        article = rewrite(article, _other_quotes(article.text, _QUOTE_STYLES[rng.integers(len(_QUOTE_STYLES))]))
    if draws[2] < how.sentences:
        article = _split_sentences(_join_sentences(article, rng), rng)
    if draws[3] < how.hamza:
        article = rewrite(article, _drop_hamza(article.text, rng))
    return article


def _kind(article: Article, mention: Mention) -> str | None:
    """Return the word for its kind that stands right before a plain place name."""
    surface = article.surface(mention)
    if mention.label != LOCATION or surface.count(" ") > 1 or not surface.replace(" ", "").isalpha():
        return None
    before = article.text[max(mention.start - 12, 0) : mention.start]
    words = before.split(" ")
    if len(words) < 2 or words[-1]:
        return None
    word = words[-2]
    return next((kind for kind in _PLACE_KINDS if word == kind or word[1:] == kind and word[0] in "وفبلك"), None)


def _person(article: Article, mention: Mention) -> str | None:
    surface = article.surface(mention)
    title = _TITLE.match(surface)
    if mention.label != ACTOR or title is None:
        return None
    name = surface[title.end() :]
    return name if _PERSON.fullmatch(name) else None


def _swap_names(article: Article, names: Names, rng: np.random.Generator) -> Iterator[Edit]:
    """Yield edits that give places and persons other names, in every mention of them."""
    swaps: dict[str, str] = {}
    for mention in article.mentions:
        old = article.surface(mention)
        kind = _kind(article, mention)
        person = _person(article, mention)
        pool: Sequence[str] = names.places.get(kind, ()) if kind else names.persons if person else ()
        old = person or old
        if len(pool) > 1 and old not in swaps and old not in swaps.values():
            new = pool[int(rng.integers(len(pool)))]
            # a name that the article has already would make two entities one
            if new not in article.text and new not in swaps.values():
                swaps[old] = new
    if swaps:
        either = "|".join(map(re.escape, sorted(swaps, key=len, reverse=True)))
        pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)")
        for mention in article.mentions:
            for found in pattern.finditer(article.surface(mention)):
                yield Edit(mention.start + found.start(), mention.start + found.end(), swaps[found[0]])
    yield from _swap_units(article, rng)


def _swap_units(article: Article, rng: np.random.Generator) -> Iterator[Edit]:
    swaps: dict[str, str] = {}
    for mention in article.mentions:
        if mention.label != ACTOR:
            continue
        for pattern, ordinals in _UNITS:
            for found in pattern.finditer(article.surface(mention)):
                old = found[0].split(" ")[1]
                new = swaps.setdefault(found[0], ordinals[rng.integers(len(ordinals))])
                yield Edit(mention.start + found.end() - len(old), mention.start + found.end(), new)


def _other_quotes(text: str, style: tuple[str, str]) -> Iterator[Edit]:
    for found in _QUOTES.finditer(text):
        yield Edit(found.start(), found.start() + 1, style[0])
        yield Edit(found.end() - 1, found.end(), style[1])


def _drop_hamza(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    for found in _HAMZA.finditer(text):
        yield Edit(found.start(), found.end(), "ا")
    old, new = (("ة", "ه"), ("ي", "ى"), ("ى", "ي"))[rng.integers(3)]
    for found in re.finditer(rf"{old}(?!\w)", text):
        yield Edit(found.start(), found.end(), new)


def _join_sentences(article: Article, rng: np.random.Generator) -> Article:
    """Join neighbours, the full stop between them becoming a comma; the text keeps its length."""
    joined: list[int] = []
    edits: list[Edit] = []
    sentences = article.sentences
    for index in range(len(sentences) - 1):
        (start, end), (after, last) = sentences[index], sentences[index + 1]
        short = len(article.text[start:last].split()) <= _JOINED_WORDS
        plain = article.text[end - 1 : after] in (". ", ".\n") and end - start > 1
        if short and plain and index not in joined and rng.random() < 0.3:
            joined.append(index + 1)
            edits += [Edit(end - 1, end, "،"), Edit(end, after, " ")]
    if not joined:
        return article
    changed = rewrite(article, edits)
    kept = [index for index in range(len(sentences)) if index not in joined]
    number = {index: position for position, index in enumerate(kept)}
    for index in joined:
        number[index] = number[index - 1]
    spans = [
        (sentences[index][0], sentences[index + 1][1] if index + 1 in joined else sentences[index][1]) for index in kept
    ]
    events = dict.fromkeys(replace(event, sentence=number[event.sentence]) for event in article.events)
    return replace(changed, sentences=tuple(spans), events=tuple(events))


def _split_sentences(article: Article, rng: np.random.Generator) -> Article:
    """Split sentences that report no event before a conjunction; where events belong, only a reader could tell."""
    busy = {event.sentence for event in article.events}
    spans: list[tuple[int, int]] = []
    moved: dict[int, int] = {}
    for index, (start, end) in enumerate(article.sentences):
        moved[index] = len(spans)
        cut = None if index in busy or rng.random() < 0.5 else _place_to_cut(article, start, end)
        spans += [(start, end)] if cut is None else [(start, cut[0]), (cut[1], end)]
    events = tuple(replace(event, sentence=moved[event.sentence]) for event in article.events)
    return replace(article, sentences=tuple(spans), events=events)


def _place_to_cut(article: Article, start: int, end: int) -> tuple[int, int] | None:
    for found in _SPLIT.finditer(article.text, start, end):
        sides = (article.text[start : found.start()], article.text[found.end() : end])
        crossed = any(m.start < found.end() and found.start() < m.end for m in article.mentions)
        if not crossed and all(len(side.split()) >= _SPLIT_WORDS for side in sides):
            return found.start() + 1, found.end()
    return None
