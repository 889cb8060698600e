from __future__ import annotations

import pytest

from rasid.data.errors import DataError
from rasid.data.markup import read_markup
from rasid.data.schema import Article, Event, Mention
from rasid.inference.evaluation.counts import LAYERS, Counts, count, of_sets

GOLD = """\
قصف [الجيش [السوري|L1]|A1:MIL] بلدة [سرمين|L2] وقتل [مدنيين|A2:CVL].
@ ASSAULT.aerial ; A1 ; A2 ; L2
نددت [تركيا|A3:GOV] ب[الجيش|A1:MIL].
@ ACCUSE.disapprove ; A3 ; A1
"""
NOTHING = Counts()


def article(markup: str) -> Article:
    (found,) = read_markup(markup.split("\n"), "خبر")
    return found


def counted(predicted: str, gold: str = GOLD) -> dict[str, Counts]:
    return count(article(gold), article(predicted))


def test_the_figures_of_counts() -> None:
    counts = Counts(right=3, spurious=1, missed=2)
    assert (counts.gold, counts.predicted) == (5, 4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    assert counts + Counts(1, 1, 1) == Counts(4, 2, 3)


@pytest.mark.parametrize("counts", [Counts(), Counts(spurious=2), Counts(missed=2)])
def test_figures_without_anything_right_are_nought(counts: Counts) -> None:
    assert (counts.precision, counts.recall, counts.f1) == (0.0, 0.0, 0.0)


def test_multisets_are_compared_with_their_multiplicity() -> None:
    assert of_sets("aabc", "abbd") == Counts(right=2, spurious=2, missed=2)
    assert of_sets([], [1]) == Counts(0, 1, 0)


def test_a_perfect_prediction() -> None:
    found = counted(GOLD)
    assert {name: found[name] for name in LAYERS} == {
        "ACTOR": Counts(4),
        "LOCATION": Counts(2),
        "sector": Counts(4),
        "event type": Counts(2),
        "mode": Counts(2),
        "role": Counts(5),
        "source": Counts(2),
        "target": Counts(2),
        "location": Counts(1),
    }
    assert (found["type/ASSAULT"], found["type/ACCUSE"], found["type/AID"]) == (Counts(1), Counts(1), NOTHING)


def test_a_prediction_of_nothing() -> None:
    gold = article(GOLD)
    found = count(gold, Article(id=gold.id, text=gold.text))
    assert [found[name] for name in ("ACTOR", "LOCATION", "sector", "event type", "mode", "role")] == [
        Counts(missed=n) for n in (4, 2, 4, 2, 2, 5)
    ]
    assert found["type/ASSAULT"] == Counts(missed=1)


def test_spans_are_right_only_when_both_ends_and_the_label_are() -> None:
    found = counted(
        "قصف [الجيش|A1:MIL] [السوري|A2:GOV] [بلدة سرمين|L2] وقتل [مدنيين|A3:CVL].\nنددت [تركيا|L3] ب[الجيش|A1:MIL]."
    )
    # right: مدنيين, the second الجيش; spurious: the first الجيش, السوري; missed: الجيش السوري, تركيا
    assert found["ACTOR"] == Counts(right=2, spurious=2, missed=2)
    # spurious: بلدة سرمين, تركيا; missed: السوري, سرمين
    assert found["LOCATION"] == Counts(right=0, spurious=2, missed=2)


def test_a_sector_is_right_when_span_and_sector_are() -> None:
    found = counted(GOLD.replace("A2:CVL", "A2:REB").replace("نددت", "[نددت|A4:UNK]"))
    assert found["ACTOR"] == Counts(right=4, spurious=1)
    assert found["sector"] == Counts(right=3, spurious=2, missed=1)


def test_types_and_modes_are_counted_by_sentence() -> None:
    found = counted(
        GOLD.replace("ASSAULT.aerial", "ASSAULT.drone").replace("@ ACCUSE.disapprove", "@ THREATEN ; A3\n@ ACCUSE")
    )
    assert found["event type"] == Counts(right=2, spurious=1)
    assert found["mode"] == Counts(right=0, spurious=3, missed=2)
    assert (found["type/THREATEN"], found["type/ACCUSE"]) == (Counts(spurious=1), Counts(1))


def test_a_type_in_the_wrong_sentence_is_spurious_and_missed() -> None:
    gold = "وصل الوفد.\n@ AID\nثم عاد.\n"
    found = counted("وصل الوفد.\nثم عاد.\n@ AID\n", gold)
    assert found["event type"] == found["mode"] == found["type/AID"] == Counts(spurious=1, missed=1)


def test_two_events_of_one_type_in_a_sentence_are_one_type_and_two_modes() -> None:
    gold = "قصف [الجيش|A1:MIL] الحي.\n@ ASSAULT.aerial ; A1\n@ ASSAULT.drone ; A1\n"
    found = counted(gold, gold)
    assert (found["event type"], found["type/ASSAULT"], found["mode"]) == (Counts(1), Counts(1), Counts(2))
    assert found["source"] == Counts(1)


def test_roles_match_by_overlap_and_not_by_id_or_exact_span() -> None:
    found = counted(
        "قصف [الجيش|A7:MIL] السوري [بلدة سرمين|L9] وقتل [مدنيين|A8:CVL].\n@ ASSAULT ; A7 ; A8 ; L9\n"
        "نددت [تركيا|A1:GOV] بالجيش.\n@ ACCUSE ; A1\n"
    )
    assert found["source"] == Counts(right=2)
    assert found["target"] == Counts(right=1, missed=1)
    assert found["location"] == Counts(right=1)
    assert found["role"] == Counts(right=4, missed=1)


def test_a_role_may_overlap_by_a_mention_in_another_sentence() -> None:
    gold = "وصل [الوزير|A1:GOV].\nثم عاد [الرجل|A1:GOV].\n@ RETREAT ; A1\n"
    predicted = "وصل [الوزير|A1:GOV].\nثم عاد [الرجل|A2:GOV].\n@ RETREAT ; A1\n"
    assert counted(predicted, gold)["source"] == Counts(right=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [("@ ASSAULT.aerial ; A1 ; A2", "@ ASSAULT ; A2 ; A1"), ("@ ASSAULT.aerial", "@ COERCE")],
    ids=["swapped", "another type"],
)
def test_roles_need_the_right_role_and_type(old: str, new: str) -> None:
    found = counted(GOLD.replace(old, new))
    assert (found["source"], found["target"]) == (Counts(1, 1, 1), Counts(1, 1, 1))


def test_one_predicted_entity_stands_for_one_gold_entity() -> None:
    gold = "التقى [وزير|A1:GOV] و[سفير|A2:GOV].\n@ CONSULT ; A1,A2\n"
    merged = "التقى [وزير وسفير|A1:GOV].\n@ CONSULT ; A1\n"
    assert counted(merged, gold)["source"] == Counts(right=1, missed=1)
    assert counted(gold, merged)["source"] == Counts(right=1, spurious=1)


def test_entities_are_matched_so_that_the_most_are_right() -> None:
    # A1 overlaps both gold entities, A2 only the first: both are right if A1 is given the second.
    gold = "عاد [وزير|A1:GOV] و[سفير|A2:GOV] ثم [وزير|A1:GOV] قال.\n@ CONSULT ; A1,A2\n"
    predicted = "عاد [وزير|A1:GOV] و[سفير|A1:GOV] ثم [وزير|A2:GOV] قال.\n@ CONSULT ; A1,A2\n"
    assert counted(predicted, gold)["source"] == Counts(right=2)
    assert counted(gold, predicted)["source"] == Counts(right=2)


def split(text: str, sentences: tuple[tuple[int, int], ...], events: tuple[Event, ...]) -> Article:
    return Article(
        id="خبر", text=text, sentences=sentences, events=events, mentions=(Mention(5, 10, "ACTOR", "A1", "MIL"),)
    )


def test_a_predicted_sentence_stands_for_the_gold_one_it_overlaps_most() -> None:
    text = "هاجم الجيش، ثم فر. وعاد الهدوء."
    gold = split(text, ((0, 18), (19, 31)), (Event("ASSAULT", 0, None, ("A1",)), Event("RETREAT", 1)))
    predicted = split(
        text,
        ((0, 11), (12, 15), (15, 31)),
        (Event("ASSAULT", 0, None, ("A1",)), Event("ASSAULT", 1), Event("RETREAT", 2)),
    )
    found = count(gold, predicted)
    assert found["event type"] == Counts(right=2)
    assert found["source"] == Counts(right=1)


def test_an_event_in_a_sentence_that_overlaps_no_gold_one_is_spurious() -> None:
    text = "هاجم الجيش.   حلب"
    gold = split(text, ((0, 11),), (Event("ASSAULT", 0, None, ("A1",)),))
    predicted = split(text, ((0, 11), (14, 17)), (Event("ASSAULT", 1, None, ("A1",)),))
    found = count(gold, predicted)
    assert found["event type"] == found["source"] == found["type/ASSAULT"] == Counts(spurious=1, missed=1)


def test_gold_without_sentences_takes_a_prediction_with_some() -> None:
    text = "هاجم الجيش."
    found = count(split(text, (), ()), split(text, ((0, 11),), (Event("ASSAULT", 0),)))
    assert found["ACTOR"] == Counts(right=1)
    assert found["event type"] == Counts(spurious=1)


def test_another_text_is_refused_by_the_id() -> None:
    with pytest.raises(DataError, match="خبر: the text of the prediction is not that of the gold article"):
        counted("قصف الحي.", "قصف الحي!")
