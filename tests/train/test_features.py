from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from conftest import gold_articles, wordpiece_tokenizer
from tokenizers import Tokenizer

from rasid.data.jsonl import read_articles
from rasid.data.markup import read_markup
from rasid.data.schema import Article, Mention
from rasid.data.scheme import EVENT_TYPES, SECTORS
from rasid.inference.batches import Special
from rasid.inference.decode import decode_article
from rasid.inference.entities import Named
from rasid.inference.layout import COLUMNS_OF_TYPE, MAX_DISTANCE, MAX_GAP, MODE_COLUMNS
from rasid.inference.merge import Scores, merge
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
    pieces, sentences, events = len(features.pieces.ids), len(features.pieces.sentences), len(labels.events)
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
    for index, (_, slot, kind) in enumerate(labels.events.tolist()):
        columns = list(COLUMNS_OF_TYPE[kind])
        mode[slots[slot], columns] = np.where(labels.modes[index, columns] > 0, SURE, -SURE)
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
        event_at=np.zeros((sentences, len(EVENT_TYPES)), np.float32),
        role_bias=np.zeros((2 * MAX_DISTANCE + 1, 4), np.float32),
        gap_bias=np.zeros((2 * MAX_GAP + 1, 4), np.float32),
        windows=np.zeros(len(event), np.int64),
    )


def through_windows(scores: Scores, features: Features, size: int) -> Scores:
    """Cut perfect scores into overlapping windows and merge them again; what a window may not say is noise."""
    windows = plan_windows(features.pieces.lengths.tolist(), size)
    logits = []
    for window in windows:
        out = {"role_bias": scores.role_bias, "gap_bias": scores.gap_bias}
        for name in ("actor", "location", "proclitic", "sector", "token_role"):
            noise = np.full((1, *getattr(scores, name).shape[1:]), WRONG, np.float32)
            out[name] = np.concatenate([noise, getattr(scores, name)[window.start : window.end], noise])
        for name in ("event", "mode", "event_role", "event_at"):
            out[name] = getattr(scores, name)[[index for _, _, index in window.sentences]]
        logits.append(out)
    merged = merge(windows, logits, len(features.pieces.ids), len(features.pieces.sentences))
    assert merged is not None
    # perfect role vectors hold across windows too, which those of a network do not
    return replace(merged, windows=np.zeros_like(merged.windows))


def join_by_text(mentions: Sequence[Named], _text: str) -> list[str]:
    """Joining is tested on its own; here an entity is a name, so that gold and found can be told apart by it."""
    ids: dict[tuple[str, str], str] = {}
    return [ids.setdefault((m.label, key(m.surface)), f"{m.label[0]}{len(ids) + 1}") for m in mentions]


def oracle(article: Article, tokenizer: Tokenizer, size: int) -> Article:
    features = to_features(article, tokenizer)
    scores = through_windows(perfect(features), features, size)
    with patch("rasid.inference.decode.join_mentions", join_by_text):
        return decode_article(
            article, article.sentences, features.pieces, scores, event_threshold=0.5, mode_threshold=0.5
        )


def spans(article: Article) -> list[Span]:
    return [(m.start, m.end, m.label, m.sector) for m in article.mentions]


def heads(article: Article) -> set[tuple[int, str, str | None]]:
    return {(event.sentence, event.type, event.mode) for event in article.events}


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


def check_oracle(article: Article, tokenizer: Tokenizer, size: int) -> None:
    found = oracle(article, tokenizer, size)
    assert spans(found) == spans(article)
    assert heads(found) == heads(article)
    gold = gold_roles(article)
    assert {r for r in found_roles(found) if (r[0], r[1], r[3]) not in ambiguous(gold)} == {
        r for r in gold if (r[0], r[1], r[3]) not in ambiguous(gold)
    }


@pytest.mark.parametrize("size", [6, 24, 254])
def test_what_is_learnt_from_the_fixture_is_what_is_decoded(size: int) -> None:
    gold = gold_articles()
    for article in gold:
        assert gold_roles(article)
        assert not ambiguous(gold_roles(article))
        check_oracle(article, tokenizer_of(gold), size)


@pytest.mark.parametrize("size", [24, 254])
def test_what_is_learnt_from_the_corpus_is_what_is_decoded(size: int) -> None:
    sample = list(read_articles(DEV))[::10]
    tokenizer = tokenizer_of(sample)
    roles = [gold_roles(article) for article in sample]
    total = sum(map(len, roles))
    assert total > 100
    # names in two roles of one event are all that the model cannot say, and they are few
    assert sum(len(ambiguous(r)) for r in roles) <= 0.03 * total
    for article in sample:
        check_oracle(article, tokenizer, size)


