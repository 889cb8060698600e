"""Logits to labels: pure functions from arrays to mentions, events and roles."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import (
    ACTOR,
    DIRECTIONS,
    EVENT_TYPES,
    LOCATION,
    NAMELESS_PLACES,
    PLACE_CLASSES,
    ROLES,
    SECTORS,
)
from rasid.inference.calibration import EVENT, NO_CURVES, PLAIN, Curve, Curves
from rasid.inference.entities import Named, join_mentions
from rasid.inference.layout import COLUMNS_OF_TYPE, MAX_DISTANCE, MODE_COLUMNS, gap_columns
from rasid.inference.merge import Patchwork, Scores
from rasid.inference.normalise import normal_form
from rasid.inference.pieces import Pieces

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Columns of the role logits: 0 for none, then the roles.
_ROLE_COLUMNS: Final = range(1, len(ROLES) + 1)
_O: Final = 0
_B: Final = 1
_I: Final = 2
_EDGE_PUNCTUATION: Final = frozenset("،؛؟.,;:!…")
# Writers mix the kinds of upper marks in one pair, and turn guillemets round.
_QUOTES: Final = {**dict.fromkeys("«»", "«"), **dict.fromkeys('“”„"', '"')}


_COUNTRYSIDE: Final = re.compile(r"[وفبلك]{0,2}ريف")


@dataclass(frozen=True, slots=True)
class Span:
    """A mention while it is being decoded: its words and pieces `[first, last)`, its sentence and its probability."""

    label: str
    words: tuple[int, int]
    pieces: tuple[int, int]
    sentence: int
    score: float


def softmax(logits: FloatArray) -> FloatArray:
    """Return the softmax over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def sigmoid(logits: FloatArray) -> FloatArray:
    """Return the logistic function, without overflow."""
    result: FloatArray = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
    return result


def word_probabilities(logits: FloatArray, pieces: Pieces) -> tuple[FloatArray, IntArray]:
    """Turn the BIO logits of pieces into those of words.

    A word's later pieces say only whether they lie inside a span; their log-probability is averaged and counts
    as much as its first piece.

    Args:
        logits: (pieces, 3).
        pieces: the article's pieces.

    Returns:
        (words, 3) probabilities of O, B, I, and (words + 1,) where each word's pieces begin.
    """
    log = np.log(softmax(logits) + 1e-9)
    count = len(pieces.ends)
    begins = np.searchsorted(pieces.words, np.arange(count + 1))
    first = log[begins[:-1]]
    later = np.ones(len(log), dtype=bool)
    later[begins[:-1]] = False
    numbers = (begins[1:] - begins[:-1] - 1).astype(np.float32)
    inside = np.bincount(pieces.words[later], np.logaddexp(log[later, _B], log[later, _I]), count) / np.maximum(
        numbers, 1
    )
    outside = np.bincount(pieces.words[later], log[later, _O], count) / np.maximum(numbers, 1)
    rest = np.stack([outside, inside, inside], axis=1)
    share = np.where(numbers > 0, 0.5, 1.0)[:, None]
    return softmax((share * first + (1 - share) * rest).astype(np.float32)), begins


def decode_spans(logits: FloatArray, label: str, pieces: Pieces, text: str, curve: Curve = PLAIN) -> list[Span]:
    """Return the spans of one layer: runs of B and I words within a sentence; an I after O begins a span too.

    Args:
        logits: (pieces, 3).
        label: of the layer.
        pieces: of the text.
        text: the raw text.
        curve: makes the probability of a span.
    """
    if not len(pieces.ends):
        return []
    probabilities, begins = word_probabilities(logits, pieces)
    tags = probabilities.argmax(axis=1)
    sentence_of = np.zeros(len(tags), dtype=np.int64)
    first_words = np.ones(len(tags), dtype=bool)
    first_words[1:] = False
    for index, (start, end) in enumerate(pieces.sentences):
        if start < end:
            left, right = pieces.words[start], pieces.words[end - 1] + 1
            sentence_of[left:right] = index
            first_words[left] = True
    inside = tags != _O
    before = np.concatenate([[False], inside[:-1]])
    starts = np.flatnonzero(inside & ((tags == _B) | ~before | first_words))
    # each run ends where another begins, a sentence ends, or the text does
    breaks = np.append(np.flatnonzero(~inside | (tags == _B) | first_words), len(tags))
    ends = breaks[np.searchsorted(breaks, starts, side="right")].tolist()
    sentences = sentence_of[starts]
    limits = np.minimum(np.searchsorted(sentence_of, sentences, side="right"), [*starts[1:], len(tags)]).tolist()
    firsts = np.searchsorted(sentence_of, sentences).tolist()
    signs = [text[at] for at in pieces.starts[:, 0].tolist()]
    marks = [_QUOTES.get(sign, "") for sign in signs]
    surest = np.log(probabilities[:, 1:].sum(axis=1) + 1e-9).tolist()
    spans: list[Span] = []
    runs = zip(starts.tolist(), ends, limits, firsts, sentences.tolist(), strict=True)
    for start, end, limit, first, sentence in runs:
        left, right = _trim(start, end, signs)
        left, right = _trim(*_balance(left, right, limit, marks), signs)
        if label == LOCATION and left < right:
            left = _with_direction(left, max(first, spans[-1].words[1] if spans else 0), pieces, text)
        if left < right:
            score = min(math.exp(sum(surest[left:right]) / (right - left)), 1.0)
            own = int(begins[left]), int(begins[right])
            spans.append(Span(label, (left, right), own, sentence, curve(score)))
    return spans


