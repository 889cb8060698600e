"""The scores as `evaluate.Metric`s; they are classes of this package, so nothing is fetched from a hub.

metric = ArticleScores()
metric.add(prediction=json_line, reference=json_line)
metric.compute()["ACTOR_f1"]
"""

from __future__ import annotations

import json
from collections.abc import Sequence

try:
    import datasets
    import evaluate
except ModuleNotFoundError as error:
    raise ImportError(f"metrics need {error.name}: pip install 'rasid[train]'", name=error.name) from None

from rasid.data.jsonl import article_from_dict
from rasid.inference.evaluation.scores import score

_CITATION = ""
_DESCRIPTION = (
    "Strict span F1 of actors and locations, sectors, event types by sentence (micro and macro), modes and roles, "
    "of articles in rasid's disk format."
)
_INPUTS = "predictions, references: articles as JSON lines (strings) in rasid's disk format, joined by their `id`."


class ArticleScores(evaluate.Metric):  # type: ignore[misc]
    """Every layer's precision, recall and F1 under `LAYER_precision`, `LAYER_recall`, `LAYER_f1`, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        gold = [article_from_dict(json.loads(line)) for line in references]
        predicted = [article_from_dict(json.loads(line)) for line in predictions]
        scores = score(gold, predicted)
        found: dict[str, float] = {}
        for name, counts in scores.counts.items():
            if not name.startswith("type/"):
                plain = name.replace(" ", "_")
                found[f"{plain}_precision"] = counts.precision
                found[f"{plain}_recall"] = counts.recall
                found[f"{plain}_f1"] = counts.f1
        found["event_macro_f1"] = scores.macro
        return found
