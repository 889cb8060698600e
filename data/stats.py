"""What a corpus holds: counts by layer, label and origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rasid.data.schema import Article
from rasid.data.scheme import EVENT_TYPES, LABELS, MODES, ROLES, SECTORS

# Keys of an article's record that say where it comes from; the coverage is counted over them.
_ORIGINS: Final = ("country", "manner", "corpus")


def describe(articles: Sequence[Article]) -> dict[str, Any]:
    """Count a corpus.

    Returns:
        `size` (articles, sentences, words, mentions, entities, events), `labels`, `sectors`, `types` (events by type),
        `modes` (events by `TYPE.mode`), `roles` (filled roles), `events_per_sentence`, and for each of `country`,
        `manner`, `corpus` that the records have, the articles by it; `matrix` crosses country and manner.
    """
    mentions = [m for a in articles for m in a.mentions]
    events = [e for a in articles for e in a.events]
    per_sentence = Counter(min(n, 4) for a in articles for n in _events_by_sentence(a))
    found: dict[str, Any] = {
        "size": {
            "articles": len(articles),
            "sentences": sum(len(a.sentences) for a in articles),
            "words": sum(len(a.text.split()) for a in articles),
            "mentions": len(mentions),
            "entities": sum(len({m.entity for m in a.mentions}) for a in articles),
            "events": len(events),
        },
        "labels": _ordered(Counter(m.label for m in mentions), LABELS),
        "sectors": _ordered(Counter(m.sector for m in mentions if m.sector), SECTORS),
        "types": _ordered(Counter(e.type for e in events), EVENT_TYPES),
        "modes": _ordered(
            Counter(f"{e.type}.{e.mode}" for e in events if e.mode),
            [f"{kind}.{mode}" for kind in EVENT_TYPES for mode in MODES[kind]],
        ),
        "roles": {role: sum(len(e.roles[i]) for e in events) for i, role in enumerate(ROLES)},
        "events_per_sentence": {("4+" if n == 4 else str(n)): per_sentence[n] for n in range(5)},
    }
    for key in _ORIGINS:
        counts = Counter(str(a.meta[key]) for a in articles if key in a.meta)
        if counts:
            found[key] = dict(counts.most_common())
    pairs = Counter((str(a.meta.get("country")), str(a.meta.get("manner"))) for a in articles if "manner" in a.meta)
    if pairs:
        found["matrix"] = {
            country: {manner: pairs[country, manner] for manner in found["manner"]} for country in found["country"]
        }
    return found


def _events_by_sentence(article: Article) -> list[int]:
    counts = Counter(e.sentence for e in article.events)
    return [counts[i] for i in range(len(article.sentences))]


def _ordered(counts: Counter[str], names: Sequence[str]) -> dict[str, int]:
    return {name: counts[name] for name in names}


def tables(found: dict[str, Any]) -> str:
    """Return what `describe` found as text to read."""
    blocks = []
    for title, counts in found.items():
        if title == "matrix":
            blocks.append(_matrix(counts))
        else:
            width = max((len(name) for name in counts), default=0)
            blocks.append("\n".join([title, *(f"  {name:<{width}} {n:>8,}" for name, n in counts.items())]))
    return "\n\n".join(blocks)


def _matrix(matrix: dict[str, dict[str, int]]) -> str:
    manners = list(next(iter(matrix.values()), {}))
    lines = ["country by manner", " " * 16 + "".join(f"{i:>5}" for i in range(1, len(manners) + 1))]
    lines += [f"  {country:<14}" + "".join(f"{n or '.':>5}" for n in row.values()) for country, row in matrix.items()]
    return "\n".join([*lines, *(f"  {i:>2} {manner}" for i, manner in enumerate(manners, start=1))])