def _trim(start: int, end: int, signs: Sequence[str]) -> tuple[int, int]:
    """Take punctuation that never belongs to a name off both ends of a run of words, each known by its first sign."""
    while start < end and signs[end - 1] in _EDGE_PUNCTUATION:
        end -= 1
    while start < end and signs[start] in _EDGE_PUNCTUATION:
        start += 1
    return start, end


def _balance(start: int, end: int, after: int, marks: Sequence[str]) -> tuple[int, int]:
    """Give a run of words both quotation marks of a pair or none, as the guidelines have it.

    A pair around the whole run is left out, and so is a mark that stands alone at an edge; a pair that opens inside
    the run is closed by the mark right after it.

    Args:
        start: first word of the run.
        end: one past its last.
        after: one past the last word that the run may take.
        marks: of each word, which kind of quotation mark it is, empty for none.
    """
    for kind in dict.fromkeys(mark for mark in marks[start:end] if mark):
        count = marks[start:end].count(kind)
        if count == 2 and marks[start] == marks[end - 1] == kind:
            start, end = start + 1, end - 1
        elif count % 2 == 0:
            continue
        elif marks[start] != kind and end < after and marks[end] == kind:
            end += 1
        elif marks[end - 1] == kind:
            end -= 1
        elif marks[start] == kind:
            start += 1
    return start, end


def _with_direction(start: int, first: int, pieces: Pieces, text: str) -> int:
    """Return where a place begins with the direction or ريف right before its name, as in `شمال شرقي سوريا`.

    Args:
        start: its first word.
        first: the first word that it may take.
        pieces: of the text.
        text: the raw text.
    """

    def word(index: int) -> str:
        return normal_form(text[pieces.starts[index, 0] : pieces.ends[index]])

    # the countryside of a town is another place than the town
    if start > first and _COUNTRYSIDE.fullmatch(word(start - 1)):
        return start - 1
    if word(start) not in PLACE_CLASSES:
        while start > first and word(start - 1) in DIRECTIONS:
            start -= 1
    return start


def _proclitics(scores: Scores, span: Span, pieces: Pieces, text: str) -> int:
    first = span.words[0]
    word = normal_form(text[pieces.starts[first, 0] : pieces.ends[first]])
    if span.label == LOCATION and _COUNTRYSIDE.fullmatch(word):
        return len(word) - len("ريف")
    allowed = int(pieces.proclitics[first])
    return int(scores.proclitic[span.pieces[0], : allowed + 1].argmax()) if allowed else 0


def decode_article(
    article: Article,
    sentences: Sequence[tuple[int, int]],
    pieces: Pieces,
    scores: Scores,
    *,
    event_threshold: float,
    mode_threshold: float | None = None,
    min_score: float = 0.0,
    curves: Curves = NO_CURVES,
) -> Article:
    """Put the labels that the scores say onto an article.

    Args:
        article: its id, text, date and other keys are kept, its labels replaced.
        sentences: the sentences that the pieces were cut from.
        pieces: of the whole article.
        scores: of the whole article.
        event_threshold: probability from which an event type is reported.
        mode_threshold: probability from which a further mode of it makes an event of its own, with the same roles;
            None for the likeliest mode alone.
        min_score: mentions and events below this probability are left out.
        curves: by layer, what makes the network's probabilities those that are reported and compared.
    """
    spans = [
        span
        for label, logits in ((ACTOR, scores.actor), (LOCATION, scores.location))
        for span in decode_spans(logits, label, pieces, article.text, curves.get(label, PLAIN))
    ]
    spans = [span for span in spans if span.score >= min_score]
    spans = [span for span in spans if span.label == ACTOR or not _nameless(span, pieces, article.text)]
    spans.sort(key=lambda s: (s.pieces[0], -s.pieces[1], s.label))
    mentions = _mentions(spans, pieces, scores, article.text)
    thresholds = (max(event_threshold, min_score), mode_threshold)
    curve = curves.get(EVENT, PLAIN)
    events = _events(spans, mentions, scores, thresholds, curve, len(sentences)) if len(sentences) else []
    return Article(
        article.id, article.text, article.date, tuple(sentences), tuple(mentions), tuple(events), article.meta
    )


def _nameless(span: Span, pieces: Pieces, text: str) -> bool:
    """Return whether a place has no name, such as `الريف الغربي`: the guidelines mark no such mention."""
    starts, ends = pieces.starts[slice(*span.words), 0], pieces.ends[slice(*span.words)]
    return all(normal_form(text[a:b]) in NAMELESS_PLACES for a, b in zip(starts, ends, strict=True))


