"""What a prediction got wrong, one by one, and where errors gather."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import ACTOR, LABELS, ROLES
from rasid.inference.evaluation.counts import align, by_entity, overlap
from rasid.inference.normalise import key

KINDS: Final = ("boundary", "type", "missed", "spurious")
# Upper bounds of the lengths, in words, by which articles are told apart.
_LENGTHS: Final = ((100, "up to 100 words"), (300, "101-300 words"))


@dataclass(frozen=True, slots=True)
class Mistake:
    """One difference between gold and prediction.

    Args:
        article: its id.
        sentence: 0-based index of the gold sentence.
        layer: `ACTOR`, `LOCATION`, `sector`, `event type`, `mode`, or a role.
        kind: `boundary` (other extent), `type` (other label, sector, event type, mode or role), `missed`, `spurious`.
        gold: what gold has, as words; empty where it has nothing.
        predicted: what the prediction has; empty where it has nothing.
        score: of the prediction, None where it has none.
        unseen: for mentions, whether the gold name was not among the names given as known; None where none were given.
    """

    article: str
    sentence: int
    layer: str
    kind: str
    gold: str = ""
    predicted: str = ""
    score: float | None = None
    unseen: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the mistake under plain names."""
        return asdict(self)


def known_names(articles: Iterable[Article]) -> frozenset[str]:
    """Return the mentions of articles in the form that ignores spelling variants (`normalise.key`)."""
    return frozenset(key(article.surface(mention)) for article in articles for mention in article.mentions)


def find_mistakes(gold: Article, predicted: Article, known: frozenset[str] | None = None) -> list[Mistake]:
    """List the mistakes in one article.

    Roles are compared in events whose type is right in the sentence.

    Args:
        gold: the gold article.
        predicted: the prediction for it.
        known: what `known_names` returns for the articles that the model learnt from.

    Raises:
        DataError: where the texts differ.
    """
    if gold.text != predicted.text:
        raise DataError("the text of the prediction is not that of the gold article", source=gold.id)
    to_gold = align(predicted.sentences, gold.sentences)
    events = tuple(replace(e, sentence=to_gold[e.sentence]) for e in predicted.events if e.sentence in to_gold)
    found = [*_mentions(gold, predicted, known), *_events(gold, events), *_roles(gold, predicted, events)]
    return sorted(found, key=lambda m: m.sentence)


def _mentions(gold: Article, predicted: Article, known: frozenset[str] | None) -> Iterator[Mistake]:
    spans = {(m.start, m.end, m.label): m for m in predicted.mentions}
    right = {(m.start, m.end, m.label) for m in gold.mentions} & spans.keys()
    free = [m for place, m in spans.items() if place not in right]
    for mention in gold.mentions:
        surface = gold.surface(mention)
        unseen = None if known is None else key(surface) not in known
        here = (gold.id, gold.sentence_of(mention))
        other = spans.get((mention.start, mention.end, mention.label))
        if other is not None:
            if mention.label == ACTOR and other.sector != mention.sector:
                sides = (f"{surface} {mention.sector}", f"{surface} {other.sector}")
                yield Mistake(*here, "sector", "type", *sides, other.score, unseen)
            continue
        near = _nearest(mention, free)
        if near is None:
            yield Mistake(*here, mention.label, "missed", surface, unseen=unseen)
            continue
        free.remove(near)
        kind = "boundary" if near.label == mention.label else "type"
        shown = gold.surface(near) if kind == "boundary" else f"{gold.surface(near)} {near.label}"
        yield Mistake(*here, mention.label, kind, surface, shown, near.score, unseen)
    for mention in free:
        sentence = next((i for i, (start, end) in enumerate(gold.sentences) if start <= mention.start < end), 0)
        yield Mistake(gold.id, sentence, mention.label, "spurious", "", gold.surface(mention), mention.score)


def _nearest(mention: Mention, free: Sequence[Mention]) -> Mention | None:
    touching = [m for m in free if m.start < mention.end and mention.start < m.end]
    for label in (mention.label, *(name for name in LABELS if name != mention.label)):
        same = [m for m in touching if m.label == label]
        if same:
            return max(same, key=lambda m: min(m.end, mention.end) - max(m.start, mention.start))
    return None


