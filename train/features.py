"""Labelled articles made into what the losses compare: the same segments, pieces and windows as in inference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import ACTOR, EVENT_TYPES, SECTORS
from rasid.inference.batches import Batch, Special, make_batch
from rasid.inference.layout import MAX_DISTANCE, MODE_COLUMNS
from rasid.inference.pieces import Pieces, to_pieces
from rasid.inference.segment import segment
from rasid.inference.windows import Window, plan_windows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

IGNORE: Final = -100

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelledMention:
    """A gold mention in pieces: its range, sentence, sector (IGNORE where it has none), entity and layer."""

    first: int
    last: int
    sentence: int
    sector: int
    entity: str
    actor: bool


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """The gold events of one type in one sentence, together: columns of their modes, and 1-based roles by entity."""

    sentence: int
    type: int
    modes: tuple[int, ...]
    roles: dict[str, int]


@dataclass(frozen=True, slots=True)
class Features:
    """One article ready for training.

    Args:
        pieces: its pieces.
        actor: int64 (pieces,), BIO index of the ACTOR layer.
        location: int64 (pieces,), of the LOCATION layer.
        proclitic: int64 (pieces,), letters before the span at the first piece of its first word, else IGNORE.
        mentions: the gold mentions.
        events: the gold events.
    """

    pieces: Pieces
    actor: IntArray
    location: IntArray
    proclitic: IntArray
    mentions: tuple[LabelledMention, ...]
    events: tuple[LabelledEvent, ...]


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """A batch and its labels.

    Args:
        batch: the arrays that the network reads.
        actor, location, proclitic: int64 (B, T), IGNORE outside the sentences.
        event: float32 (B, S, types), 1 where reported.
        event_mask: bool (B, S), False for padding.
        spans: int64 (mentions, 3): row, first token, one past the last.
        mentions: int64 (mentions, 2): row, and which of its article's mentions it is.
        sectors: int64 (mentions,), IGNORE for locations.
        events: int64 (events, 3): row, sentence slot, type.
        modes: float32 (events, modes), 1 in the columns of the mode head that the event has; several where a sentence
            reports the type more than once.
        pairs: int64 (pairs, 6): mention, row, sentence slot, type, distance column, role.
    """

    batch: Batch
    actor: IntArray
    location: IntArray
    proclitic: IntArray
    event: NDArray[np.float32]
    event_mask: NDArray[np.bool_]
    spans: IntArray
    mentions: IntArray
    sectors: IntArray
    events: IntArray
    modes: NDArray[np.float32]
    pairs: IntArray


def to_features(article: Article, tokenizer: Tokenizer) -> Features:
    """Put an article's labels onto its pieces."""
    if not article.sentences:
        article = replace(article, sentences=tuple(segment(article.text)))
    pieces = to_pieces(article.text, article.sentences, tokenizer)
    layers = {name: np.zeros(len(pieces.ids), dtype=np.int64) for name in (True, False)}
    proclitic = np.full(len(pieces.ids), IGNORE, dtype=np.int64)
    begins = np.searchsorted(pieces.words, np.arange(len(pieces.ends) + 1))
    mentions = []
    for mention in article.mentions:
        first, last, letters = _place(mention, pieces)
        left, right = int(begins[first]), int(begins[last + 1])
        layer = layers[mention.label == ACTOR]
        layer[left] = 1
        layer[left + 1 : right] = 2
        proclitic[left] = letters
        sector = SECTORS.index(mention.sector) if mention.sector else IGNORE
        sentence = article.sentence_of(mention)
        mentions.append(LabelledMention(left, right, sentence, sector, mention.entity, mention.label == ACTOR))
    return Features(pieces, layers[True], layers[False], proclitic, tuple(mentions), _events(article.events))


def _place(mention: Mention, pieces: Pieces) -> tuple[int, int, int]:
    """Return the first and last word of a mention and the proclitic letters before it.

    Where the writer ran two words together, the mention is taken to fill the words that it touches.
    """
    first = max(int(np.searchsorted(pieces.starts[:, 0], mention.start, side="right")) - 1, 0)
    last = min(int(np.searchsorted(pieces.ends, mention.end)), len(pieces.ends) - 1)
    letters = np.flatnonzero(pieces.starts[first] == mention.start)
    return first, max(first, last), int(letters[0]) if len(letters) else 0


def _events(events: Iterable[Event]) -> tuple[LabelledEvent, ...]:
    merged: dict[tuple[int, int], LabelledEvent] = {}
    for event in events:
        kind = EVENT_TYPES.index(event.type)
        roles = {entity: role for role, ids in enumerate(event.roles, start=1) for entity in ids}
        mode = MODE_COLUMNS.index((event.type, event.mode))
        earlier = merged.get((event.sentence, kind))
        modes: tuple[int, ...] = (mode,)
        if earlier is not None:
            modes, roles = tuple(dict.fromkeys([*earlier.modes, mode])), {**roles, **earlier.roles}
        merged[event.sentence, kind] = LabelledEvent(event.sentence, kind, modes, roles)
    return tuple(merged.values())