def _means(values: FloatArray | Patchwork, spans: Sequence[Span]) -> FloatArray:
    """Return the mean of each span's rows: (spans, …) of (pieces, …)."""
    rows = values[np.concatenate([np.arange(*span.pieces) for span in spans])]
    lengths = np.array([span.pieces[1] - span.pieces[0] for span in spans])
    begins = np.cumsum(lengths) - lengths
    means = np.empty((len(spans), *rows.shape[1:]), np.float32)
    for length in np.unique(lengths):  # ten times as quick as np.add.reduceat
        same = lengths == length
        means[same] = rows[begins[same][:, None] + np.arange(length)].mean(axis=1)
    return means


def _mentions(spans: Sequence[Span], pieces: Pieces, scores: Scores, text: str) -> list[Mention]:
    found: list[Named] = []
    sectors = _means(scores.sector, spans).argmax(axis=1).tolist() if spans else []
    for span, best in zip(spans, sectors, strict=True):
        start = int(pieces.starts[span.words[0], _proclitics(scores, span, pieces, text)])
        end = int(pieces.ends[span.words[1] - 1])
        sector = SECTORS[best] if span.label == ACTOR else None
        found.append(Named(span.label, sector, text[start:end], start, end))
    entities = join_mentions(found, text)
    return [
        Mention(named.start, named.end, named.label, entity, named.sector, span.score)
        for named, entity, span in zip(found, entities, spans, strict=True)
    ]


def _events(
    spans: Sequence[Span],
    mentions: Sequence[Mention],
    scores: Scores,
    thresholds: tuple[float, float | None],
    curve: Curve,
    count: int,
) -> list[Event]:
    threshold, mode_threshold = thresholds
    probabilities = sigmoid(curve.scale * scores.event + curve.shift)
    roles = _RoleScorer(spans, mentions, scores)
    events: list[Event] = []
    for sentence, kind in np.argwhere(probabilities[:count] >= threshold):
        sources, targets, places = roles(int(sentence), int(kind))
        score = float(probabilities[sentence, kind])
        for mode in _modes(scores.mode[sentence], int(kind), mode_threshold):
            events.append(Event(EVENT_TYPES[kind], int(sentence), mode, sources, targets, places, score))
    return events


def _modes(logits: FloatArray, kind: int, threshold: float | None) -> list[str | None]:
    """Return the likeliest mode of a type, and after it, in the order of the scheme, others that are likely too."""
    columns = list(COLUMNS_OF_TYPE[kind])
    best = int(logits[columns].argmax())
    found = [best]
    if threshold is not None:
        found += [int(i) for i in np.flatnonzero(sigmoid(logits[columns]) >= threshold) if i != best]
    return [MODE_COLUMNS[columns[i]][1] for i in found]


class _RoleScorer:
    """Who is source, target and place of an event, of the mentions in its sentence and those near it in its window."""

    def __init__(self, spans: Sequence[Span], mentions: Sequence[Mention], scores: Scores) -> None:
        self._scores = scores
        self._mentions = mentions
        self._sentences = np.array([span.sentence for span in spans], dtype=np.int64)
        self._firsts = np.array([span.pieces[0] for span in spans], dtype=np.float32)
        self._states = _means(scores.token_role, spans) if spans else None
        # actors are never places and places never act
        self._allowed = np.ones((len(spans), len(ROLES) + 1), dtype=np.float32)
        for row, span in enumerate(spans):
            self._allowed[row, [3] if span.label == ACTOR else [1, 2]] = 0.0

    def __call__(self, sentence: int, kind: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return the entity ids of sources, targets and locations; an entity takes the role it is surest of."""
        if self._states is None:
            return (), (), ()
        distance = self._sentences - sentence
        # states of two windows were never compared in training
        together = self._scores.windows[self._sentences] == self._scores.windows[sentence]
        near = np.flatnonzero(together & (np.abs(distance) <= MAX_DISTANCE))
        logits = self._states[near] @ self._scores.event_role[sentence, kind]
        logits += self._scores.role_bias[distance[near] + MAX_DISTANCE]
        logits += self._scores.gap_bias[gap_columns(self._firsts[near] - self._scores.event_at[sentence, kind])]
        probabilities = softmax(logits) * self._allowed[near]
        roles = probabilities.argmax(axis=1)
        sure = np.take_along_axis(probabilities, roles[:, None], axis=1)[:, 0]
        # an entity named in the event's own sentence is judged there, as in training
        here = {self._mentions[i].entity for i in near.tolist() if distance[i] == 0}
        best: dict[str, tuple[float, int]] = {}
        for index, role, score in zip(near.tolist(), roles.tolist(), sure.tolist(), strict=True):
            mention = self._mentions[index]
            if distance[index] and mention.entity in here:
                continue
            if role and score > best.get(mention.entity, (0.0, 0))[0]:
                best[mention.entity] = (score, role)
        sources, targets, places = (tuple(e for e, (_, role) in best.items() if role == r) for r in _ROLE_COLUMNS)
        return sources, targets, places
