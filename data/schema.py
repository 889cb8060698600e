"""The values that travel through rasid: mentions, events and the article that holds them.

All offsets are half-open character offsets `[start, end)` into the raw text, which is never changed.
Every value is frozen and checks itself when it is built, so a value in hand is a valid one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rasid.data.errors import DataError
from rasid.data.scheme import ACTOR, EVENT_TYPES, LABELS, LOCATION, MODES, ROLES, SECTORS


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of the text that names an actor or a location.

    Args:
        start: first character.
        end: one past the last character; greater than `start`.
        label: `ACTOR` or `LOCATION`.
        entity: id of the real-world entity, shared by all its mentions in the article; begins with `A` for
            actors, `L` for locations.
        sector: one of `SECTORS` for an actor, None for a location (or where it is not known).
        score: probability in [0, 1] of a predicted mention, None for a gold one.

    Raises:
        DataError: where a value breaks the scheme.
    """

    start: int
    end: int
    label: str
    entity: str
    sector: str | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        """Check the invariants that need no text."""
        if not 0 <= self.start < self.end:
            raise DataError(f"a mention must have 0 <= start < end, got [{self.start}, {self.end})")
        if self.label not in LABELS:
            raise DataError(f"unknown label {self.label!r}; one of {', '.join(LABELS)}")
        prefix = "A" if self.label == ACTOR else "L"
        if not self.entity.startswith(prefix) or len(self.entity) < 2:
            raise DataError(f"{self.label} id {self.entity!r} must be {prefix!r} and a number")
        if self.sector is not None and self.sector not in SECTORS:
            raise DataError(f"unknown sector {self.sector!r} of {self.entity}; one of {', '.join(SECTORS)}")
        if self.sector is not None and self.label == LOCATION:
            raise DataError(f"location {self.entity} cannot have a sector ({self.sector})")
        _check_score(self.score)


@dataclass(frozen=True, slots=True)
class Event:
    """What one sentence reports to have happened, and who did it to whom where.

    Args:
        type: one of the 16 `EVENT_TYPES`.
        sentence: 0-based index of the sentence in the article.
        mode: one of `MODES[type]`, or None.
        sources: ids of the actors who do it.
        targets: ids of the actors it is done to.
        locations: ids of the places.
        score: probability in [0, 1] of a predicted event, None for a gold one.

    Raises:
        DataError: where a value breaks the scheme.
    """

    type: str
    sentence: int
    mode: str | None = None
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    score: float | None = None

    def __post_init__(self) -> None:
        """Check the invariants that need no article."""
        if self.type not in EVENT_TYPES:
            raise DataError(f"unknown event type {self.type!r}; one of {', '.join(EVENT_TYPES)}")
        if self.mode is not None and self.mode not in MODES[self.type]:
            known = ", ".join(MODES[self.type]) or "none"
            raise DataError(f"unknown mode {self.mode!r} of {self.type}; its modes: {known}")
        if self.sentence < 0:
            raise DataError(f"sentence index {self.sentence} is negative")
        for role, ids in zip(ROLES, self.roles, strict=True):
            prefix = "L" if role == "location" else "A"
            for entity in ids:
                if not entity.startswith(prefix):
                    raise DataError(f"{role} {entity!r} of {self.type} must be an id that begins with {prefix}")
            if len(set(ids)) < len(ids):
                raise DataError(f"{role} of {self.type} names one entity twice: {', '.join(ids)}")
        _check_score(self.score)

    @property
    def roles(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Entity ids in the order of `scheme.ROLES`: sources, targets, locations."""
        return self.sources, self.targets, self.locations


@dataclass(frozen=True, slots=True)
class Article:
    """A text with its sentences, mentions and events.

    Args:
        id: identifies the article in its file or corpus.
        text: the raw text as given.
        date: as given, free text; empty where unknown.
        sentences: half-open character spans, in order, not overlapping.
        mentions: sorted by start, longer first; those of one label do not overlap; each lies in one sentence.
        events: in the order of their sentences.
        meta: other keys of the record, kept as they came.

    Raises:
        DataError: where a value breaks the scheme; the message names the article's id.
    """

    id: str
    text: str = field(repr=False)
    date: str = ""
    sentences: tuple[tuple[int, int], ...] = ()
    mentions: tuple[Mention, ...] = ()
    events: tuple[Event, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Check that sentences, mentions and events fit the text and one another."""
        ordered = tuple(sorted(self.mentions, key=lambda m: (m.start, -m.end, m.label)))
        object.__setattr__(self, "mentions", ordered)
        try:
            _check_sentences(self.sentences, len(self.text))
            _check_mentions(self)
            _check_events(self)
        except DataError as error:
            raise DataError(error.message, source=self.id) from None

    def surface(self, span: Mention | tuple[int, int]) -> str:
        """Return the characters of a mention or of a sentence span."""
        start, end = (span.start, span.end) if isinstance(span, Mention) else span
        return self.text[start:end]

    def sentence_of(self, mention: Mention) -> int:
        """Return the index of the sentence that holds the mention.

        Raises:
            DataError: if no sentence holds all of it.
        """
        index = bisect_right(self.sentences, mention.start, key=lambda span: span[0]) - 1
        if index >= 0 and mention.end <= self.sentences[index][1]:
            return index
        raise DataError(f"mention [{mention.start}, {mention.end}) lies in no sentence", source=self.id)


def _check_score(score: float | None) -> None:
    if score is not None and not 0.0 <= score <= 1.0:
        raise DataError(f"a score must lie in [0, 1], got {score}")


def _check_sentences(sentences: tuple[tuple[int, int], ...], length: int) -> None:
    last = 0
    for start, end in sentences:
        if not last <= start < end <= length:
            raise DataError(
                f"sentence [{start}, {end}) is empty, overlaps the one before or leaves the text of {length} characters"
            )
        last = end


def _check_mentions(article: Article) -> None:
    for mention in article.mentions:
        where = f"mention [{mention.start}, {mention.end}) {mention.entity}"
        if mention.end > len(article.text):
            raise DataError(f"{where} leaves the text of {len(article.text)} characters")
        surface = article.surface(mention)
        if surface != surface.strip():
            raise DataError(f"{where} has white space at its edge: {surface!r}")
        if article.sentences:
            article.sentence_of(mention)
    for label in LABELS:
        same = [m for m in article.mentions if m.label == label]
        for left, right in pairwise(same):
            if right.start < left.end:
                raise DataError(
                    f"two {label} mentions overlap: {article.surface(left)!r} at {left.start} "
                    f"and {article.surface(right)!r} at {right.start}"
                )


def _check_events(article: Article) -> None:
    known = {m.entity for m in article.mentions}
    for event in article.events:
        if event.sentence >= len(article.sentences):
            raise DataError(
                f"{event.type} is in sentence {event.sentence} of an article of {len(article.sentences)} sentences"
            )
        for ids in event.roles:
            for entity in ids:
                if entity not in known:
                    raise DataError(f"{event.type} in sentence {event.sentence} names {entity}, which has no mention")
