"""Scores of a set of articles, with bootstrap intervals, and their readable table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.data.scheme import EVENT_TYPES
from rasid.inference.evaluation.counts import LAYERS, Counts, count

# Types with fewer gold sentences than this say little; the second macro-F1 leaves them out.
MACRO_SUPPORT: Final = 5


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts by layer over a set of articles, with the figures made of them.

    Args:
        articles: how many were scored.
        counts: by layer, and by `type/X` for each event type.
        macro: mean F1 of the event types that gold or prediction has.
        macro_frequent: the same over the types with `MACRO_SUPPORT` or more gold sentences.
        intervals: by layer, and for `event macro` and `event macro 5+`, the 95% interval of F1 by bootstrap over
            articles; empty where none was asked for.
    """

    articles: int
    counts: Mapping[str, Counts]
    macro: float
    macro_frequent: float
    intervals: Mapping[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure under plain names, F1 and its parts in [0, 1]."""
        layers = {
            name: {
                "precision": round(c.precision, 4),
                "recall": round(c.recall, 4),
                "f1": round(c.f1, 4),
                "right": c.right,
                "predicted": c.predicted,
                "gold": c.gold,
                **({"interval": [round(v, 4) for v in self.intervals[name]]} if name in self.intervals else {}),
            }
            for name, c in self.counts.items()
        }
        macro = {"event macro": self.macro, "event macro 5+": self.macro_frequent}
        return {
            "articles": self.articles,
            "layers": {name: value for name, value in layers.items() if not name.startswith("type/")},
            "types": {name.removeprefix("type/"): value for name, value in layers.items() if name.startswith("type/")},
            **{
                name: {
                    "f1": round(value, 4),
                    **({"interval": [round(v, 4) for v in self.intervals[name]]} if name in self.intervals else {}),
                }
                for name, value in macro.items()
            },
        }


def score(gold: Iterable[Article], predicted: Iterable[Article], *, resamples: int = 0, seed: int = 0) -> Scores:
    """Score predicted articles against gold ones of the same ids.

    Args:
        gold: the gold articles.
        predicted: a prediction for each, in any order.
        resamples: how often articles are resampled for the intervals (percentile bootstrap); 0 for none.
        seed: of the resampling.

    Raises:
        DataError: where a prediction is missing, stands twice, belongs to no gold article, or has another text.
    """
    by_id: dict[str, Article] = {}
    for article in predicted:
        if article.id in by_id:
            raise DataError("two predictions have this id", source=article.id)
        by_id[article.id] = article
    rows: list[dict[str, Counts]] = []
    for article in gold:
        if article.id not in by_id:
            raise DataError("there is no prediction (or a gold article stands twice)", source=article.id)
        rows.append(count(article, by_id.pop(article.id)))
    if by_id:
        raise DataError("the prediction belongs to no gold article", source=next(iter(by_id)))
    if not rows:
        raise DataError("there is no article to score")
    names = list(rows[0])
    table = np.array([[(r[n].right, r[n].spurious, r[n].missed) for n in names] for r in rows], dtype=np.int64)
    sums = table.sum(axis=0)
    counts = {name: Counts(*map(int, sums[i])) for i, name in enumerate(names)}
    macro, frequent = _macro(names, sums)
    return Scores(len(rows), counts, macro, frequent, _bootstrap(names, table, resamples, seed))


def _f1(sums: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    right, spurious, missed = sums[..., 0], sums[..., 1], sums[..., 2]
    return np.asarray(2 * right / np.maximum(2 * right + spurious + missed, 1))


def _macro(names: Sequence[str], sums: np.ndarray[Any, Any]) -> tuple[float, float]:
    of_types = sums[[names.index(f"type/{kind}") for kind in EVENT_TYPES]]
    f1 = _f1(of_types)
    seen = of_types.sum(axis=1) > 0
    frequent = of_types[:, 0] + of_types[:, 2] >= MACRO_SUPPORT
    return tuple(float(f1[mask].mean()) if mask.any() else 0.0 for mask in (seen, frequent))  # type: ignore[return-value]


def _bootstrap(
    names: Sequence[str], table: np.ndarray[Any, Any], resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    if not resamples:
        return {}
    rng = np.random.default_rng(seed)
    samples: dict[str, list[float]] = {name: [] for name in (*LAYERS, "event macro", "event macro 5+")}
    for _ in range(resamples):
        sums = table[rng.integers(0, len(table), len(table))].sum(axis=0)
        f1 = _f1(sums)
        for name in LAYERS:
            samples[name].append(float(f1[names.index(name)]))
        macro, frequent = _macro(names, sums)
        samples["event macro"].append(macro)
        samples["event macro 5+"].append(frequent)
    return {
        name: (float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5)))
        for name, values in samples.items()
    }