def test_the_oracle_fails_where_the_labels_are_not_those_of_the_text() -> None:
    first, second = gold_articles()
    tokenizer = tokenizer_of([first, second])
    moved = [Mention(m.start + 1, m.end, m.label, m.entity, m.sector) for m in first.mentions]
    wrong = Article(first.id, first.text, "", first.sentences, tuple(moved), first.events)
    assert spans(oracle(wrong, tokenizer, 254)) != spans(wrong)


def first_features(markup: str) -> tuple[Article, Features]:
    (article,) = articles(markup)
    return article, to_features(article, tokenizer_of([article]))


def pieces_of(features: Features, article: Article, first: int, last: int) -> str:
    words = features.pieces.words[first:last]
    return article.text[int(features.pieces.starts[words[0], 0]) : int(features.pieces.ends[words[-1]])]


def test_tags_of_nested_mentions_and_their_proclitics() -> None:
    article, features = first_features(
        "# id: a\nوطالب و[أهالي [سرمين|L1]|A1:CVL] ب[الأمم المتحدة|A2:IGO] ل[لنظام|A3:MIL]."
    )
    begins = np.searchsorted(features.pieces.words, np.arange(len(features.pieces.ends)))
    assert features.actor[begins].tolist() == [0, 1, 2, 1, 2, 1, 0]
    assert features.location[begins].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert features.proclitic[begins].tolist() == [IGNORE, 1, 0, 1, IGNORE, 1, IGNORE]
    later = np.setdiff1d(np.arange(len(features.pieces.ids)), begins)
    assert len(later)
    assert set(features.proclitic[later].tolist()) == {IGNORE}
    # later pieces of a word inside a span say I, and those of words outside it say O
    inside = features.actor[begins][features.pieces.words[later]] > 0
    assert features.actor[later].tolist() == np.where(inside, 2, 0).tolist()
    surfaces = [pieces_of(features, article, m.first, m.last) for m in features.mentions]
    assert surfaces == ["وأهالي سرمين", "سرمين", "بالأمم المتحدة", "للنظام"]
    cvl, igo, mil = (SECTORS.index(sector) for sector in ("CVL", "IGO", "MIL"))
    assert [m.sector for m in features.mentions] == [cvl, IGNORE, igo, mil]
    assert [m.actor for m in features.mentions] == [True, False, True, True]


def test_a_mention_inside_a_word_takes_the_whole_word() -> None:
    text = "قصف الجيشالسوري بلدة"
    mention = Mention(4, 9, "ACTOR", "A1", "MIL")
    article = Article("a", text, sentences=((0, len(text)),), mentions=(mention,))
    features = to_features(article, tokenizer_of([article]))
    (labelled,) = features.mentions
    assert pieces_of(features, article, labelled.first, labelled.last) == "الجيشالسوري"
    assert features.proclitic[labelled.first] == 0


def test_an_article_without_sentences_is_segmented_as_in_inference() -> None:
    text = "قصف الجيش. قال ناشط."
    mentions = (Mention(4, 9, "ACTOR", "A1", "MIL"), Mention(15, 19, "ACTOR", "A2", "CVL"))
    article = Article("a", text, mentions=mentions)
    features = to_features(article, tokenizer_of([article]))
    assert len(features.pieces.sentences) == 2
    assert [m.sentence for m in features.mentions] == [0, 1]


def test_several_events_of_a_type_in_a_sentence_are_one() -> None:
    _, features = first_features(
        "# id: a\nقصف [الجيش|A1:MIL] [حماة|L1] و[حلب|L2] وهاجم [الثوار|A2:REB] [الجيش|A1:MIL].\n"
        "@ ASSAULT.aerial ; A1 ; ; L1\n@ ASSAULT.firearms ; A2 ; A1 ; L2\n@ RETREAT ; A1 ; ;"
    )
    assault, retreat = features.events
    assert (assault.type, assault.sentence) == (EVENT_TYPES.index("ASSAULT"), 0)
    assert [MODE_COLUMNS[mode] for mode in assault.modes] == [("ASSAULT", "aerial"), ("ASSAULT", "firearms")]
    # the first event says what an entity is; the later ones add others
    assert assault.roles == {"A1": 1, "L1": 3, "A2": 1, "L2": 3}
    assert EVENT_TYPES[retreat.type] == "RETREAT"
    assert ([MODE_COLUMNS[mode] for mode in retreat.modes], retreat.roles) == ([("RETREAT", None)], {"A1": 1})


