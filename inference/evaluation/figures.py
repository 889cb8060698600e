"""Figures of a model beside F1."""

from __future__ import annotations

from collections.abc import Sequence

from rasid.data.schema import Article
from rasid.inference.calibration import calibration_errors


def more_figures(
    articles: Sequence[Article], predicted: Sequence[Article], *, entities: bool
) -> dict[str, dict[str, float]]:
    """Return figures beside F1: the calibration error of the scores, and the F1 of entities where it is asked for."""
    more = {"expected calibration error": calibration_errors(articles, predicted)}
    if entities:
        from rasid.inference.evaluation.coreference import conll_f1

        more["F1 of entities"] = conll_f1(articles, predicted)
    return {name: figures for name, figures in more.items() if figures}
