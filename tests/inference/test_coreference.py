from __future__ import annotations

from dataclasses import replace

import pytest

from rasid.data.schema import Article, Mention
from rasid.inference.evaluation.coreference import conll_f1


def article(*entities: str) -> Article:
    mentions = tuple(Mention(2 * i, 2 * i + 1, "ACTOR", entity) for i, entity in enumerate(entities))
    return Article("a", "x " * len(entities), "", ((0, 2 * len(entities)),), mentions)


def test_equal_entities_score_one() -> None:
    gold = article("A1", "A2", "A1")
    assert conll_f1([gold], [article("A5", "A9", "A5")]) == pytest.approx({"MUC": 1, "B3": 1, "CEAFe": 1, "CoNLL": 1})


def test_a_worked_example() -> None:
    # gold {1,2,3} {4,5,6,7}; predicted {1,2} {3,4,5} {6,7}
    gold = article("A1", "A1", "A1", "A2", "A2", "A2", "A2")
    found = conll_f1([gold], [article("A1", "A1", "A2", "A2", "A2", "A3", "A3")])
    # recall: (3 - 2 + 4 - 2) / (2 + 3) = 3/5; precision: (1 + 1 + 1) / (1 + 2 + 1) = 3/4
    assert found["MUC"] == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    # recall: (2/3 * 2 + 1/3 + 2/4 * 2 + 2/4 * 2) / 7; precision: (1 * 2 + 1/3 + 2/3 * 2 + 1 * 2) / 7
    recall, precision = (4 / 3 + 1 / 3 + 2) / 7, (2 + 1 / 3 + 4 / 3 + 2) / 7
    assert found["B3"] == pytest.approx(2 * recall * precision / (recall + precision))
    # best pairs: {1,2,3} with {1,2}: 4/5; {4,5,6,7} with {6,7} or {3,4,5}: 2/3 or 4/7
    best = 4 / 5 + 2 / 3
    assert found["CEAFe"] == pytest.approx(2 * (best / 2) * (best / 3) / (best / 2 + best / 3))
    assert found["CoNLL"] == pytest.approx((found["MUC"] + found["B3"] + found["CEAFe"]) / 3)


def test_mentions_that_are_not_in_gold_cost_precision() -> None:
    gold = article("A1", "A1")
    more = replace(gold, mentions=(*gold.mentions, Mention(0, 3, "LOCATION", "L1")))
    found = conll_f1([gold], [more])
    assert found["MUC"] == 1
    assert found["B3"] < 1
    assert found["CEAFe"] < 1


def test_no_mentions_score_nothing() -> None:
    bare = replace(article("A1"), mentions=())
    assert conll_f1([article("A1")], [bare])["CoNLL"] == 0
    assert conll_f1([bare], [bare])["CoNLL"] == 0