def _events(gold: Article, events: Sequence[Event]) -> Iterator[Mistake]:
    for index in range(len(gold.sentences)):
        wanted = {e.type: e for e in gold.events if e.sentence == index}
        given = {e.type: e for e in events if e.sentence == index}
        for kind in wanted.keys() & given.keys():
            sides = [
                {f"{kind}.{e.mode}": None for e in side if e.sentence == index and e.type == kind}
                for side in (gold.events, events)
            ]
            missing, wrong = ([m for m in own if m not in rest] for own, rest in (sides, sides[::-1]))
            for gold_mode, other_mode in zip(missing, wrong, strict=False):
                yield Mistake(gold.id, index, "mode", "type", gold_mode, other_mode, given[kind].score)
            for mode in missing[len(wrong) :]:
                yield Mistake(gold.id, index, "mode", "missed", mode)
            for mode in wrong[len(missing) :]:
                yield Mistake(gold.id, index, "mode", "spurious", "", mode, given[kind].score)
        missed = [e for name, e in wanted.items() if name not in given]
        extra = [e for name, e in given.items() if name not in wanted]
        # one missed and one spurious in a sentence are most often one event under another name
        for left, right in zip(missed, extra, strict=False):
            yield Mistake(gold.id, index, "event type", "type", left.type, right.type, right.score)
        for event in missed[len(extra) :]:
            yield Mistake(gold.id, index, "event type", "missed", event.type)
        for event in extra[len(missed) :]:
            yield Mistake(gold.id, index, "event type", "spurious", "", event.type, event.score)


def _roles(gold: Article, predicted: Article, events: Sequence[Event]) -> Iterator[Mistake]:
    wanted, given = _filled(gold.events), _filled(events)
    left_mentions, right_mentions = by_entity(gold), by_entity(predicted)
    for sentence, kind in wanted.keys() & given.keys():
        left, right = wanted[sentence, kind], given[sentence, kind]
        pairs = {
            (entity, other)
            for entity in left
            for other in right
            if overlap(left_mentions[entity], right_mentions[other])
        }
        for entity, role in left.items():
            roles = {right[other] for one, other in pairs if one == entity}
            name = f"{kind}: {gold.surface(left_mentions[entity][0])}"
            if not roles:
                yield Mistake(gold.id, sentence, role, "missed", name)
            elif role not in roles:
                yield Mistake(gold.id, sentence, role, "type", name, f"{kind}: {'+'.join(sorted(roles))}")
        for other, role in right.items():
            if all(second != other for _, second in pairs):
                name = f"{kind}: {predicted.surface(right_mentions[other][0])}"
                yield Mistake(gold.id, sentence, role, "spurious", "", name)


def _filled(events: Iterable[Event]) -> dict[tuple[int, str], dict[str, str]]:
    found: dict[tuple[int, str], dict[str, str]] = {}
    for event in events:
        for role, ids in zip(ROLES, event.roles, strict=True):
            for entity in ids:
                found.setdefault((event.sentence, event.type), {}).setdefault(entity, role)
    return found


def summarise(gold: Mapping[str, Article], mistakes: Sequence[Mistake]) -> dict[str, dict[str, dict[str, int]]]:
    """Count mistakes by layer and kind, and by what may explain them.

    Returns:
        `layer` (layer to kind to count), and `outlet`, `length`, `position`, `name`: value to layer to count.
    """
    found: dict[str, dict[str, Counter[str]]] = {name: {} for name in ("layer", "outlet", "length", "position", "name")}

    def add(table: str, row: str, column: str) -> None:
        found[table].setdefault(row, Counter())[column] += 1

    for mistake in mistakes:
        article = gold[mistake.article]
        add("layer", mistake.layer, mistake.kind)
        add("outlet", str(article.meta.get("manner") or article.meta.get("corpus") or "-"), mistake.layer)
        add("length", _length(article), mistake.layer)
        add("position", "first sentence" if mistake.sentence == 0 else "later", mistake.layer)
        if mistake.unseen is not None:
            add("name", "unseen" if mistake.unseen else "seen", mistake.layer)
    return {name: {row: dict(counts) for row, counts in rows.items()} for name, rows in found.items()}


def _length(article: Article) -> str:
    words = len(article.text.split())
    return next((name for bound, name in _LENGTHS if words <= bound), "over 300 words")


def costliest(mistakes: Iterable[Mistake], most: int = 50) -> list[tuple[str, int, list[Mistake]]]:
    """Return the sentences with the most mistakes: article, sentence and the mistakes, the worst first."""
    by_sentence: dict[tuple[str, int], list[Mistake]] = {}
    for mistake in mistakes:
        by_sentence.setdefault((mistake.article, mistake.sentence), []).append(mistake)
    ordered = sorted(by_sentence.items(), key=lambda item: -len(item[1]))
    return [(article, sentence, found) for (article, sentence), found in ordered[:most]]
