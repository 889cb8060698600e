from __future__ import annotations

import json

import pytest

from rasid.data.errors import DataError
from rasid.data.schema import Article, Event, Mention
from rasid.inference.evaluation.counts import LAYERS, Counts
from rasid.inference.evaluation.scores import Scores, score
from rasid.inference.report.scores import table

TEXT = "هاجم الجيش حلب."


def article(name: str, *kinds: str, actor: bool = True) -> Article:
    mentions = (Mention(5, 10, "ACTOR", "A1", "MIL"),) if actor else ()
    return Article(
        id=name,
        text=TEXT,
        sentences=((0, 15),),
        mentions=(*mentions, Mention(11, 14, "LOCATION", "L1")),
        events=tuple(Event(kind, 0) for kind in kinds),
    )


def mixed(resamples: int = 0, seed: int = 0) -> Scores:
    gold = [article(f"خبر-{i}", "ASSAULT") for i in range(6)] + [article("خبر-6", "AID"), article("خبر-7")]
    predicted = [article(f"خبر-{i}", "ASSAULT", actor=i % 2 == 0) for i in range(4)]
    predicted += [
        article("خبر-4"),
        article("خبر-5", "ASSAULT", "COERCE"),
        article("خبر-6"),
        article("خبر-7", "ASSAULT"),
    ]
    return score(gold, reversed(predicted), resamples=resamples, seed=seed)


def test_counts_are_summed_over_articles_joined_by_id() -> None:
    found = mixed()
    assert found.articles == 8
    assert found.counts["ACTOR"] == Counts(right=6, missed=2)
    assert found.counts["LOCATION"] == Counts(right=8)
    assert found.counts["type/ASSAULT"] == Counts(right=5, spurious=1, missed=1)
    assert found.counts["event type"] == Counts(right=5, spurious=2, missed=2)


def test_macro_is_the_mean_over_the_types_seen_and_over_the_frequent_ones() -> None:
    found = mixed()
    # ASSAULT 10/12, AID (only gold) 0, COERCE (only predicted) 0; only ASSAULT has five gold sentences or more
    assert found.macro == pytest.approx((10 / 12) / 3)
    assert found.macro_frequent == pytest.approx(10 / 12)


@pytest.mark.parametrize(("support", "frequent"), [(4, 0.0), (5, 1.0)])
def test_a_type_is_frequent_from_five_gold_sentences_on(support: int, frequent: float) -> None:
    articles = [article(str(i), "AID") for i in range(support)]
    found = score(articles, articles)
    assert (found.macro, found.macro_frequent) == (1.0, frequent)


def test_a_type_is_not_frequent_for_being_predicted_often() -> None:
    gold = [article(str(i), *(["AID"] if i == 0 else [])) for i in range(6)]
    found = score(gold, [article(str(i), "AID") for i in range(6)])
    assert found.macro == pytest.approx(2 / 7)
    assert found.macro_frequent == 0.0


def test_without_any_event_the_macro_is_nought() -> None:
    found = score([article("خبر")], [article("خبر")])
    assert (found.macro, found.macro_frequent, found.counts["event type"].f1) == (0.0, 0.0, 0.0)
    assert found.counts["ACTOR"].f1 == 1.0


def test_no_intervals_unless_asked_for() -> None:
    assert mixed().intervals == {}


def test_intervals_hold_the_values() -> None:
    found = mixed(resamples=300)
    values = {name: found.counts[name].f1 for name in LAYERS}
    values |= {"event macro": found.macro, "event macro 5+": found.macro_frequent}
    assert found.intervals.keys() == values.keys()
    for name, value in values.items():
        low, high = found.intervals[name]
        assert 0.0 <= low <= value <= high <= 1.0


def test_an_interval_is_wide_where_articles_differ_and_a_point_where_they_do_not() -> None:
    found = mixed(resamples=300)
    assert found.intervals["LOCATION"] == (1.0, 1.0)
    low, high = found.intervals["ACTOR"]
    assert low < found.counts["ACTOR"].f1 < high


def test_intervals_are_those_of_their_seed() -> None:
    assert mixed(resamples=50, seed=3) == mixed(resamples=50, seed=3)
    assert mixed(resamples=50, seed=3).intervals != mixed(resamples=50, seed=4).intervals


def test_resampling_changes_no_figure() -> None:
    with_intervals, without = mixed(resamples=20), mixed()
    assert with_intervals.counts == without.counts
    assert (with_intervals.macro, with_intervals.macro_frequent) == (without.macro, without.macro_frequent)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        (["أ", "ب"], ["أ"], "^ب: there is no prediction"),
        (["أ", "أ"], ["أ"], "^أ: there is no prediction .or a gold article stands twice"),
        (["أ"], ["أ", "أ"], "^أ: two predictions have this id"),
        (["أ"], ["أ", "ب"], "^ب: the prediction belongs to no gold article"),
        ([], [], "^there is no article to score"),
    ],
)
def test_articles_that_do_not_pair_are_refused(gold: list[str], predicted: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        score([article(name) for name in gold], [article(name) for name in predicted])


def test_another_text_is_refused() -> None:
    with pytest.raises(DataError, match="^أ: the text of the prediction"):
        score([article("أ")], [Article(id="أ", text="غيره")])


def test_the_figures_as_a_dict() -> None:
    found = mixed(resamples=20).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert list(found) == ["articles", "layers", "types", "event macro", "event macro 5+"]
    assert list(found["layers"]) == list(LAYERS)
    actor = found["layers"]["ACTOR"]
    assert {key: actor[key] for key in ("precision", "recall", "f1", "right", "predicted", "gold")} == {
        **{"precision": 1.0, "recall": 0.75, "f1": 0.8571},
        **{"right": 6, "predicted": 6, "gold": 8},
    }
    assert actor["interval"][0] <= 0.8571 <= actor["interval"][1]
    assert found["types"]["ASSAULT"]["f1"] == 0.8333
    assert "interval" not in found["types"]["ASSAULT"]
    assert found["event macro"]["f1"] == 0.2778


def test_the_dict_has_no_intervals_where_none_were_asked_for() -> None:
    found = mixed().to_dict()
    assert "interval" not in found["layers"]["ACTOR"]
    assert found["event macro 5+"] == {"f1": 0.8333}


def test_the_table_reads_in_per_cent() -> None:
    rows = {line[:16].strip(): line[16:].split() for line in table(mixed(resamples=20)).split("\n")}
    assert rows["LOCATION"] == ["100.0", "100.0", "100.0", "100.0-100.0", "8", "8", "8"]
    assert rows["ACTOR"][:3] == ["100.0", "75.0", "85.7"]
    assert rows["ACTOR"][4:] == ["6", "6", "8"]
    assert rows["ASSAULT"] == ["83.3", "83.3", "83.3", "5", "6", "6"]
    assert rows["event macro"][0] == "27.8"
    assert rows["event macro 5+"][0] == "83.3"


def test_the_table_leaves_out_types_that_nobody_has() -> None:
    found = table(mixed())
    assert "COERCE" in found and "AID" in found
    assert "PROTEST" not in found
