from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rasid.data.jsonl import article_to_dict, dumps
from rasid.data.schema import Article
from rasid.inference.evaluation.metrics import ArticleScores


def test_the_metric_scores_records_without_a_network(
    gold: list[Article], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    metric = ArticleScores(cache_dir=str(tmp_path))
    for article in gold:
        actors = tuple(m for m in article.mentions if m.label == "ACTOR")
        prediction = Article(article.id, article.text, sentences=article.sentences, mentions=actors)
        metric.add(prediction=dumps(article_to_dict(prediction)), reference=dumps(article_to_dict(article)))
    found = metric.compute()
    assert found["ACTOR_f1"] == found["sector_f1"] == 1.0
    assert found["LOCATION_recall"] == found["event_type_f1"] == found["event_macro_f1"] == 0.0
