"""Probabilities that mean what they say: how a network's are mended, and how far they are off."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rasid.data.schema import Article
from rasid.data.scheme import ACTOR, LOCATION
from rasid.inference.evaluation.counts import align

EVENT: Final = "event type"
CALIBRATED: Final = (ACTOR, LOCATION, EVENT)
_EDGE: Final = 1e-6
# A weak pull towards leaving the scores as they are, which keeps the fit finite where all are right.
_RIDGE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Curve:
    """Platt scaling: a score p becomes sigmoid(scale * logit(p) + shift); with scale 1 and shift 0 it stays p.

    J. Platt, Probabilistic outputs for support vector machines, 1999; temperature scaling is the case shift = 0.
    """

    scale: float = 1.0
    shift: float = 0.0

    def __call__(self, score: float) -> float:
        """Return the calibrated probability of a score in [0, 1]."""
        # on plain numbers: an array of one takes ten times as long, and every mention passes here
        kept = min(max(score, _EDGE), 1 - _EDGE)
        return 0.5 * (1.0 + math.tanh(0.5 * (self.scale * math.log(kept / (1 - kept)) + self.shift)))


PLAIN: Final = Curve()
Curves = Mapping[str, Curve]
NO_CURVES: Final[Curves] = {}


def fit_curve(scores: Sequence[float], right: Sequence[bool]) -> Curve:
    """Fit a curve by Newton's method on the log-likelihood, with a weak prior on no change.

    Args:
        scores: of predictions, in [0, 1].
        right: whether each was right.
    """
    if not scores:
        return PLAIN
    x = np.stack([_logit(np.asarray(scores, dtype=np.float64)), np.ones(len(scores))], axis=1)
    y = np.asarray(right, dtype=np.float64)
    prior = np.array([1.0, 0.0])
    weights = prior.copy()
    for _ in range(50):
        p = _sigmoid(x @ weights)
        gradient = x.T @ (p - y) + _RIDGE * (weights - prior)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights = weights - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    # a falling curve would turn the order of the scores round
    return Curve(max(float(weights[0]), 0.05), float(weights[1]))


def expected_calibration_error(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Return the mean distance between score and share of right ones, over bins of equal width, weighted by size.

    M. P. Naeini, G. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, 2015.

    Args:
        scores: in [0, 1].
        right: whether each was right.
        bins: how many.

    Returns:
        A value in [0, 1]; 0 where there are no scores.
    """
    if not scores:
        return 0.0
    p, y = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=np.float64)
    index = np.minimum((p * bins).astype(int), bins - 1)
    gaps = np.bincount(index, p - y, bins)
    return float(np.abs(gaps).sum() / len(p))


def outcomes(gold: Iterable[Article], predicted: Iterable[Article]) -> dict[str, tuple[list[float], list[bool]]]:
    """Return, by layer, the scores of what was predicted and whether each was right, as `count` counts it.

    Args:
        gold: gold articles.
        predicted: a prediction for each; what has no score is passed over.
    """
    by_id = {article.id: article for article in predicted}
    found: dict[str, tuple[list[float], list[bool]]] = {layer: ([], []) for layer in CALIBRATED}
    for article in gold:
        other = by_id[article.id]
        to_gold = align(other.sentences, article.sentences)
        spans = {(m.start, m.end, m.label) for m in article.mentions}
        types = {(e.sentence, e.type) for e in article.events}
        for mention in other.mentions:
            if mention.score is not None:
                found[mention.label][0].append(mention.score)
                found[mention.label][1].append((mention.start, mention.end, mention.label) in spans)
        # events of one type in one sentence, of several modes, are one answer
        scored = {(e.sentence, e.type): e.score for e in other.events if e.score is not None}
        for (sentence, kind), probability in scored.items():
            found[EVENT][0].append(probability)
            found[EVENT][1].append((to_gold.get(sentence, -1), kind) in types)
    return found


def calibration_errors(gold: Iterable[Article], predicted: Iterable[Article]) -> dict[str, float]:
    """Return the expected calibration error of each layer that has scores."""
    found = outcomes(gold, predicted)
    return {layer: expected_calibration_error(*pair) for layer, pair in found.items() if pair[0]}


def calibrate(article: Article, curves: Curves) -> Article:
    """Return a predicted article with its scores put through the curves of their layers."""
    return replace(
        article,
        mentions=tuple(
            m if m.score is None else replace(m, score=curves.get(m.label, PLAIN)(m.score)) for m in article.mentions
        ),
        events=tuple(
            e if e.score is None else replace(e, score=curves.get(EVENT, PLAIN)(e.score)) for e in article.events
        ),
    )


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(p, _EDGE, 1 - _EDGE)
    result: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return result


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result
