from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import gold_articles, wordpiece_tokenizer
from tokenizers import Tokenizer

from rasid.data.jsonl import read_articles
from rasid.data.markup import read_markup
from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import ACTOR, EVENT_TYPES, SECTORS
from rasid.inference.batches import Special
from rasid.inference.decode import Scores, decode_article
from rasid.inference.layout import COLUMNS_OF_TYPE, MAX_DISTANCE, MODE_COLUMNS
from rasid.inference.merge import merge
from rasid.inference.normalise import key
from rasid.inference.pieces import MAX_PROCLITICS
from rasid.inference.windows import Window, plan_windows
from rasid.train.features import IGNORE, Features, collate, plan_epoch, to_features

SPECIAL = Special(first=2, last=3, pad=0)
DEV = Path(__file__).parents[2] / "data" / "corpus" / "dev.jsonl"
SURE = 20.0
WRONG = 50.0

Span = tuple[int, int, str, str | None]
Role = tuple[int, str, str, str]


def tokenizer_of(articles: Iterable[Article]) -> Tokenizer:
    # every other word is known whole, the others are spelt letter by letter
    words = sorted({word for article in articles for word in article.text.split()})
    letters = " ".join(sorted({char for word in words for char in word}))
    backend: Tokenizer = wordpiece_tokenizer([letters, *words[::2]]).backend_tokenizer
    return backend


def articles(markup: str) -> list[Article]:
    return list(read_markup(markup.splitlines(), "test"))


def one_hot(rows: np.ndarray, width: int) -> np.ndarray:
    return np.where(np.arange(width) == rows[:, None], SURE, -SURE).astype(np.float32)


def whole(features: Features) -> Window:
    sentences = [(int(s), int(e), i) for i, (s, e) in enumerate(features.pieces.sentences) if s < e]
    return Window(0, len(features.pieces.ids), tuple(sentences))


def perfect(features: Features) -> Scores:
    """What a network without fault says, made from nothing but what the losses compare its logits to."""
    labels = collate([features], [(0, whole(features))], SPECIAL)
    slots = [index for _, _, index in whole(features).sentences]
    pieces, sentences, events = len(features.pieces.ids), len(features.pieces.sentences), len(labels.modes)
    proclitic = np.zeros((pieces, MAX_PROCLITICS + 1), np.float32)
    proclitic[:, -1] = WRONG
    known = labels.proclitic[0, 1:-1] != IGNORE
    proclitic[known] = one_hot(labels.proclitic[0, 1:-1][known], MAX_PROCLITICS + 1)
    sector = np.zeros((pieces, len(SECTORS)), np.float32)
    for (_, first, last), gold in zip(labels.spans, labels.sectors, strict=True):
        if gold != IGNORE:
            sector[first - 1 : last - 1, gold] = SURE
    event = np.full((sentences, len(EVENT_TYPES)), -SURE, np.float32)
    event[slots] = np.where(labels.event[0] > 0, SURE, -SURE)
    # what other types would say of the mode must not matter
    mode = np.full((sentences, len(MODE_COLUMNS)), WRONG, np.float32)
    event_role = np.zeros((sentences, len(EVENT_TYPES), max(events, 1)), np.float32)
    token_role = np.zeros((pieces, 4, max(events, 1)), np.float32)
    number = {}
    for index, (_, slot, kind, column) in enumerate(labels.modes.tolist()):
        mode[slots[slot], list(COLUMNS_OF_TYPE[kind])] = 0.0
        mode[slots[slot], column] = SURE
        event_role[slots[slot], kind, index] = 1.0
        number[slot, kind] = index
    for mention, _, slot, kind, _, role in labels.pairs.tolist():
        _, first, last = labels.spans[mention]
        columns = [1, 2] if labels.sectors[mention] != IGNORE else [3]
        token_role[first - 1 : last - 1, columns, number[slot, kind]] = -SURE
        if role:
            token_role[first - 1 : last - 1, role, number[slot, kind]] = SURE
    return Scores(
        actor=one_hot(labels.actor[0, 1:-1], 3),
        location=one_hot(labels.location[0, 1:-1], 3),
        proclitic=proclitic,
        sector=sector,
        token_role=token_role,
        event=event,
        mode=mode,
        event_role=event_role,
        role_bias=np.zeros((2 * MAX_DISTANCE + 1, 4), np.float32),
    )


def through_windows(scores: Scores, features: Features, size: int) -> Scores:
    """Cut perfect scores into overlapping windows and merge them again; what a window may not say is noise."""
    windows = plan_windows(features.pieces.lengths.tolist(), size)
    logits = []
    for window in windows:
        out = {"role_bias": scores.role_bias}
        for name in ("actor", "location", "proclitic", "sector", "token_role"):
            noise = np.full((1, *getattr(scores, name).shape[1:]), WRONG, np.float32)
            out[name] = np.concatenate([noise, getattr(scores, name)[window.start : window.end], noise])
        for name in ("event", "mode", "event_role"):
            out[name] = getattr(scores, name)[[index for _, _, index in window.sentences]]
        logits.append(out)
    merged = merge(windows, logits, len(features.pieces.ids), len(features.pieces.sentences))
    assert merged is not None
    return merged


def oracle(article: Article, tokenizer: Tokenizer, size: int) -> Article:
    features = to_features(article, tokenizer)
    scores = through_windows(perfect(features), features, size)
    return decode_article(article, article.sentences, features.pieces, scores, event_threshold=0.5)


def spans(article: Article) -> list[Span]:
    return [(m.start, m.end, m.label, m.sector) for m in article.mentions]


def heads(article: Article) -> set[tuple[int, str, str | None]]:
    """Sentence, type and mode; of several events of a type in a sentence, the first."""
    first: dict[tuple[int, str], Event] = {}
    for event in article.events:
        first.setdefault((event.sentence, event.type), event)
    return {(sentence, kind, event.mode) for (sentence, kind), event in first.items()}


def name(article: Article, mention: Mention) -> str:
    return f"{mention.label} {key(article.surface(mention))}"


def gold_roles(article: Article) -> set[Role]:
    """Sentence, type, role and name of those who take part; an entity's name is how it is called nearest."""
    found: set[Role] = set()
    for event in article.events:
        for role, ids in zip(("source", "target", "location"), event.roles, strict=True):
            for entity in ids:
                found |= {(event.sentence, event.type, role, n) for n in names_near(article, entity, event.sentence)}
    return found


def names_near(article: Article, entity: str, sentence: int) -> set[str]:
    own = [m for m in article.mentions if m.entity == entity]
    here = [m for m in own if article.sentence_of(m) == sentence]
    near = [m for m in own if abs(article.sentence_of(m) - sentence) <= MAX_DISTANCE]
    return {name(article, m) for m in here or near}


def found_roles(article: Article) -> set[Role]:
    names = {m.entity: name(article, m) for m in article.mentions}
    return {
        (event.sentence, event.type, role, names[entity])
        for event in article.events
        for role, ids in zip(("source", "target", "location"), event.roles, strict=True)
        for entity in ids
    }


def ambiguous(roles: set[Role]) -> set[tuple[int, str, str]]:
    """Names that take part in one event in two roles, as the model cannot say."""
    seen: dict[tuple[int, str, str], int] = {}
    for sentence, kind, _, who in roles:
        seen[sentence, kind, who] = seen.get((sentence, kind, who), 0) + 1
    return {place for place, count in seen.items() if count > 1}
