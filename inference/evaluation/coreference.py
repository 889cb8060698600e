"""Scores of entities: which mentions mean the same, as MUC, B-cubed, CEAF-e and their mean, the CoNLL F1.

S. Pradhan and others, Scoring coreference partitions of predicted mentions: a reference implementation, 2014.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from rasid.data.errors import DataError
from rasid.data.schema import Article

Cluster = frozenset[tuple[int, int, str]]
METRICS: Final = ("MUC", "B3", "CEAFe")


def clusters_of(article: Article) -> list[Cluster]:
    """Return the entities of an article as sets of mentions: start, end, label."""
    found: dict[str, set[tuple[int, int, str]]] = defaultdict(set)
    for mention in article.mentions:
        found[mention.entity].add((mention.start, mention.end, mention.label))
    return [frozenset(cluster) for cluster in found.values()]


def conll_f1(gold: Iterable[Article], predicted: Iterable[Article]) -> dict[str, float]:
    """Return the F1 of each metric over all articles, and their mean under `CoNLL`, in [0, 1].

    Args:
        gold: gold articles.
        predicted: a prediction for each.

    Raises:
        DataError: where scipy, which matches entities, is not installed.
    """
    by_id = {article.id: article for article in predicted}
    sums: dict[str, Counter[str]] = {name: Counter() for name in METRICS}
    for article in gold:
        left, right = clusters_of(article), clusters_of(by_id[article.id])
        sums["MUC"].update({**_muc(left, right, "gold"), **_muc(right, left, "predicted")})
        sums["B3"].update({**_b_cubed(left, right, "gold"), **_b_cubed(right, left, "predicted")})
        sums["CEAFe"].update(_ceaf(left, right))
    found = {name: _f1(counts) for name, counts in sums.items()}
    return {**found, "CoNLL": sum(found.values()) / len(found)}


def _f1(counts: Mapping[str, float]) -> float:
    sides = [counts[f"{side} right"] / counts[f"{side} all"] if counts[f"{side} all"] else 0.0 for side in _SIDES]
    return 2 * sides[0] * sides[1] / sum(sides) if sum(sides) else 0.0


_SIDES: Final = ("gold", "predicted")


def _muc(clusters: list[Cluster], others: list[Cluster], side: str) -> dict[str, float]:
    owner = {mention: index for index, cluster in enumerate(others) for mention in cluster}
    right = total = 0
    for cluster in clusters:
        parts = {owner[mention] for mention in cluster if mention in owner}
        alone = sum(mention not in owner for mention in cluster)
        right += len(cluster) - len(parts) - alone
        total += len(cluster) - 1
    return {f"{side} right": right, f"{side} all": total}


def _b_cubed(clusters: list[Cluster], others: list[Cluster], side: str) -> dict[str, float]:
    owner = {mention: cluster for cluster in others for mention in cluster}
    right = 0.0
    total = 0
    for cluster in clusters:
        right += sum(len(cluster & owner[mention]) / len(cluster) for mention in cluster if mention in owner)
        total += len(cluster)
    return {f"{side} right": right, f"{side} all": total}


def _ceaf(gold: list[Cluster], predicted: list[Cluster]) -> dict[str, float]:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise DataError("scores of entities need scipy: pip install 'rasid[evaluation]'") from None
    similarity = np.array([[2 * len(a & b) / (len(a) + len(b)) for b in predicted] for a in gold])
    right = 0.0
    if similarity.size:
        rows, columns = linear_sum_assignment(similarity, maximize=True)
        right = float(similarity[rows, columns].sum())
    return {"gold right": right, "gold all": len(gold), "predicted right": right, "predicted all": len(predicted)}