def plan_epoch(
    features: Sequence[Features], size: int, rng: np.random.Generator, most: Sequence[int] = ()
) -> list[tuple[int, Window]]:
    """Cut every article into windows anew, so that no sentence always has the same company.

    Each article draws a window size between a quarter of `size` and `size`, the full size half of the time.

    Args:
        features: of the articles.
        size: of the windows, in pieces.
        rng: to draw from.
        most: for each article, the most pieces that a window may have all the same; empty for no such bound.

    Returns:
        Pairs of article index and window, in the order of the articles.
    """
    planned: list[tuple[int, Window]] = []
    for index, item in enumerate(features):
        own = size if rng.random() < 0.5 else int(rng.integers(size // 4, size + 1))
        if most:
            own = min(own, most[index])
        planned.extend((index, window) for window in plan_windows(item.pieces.lengths.tolist(), max(own, 2), 0.0))
    return planned


def collate(features: Sequence[Features], windows: Sequence[tuple[int, Window]], special: Special) -> TrainingBatch:
    """Make the windows of a batch and their labels into arrays."""
    batch = make_batch([(features[i].pieces, w) for i, w in windows], special)
    rows, slots, tokens = batch.sentence_mask.shape
    tags = {name: np.full((rows, tokens), IGNORE, dtype=np.int64) for name in ("actor", "location", "proclitic")}
    event = np.zeros((rows, slots, len(EVENT_TYPES)), dtype=np.float32)
    event_mask = np.zeros((rows, slots), dtype=np.bool_)
    spans: list[tuple[int, int, int]] = []
    mentions: list[tuple[int, int]] = []
    sectors: list[int] = []
    events: list[tuple[int, int, int]] = []
    modes: list[tuple[int, ...]] = []
    pairs: list[tuple[int, ...]] = []
    for row, (index, window) in enumerate(windows):
        item = features[index]
        for name, array in tags.items():
            array[row, 1 : len(window) + 1] = getattr(item, name)[window.start : window.end]
        slot_of = {sentence: slot for slot, (_, _, sentence) in enumerate(window.sentences)}
        event_mask[row, : len(slot_of)] = True
        chosen = [k for k, m in enumerate(item.mentions) if m.first >= window.start and m.last <= window.end]
        inside = [item.mentions[k] for k in chosen]
        base = len(spans)
        mentions.extend((row, k) for k in chosen)
        spans.extend((row, m.first - window.start + 1, m.last - window.start + 1) for m in inside)
        sectors.extend(m.sector for m in inside)
        for e in item.events:
            if e.sentence in slot_of:
                slot = slot_of[e.sentence]
                event[row, slot, e.type] = 1.0
                events.append((row, slot, e.type))
                modes.append(e.modes)
                pairs.extend((base + m, row, slot, e.type, *rest) for m, *rest in _role_pairs(inside, e))
    return TrainingBatch(
        batch=batch,
        actor=tags["actor"],
        location=tags["location"],
        proclitic=tags["proclitic"],
        event=event,
        event_mask=event_mask,
        spans=np.array(spans, dtype=np.int64).reshape(-1, 3),
        mentions=np.array(mentions, dtype=np.int64).reshape(-1, 2),
        sectors=np.array(sectors, dtype=np.int64),
        events=np.array(events, dtype=np.int64).reshape(-1, 3),
        modes=_one_hot(modes),
        pairs=np.array(pairs, dtype=np.int64).reshape(-1, 6),
    )


def _one_hot(modes: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    array = np.zeros((len(modes), len(MODE_COLUMNS)), dtype=np.float32)
    for row, columns in enumerate(modes):
        array[row, list(columns)] = 1.0
    return array


def _role_pairs(mentions: Sequence[LabelledMention], event: LabelledEvent) -> list[tuple[int, int, int]]:
    """Return (mention, distance column, role) for the mentions near an event.

    Where an entity is mentioned in the event's own sentence, its mentions elsewhere are left out: neither
    asked for nor held against the network.
    """
    here = {m.entity for m in mentions if m.sentence == event.sentence}
    found = []
    for index, mention in enumerate(mentions):
        distance = mention.sentence - event.sentence
        role = event.roles.get(mention.entity, 0)
        if abs(distance) > MAX_DISTANCE or (role and distance and mention.entity in here):
            continue
        found.append((index, distance + MAX_DISTANCE, role))
    return found
