"""What is right, spurious and missed in one article, by layer: the counts that every score is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rasid.data.errors import DataError
from rasid.data.schema import Article, Mention
from rasid.data.scheme import ACTOR, EVENT_TYPES, LOCATION, ROLES


@dataclass(frozen=True, slots=True)
class Counts:
    """Right, spurious (predicted, not in gold) and missed (in gold, not predicted)."""

    right: int = 0
    spurious: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the sums."""
        return Counts(self.right + other.right, self.spurious + other.spurious, self.missed + other.missed)

    @property
    def gold(self) -> int:
        """How many there are in gold."""
        return self.right + self.missed

    @property
    def predicted(self) -> int:
        """How many were predicted."""
        return self.right + self.spurious

    @property
    def precision(self) -> float:
        """Share of the predicted that is right, 0 where nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was predicted, 0 where there is none."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 right / (2 right + spurious + missed)."""
        total = self.predicted + self.gold
        return 2 * self.right / total if total else 0.0


# The layers that are scored, in the order of a report. `type/…` counts follow for each event type.
LAYERS: Final = (ACTOR, LOCATION, "sector", "event type", "mode", "role", *ROLES)


def of_sets(gold: Iterable[object], predicted: Iterable[object]) -> Counts:
    """Compare two multisets."""
    left, right = Counter(gold), Counter(predicted)
    both = (left & right).total()
    return Counts(both, right.total() - both, left.total() - both)


def count(gold: Article, predicted: Article) -> dict[str, Counts]:
    """Count one article, layer by layer.

    - `ACTOR`, `LOCATION`: a mention is right when start, end and label are.
    - `sector`: an actor mention is right when span and sector are.
    - `event type`: by sentence, the set of types; `mode`: type and mode together; `type/X`: type X alone.
    - `role`, and each role alone: right when sentence, type and role are and the predicted entity has a mention
      that overlaps one of the gold entity.

    Where the two articles' sentences differ, a predicted sentence stands for the gold one it overlaps most.

    Raises:
        DataError: where the texts differ.
    """
    if gold.text != predicted.text:
        raise DataError("the text of the prediction is not that of the gold article", source=gold.id)
    to_gold = align(predicted.sentences, gold.sentences)
    found: dict[str, Counts] = {}
    for label in (ACTOR, LOCATION):
        found[label] = of_sets(_spans(gold, label), _spans(predicted, label))
    found["sector"] = of_sets(
        [(m.start, m.end, m.sector) for m in gold.mentions if m.label == ACTOR],
        [(m.start, m.end, m.sector) for m in predicted.mentions if m.label == ACTOR],
    )
    types = {(e.sentence, e.type) for e in gold.events}
    predicted_types = {(to_gold.get(e.sentence, -1), e.type) for e in predicted.events}
    found["event type"] = of_sets(types, predicted_types)
    found["mode"] = of_sets(
        {(e.sentence, e.type, e.mode) for e in gold.events},
        {(to_gold.get(e.sentence, -1), e.type, e.mode) for e in predicted.events},
    )
    roles = _count_roles(gold, predicted, to_gold)
    found["role"] = sum(roles.values(), Counts())
    found.update(roles)
    for kind in EVENT_TYPES:
        found[f"type/{kind}"] = of_sets(
            [s for s, name in types if name == kind], [s for s, name in predicted_types if name == kind]
        )
    return found


def _spans(article: Article, label: str) -> list[tuple[int, int]]:
    return [(m.start, m.end) for m in article.mentions if m.label == label]


def align(predicted: Sequence[tuple[int, int]], gold: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Return for each predicted sentence the gold one that it overlaps most."""
    if predicted == gold:
        return {i: i for i in range(len(gold))}
    best: dict[int, int] = {}
    for index, (start, end) in enumerate(predicted):
        shared = [min(end, right) - max(start, left) for left, right in gold]
        if shared and max(shared) > 0:
            best[index] = shared.index(max(shared))
    return best


def _count_roles(gold: Article, predicted: Article, to_gold: Mapping[int, int]) -> dict[str, Counts]:
    gold_mentions, predicted_mentions = by_entity(gold), by_entity(predicted)
    wanted: dict[tuple[int, str, str], set[str]] = {}
    for event in gold.events:
        for role, ids in zip(ROLES, event.roles, strict=True):
            wanted.setdefault((event.sentence, event.type, role), set()).update(ids)
    given: dict[tuple[int, str, str], set[str]] = {}
    for event in predicted.events:
        for role, ids in zip(ROLES, event.roles, strict=True):
            given.setdefault((to_gold.get(event.sentence, -1), event.type, role), set()).update(ids)
    found = dict.fromkeys(ROLES, Counts())
    for place in wanted.keys() | given.keys():
        left, right = sorted(wanted.get(place, ())), sorted(given.get(place, ()))
        pairs = {
            entity: [other for other in left if overlap(gold_mentions[other], predicted_mentions[entity])]
            for entity in right
        }
        matched = _matching(pairs)
        found[place[2]] += Counts(matched, len(right) - matched, len(left) - matched)
    return found


def by_entity(article: Article) -> dict[str, list[Mention]]:
    """Return the mentions of each entity."""
    found: dict[str, list[Mention]] = {}
    for mention in article.mentions:
        found.setdefault(mention.entity, []).append(mention)
    return found


def overlap(left: Sequence[Mention], right: Sequence[Mention]) -> bool:
    """Return whether any mention of one side shares a character with one of the other."""
    return any(a.start < b.end and b.start < a.end for a in left for b in right)


def _matching(pairs: Mapping[str, Sequence[str]]) -> int:
    """Return the size of the largest one-to-one matching (Kuhn's augmenting paths)."""
    taken: dict[str, str] = {}

    def place(entity: str, tried: set[str]) -> bool:
        for other in pairs[entity]:
            if other not in tried:
                tried.add(other)
                if other not in taken or place(taken[other], tried):
                    taken[other] = entity
                    return True
        return False

    return sum(place(entity, set()) for entity in pairs)
