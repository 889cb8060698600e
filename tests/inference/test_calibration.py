from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasid.data.schema import Article, Event
from rasid.inference.calibration import (
    PLAIN,
    Curve,
    calibrate,
    calibration_errors,
    expected_calibration_error,
    fit_curve,
    outcomes,
)


def draws(curve: Curve, number: int = 4000) -> tuple[list[float], list[bool]]:
    """Scores whose true probability is what the curve makes of them."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, number).tolist()
    return scores, [bool(rng.random() < curve(score)) for score in scores]


@pytest.mark.parametrize("curve", [Curve(0.5, -0.4), Curve(1.0, 0.0), Curve(2.0, 0.5)])
def test_the_curve_that_made_the_data_is_found(curve: Curve) -> None:
    found = fit_curve(*draws(curve))
    assert found.scale == pytest.approx(curve.scale, abs=0.1)
    assert found.shift == pytest.approx(curve.shift, abs=0.15)


def test_calibration_lowers_the_error() -> None:
    scores, right = draws(Curve(0.4, -0.5))
    curve = fit_curve(scores, right)
    before = expected_calibration_error(scores, right)
    after = expected_calibration_error([curve(score) for score in scores], right)
    assert before > 0.1
    assert after < 0.03


def test_the_plain_curve_changes_nothing() -> None:
    assert PLAIN(0.3) == pytest.approx(0.3)
    assert fit_curve([], []) == PLAIN


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_any_fit_is_finite_and_rises(pairs: list[tuple[float, bool]]) -> None:
    curve = fit_curve([score for score, _ in pairs], [right for _, right in pairs])
    values = [curve(score) for score in (0.0, 0.2, 0.5, 0.8, 1.0)]
    assert values == sorted(values)
    assert all(0.0 <= value <= 1.0 for value in values)


def test_the_error_by_hand() -> None:
    # two bins: 0.25 against 1/2 and 0.95 against 1
    scores, right = [0.25, 0.25, 0.95, 0.95], [True, False, True, True]
    assert expected_calibration_error(scores, right) == pytest.approx((2 * 0.25 + 2 * 0.05) / 4)
    assert expected_calibration_error([], []) == 0


def test_outcomes_by_layer(gold: list[Article]) -> None:
    article = gold[0]
    first, *rest = article.mentions
    wrong = replace(first, end=first.end - 1, score=0.6)
    events = (replace(article.events[0], score=0.9), Event("PROTEST", 0, score=0.2))
    predicted = replace(article, mentions=(wrong, *(replace(m, score=0.8) for m in rest)), events=events)
    found = outcomes([article], [predicted])
    assert found["ACTOR"][0][0] == 0.6
    assert found["ACTOR"][1] == [False, *[True] * (len(found["ACTOR"][1]) - 1)]
    assert found["LOCATION"] == ([0.8], [True])
    assert found["event type"] == ([0.9, 0.2], [True, False])


def test_gold_labels_without_scores_have_no_calibration_error(gold: list[Article]) -> None:
    assert calibration_errors(gold, gold) == {}


def test_calibrate_goes_by_layer(gold: list[Article]) -> None:
    article = gold[0]
    scored = replace(
        article,
        mentions=tuple(replace(m, score=0.5) for m in article.mentions),
        events=tuple(replace(e, score=0.5) for e in article.events),
    )
    found = calibrate(scored, {"LOCATION": Curve(1.0, 2.0), "event type": Curve(1.0, -2.0)})
    assert {m.score for m in found.mentions if m.label == "ACTOR"} == {0.5}
    assert all((m.score or 0) > 0.8 for m in found.mentions if m.label == "LOCATION")
    assert all((e.score or 1) < 0.2 for e in found.events)
    assert calibrate(article, {"ACTOR": Curve(2.0, 0.0)}) == article