FAR = """\
# id: a
قصف [الجيش|A1:MIL].
@ ASSAULT ; A1 ; A2 ; L1
قال.
[الجيش|A1:MIL] في [حماة|L1].
قال [ناشط|A3:CVL].
[الثوار|A2:REB]."""


def test_pairs_are_mentions_near_an_event_with_their_distance_and_role() -> None:
    article, features = first_features(FAR)
    labels = collate([features], [(0, whole(features))], SPECIAL)
    rows = [
        (pieces_of(features, article, labels.spans[m][1] - 1, labels.spans[m][2] - 1), distance - MAX_DISTANCE, role)
        for m, _, _, _, distance, role in labels.pairs.tolist()
    ]
    # the army's second mention is left out, being named in the sentence itself; the rebels are too far away
    assert rows == [("الجيش", 0, 1), ("حماة", 2, 3), ("ناشط", 3, 0)]
    assert [labels.batch.sentence_mask[0, slot].nonzero()[0].tolist() for _, slot, _ in labels.events.tolist()] == [
        list(range(1, 1 + int(features.pieces.lengths[0])))
    ]


@pytest.mark.parametrize("size", [5, 17, 60])
def test_labels_of_windows_are_those_of_the_article(size: int) -> None:
    gold = gold_articles()
    features = [to_features(article, tokenizer_of(gold)) for article in gold]
    windows = [(i, w) for i, f in enumerate(features) for w in plan_windows(f.pieces.lengths.tolist(), size)]
    labels = collate(features, windows, SPECIAL)
    mentions = iter(zip(labels.spans.tolist(), labels.sectors.tolist(), strict=True))
    events = iter(zip(labels.events.tolist(), labels.modes, strict=True))
    for row, (index, window) in enumerate(windows):
        item, length = features[index], len(window)
        for name in ("actor", "location", "proclitic"):
            tags = getattr(labels, name)[row]
            assert tags[1 : length + 1].tolist() == getattr(item, name)[window.start : window.end].tolist()
            assert {*tags[:1].tolist(), *tags[length + 1 :].tolist()} == {IGNORE}
        for mention in item.mentions:
            if window.start <= mention.first and mention.last <= window.end:
                shift = 1 - window.start
                assert next(mentions) == ([row, mention.first + shift, mention.last + shift], mention.sector)
        assert labels.event_mask[row].sum() == len(window.sentences)
        seen = {sentence: slot for slot, (_, _, sentence) in enumerate(window.sentences)}
        here = [e for e in item.events if e.sentence in seen]
        for e in here:
            place, modes = next(events)
            assert place == [row, seen[e.sentence], e.type]
            assert tuple(modes.nonzero()[0].tolist()) == tuple(sorted(e.modes))
        assert labels.event[row].sum() == len(here)
        assert all(labels.event[row, seen[e.sentence], e.type] == 1 for e in here)
    assert next(mentions, None) is None
    assert next(events, None) is None
    for mention, row, slot, kind, distance, _ in labels.pairs.tolist():
        assert labels.spans[mention, 0] == row
        assert labels.event[row, slot, kind] == 1
        assert 0 <= distance <= 2 * MAX_DISTANCE


def test_a_batch_without_labels_has_empty_arrays_of_the_right_shape() -> None:
    _, features = first_features("# id: a\nقال ناشط.")
    labels = collate([features], [(0, whole(features))], SPECIAL)
    shapes = [array.shape for array in (labels.spans, labels.sectors, labels.events, labels.modes, labels.pairs)]
    assert shapes == [(0, 3), (0,), (0, 3), (0, len(MODE_COLUMNS)), (0, 6)]
    assert not labels.event.any()
    assert labels.event_mask.tolist() == [[True]]


def test_an_epoch_covers_every_piece_and_the_next_cuts_otherwise() -> None:
    features = [to_features(article, tokenizer_of(gold_articles())) for article in gold_articles()]
    epochs = [plan_epoch(features, 40, np.random.default_rng(seed)) for seed in range(8)]
    for planned in epochs:
        assert [index for index, _ in planned] == sorted(index for index, _ in planned)
        assert all(len(window) <= 40 for _, window in planned)
        for index, item in enumerate(features):
            covered = {p for i, w in planned if i == index for p in range(w.start, w.end)}
            assert covered == set(range(len(item.pieces.ids)))
    assert len({tuple((i, w.start, w.end) for i, w in planned) for planned in epochs}) > 1
    assert epochs[0] == plan_epoch(features, 40, np.random.default_rng(0))
