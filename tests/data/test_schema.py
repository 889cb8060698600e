from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from rasid.data.errors import DataError
from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import EVENT_TYPES, LABELS, MODES, SECTORS

TEXT = "قصف الجيش السوري مدينة حلب.\nنددت تركيا بالقصف."
SENTENCES = ((0, 27), (28, 46))
ARMY = Mention(4, 16, "ACTOR", "A1", "MIL")
SYRIA = Mention(10, 16, "LOCATION", "L1")
ALEPPO = Mention(23, 26, "LOCATION", "L2")
TURKEY = Mention(33, 38, "ACTOR", "A2", "GOV")


def article(**changes: object) -> Article:
    values: dict[str, object] = {
        "id": "خبر-1",
        "text": TEXT,
        "sentences": SENTENCES,
        "mentions": (ARMY, ALEPPO, TURKEY),
    }
    return Article(**{**values, **changes})  # type: ignore[arg-type]


def test_surface_of_mentions_and_sentences() -> None:
    found = article()
    assert [found.surface(m) for m in found.mentions] == ["الجيش السوري", "حلب", "تركيا"]
    assert [found.surface(s) for s in found.sentences] == ["قصف الجيش السوري مدينة حلب.", "نددت تركيا بالقصف."]


def test_mentions_are_sorted_by_start_and_longer_first() -> None:
    inner = Mention(4, 9, "LOCATION", "L3")
    found = article(mentions=(TURKEY, ALEPPO, inner, SYRIA, ARMY))
    assert found.mentions == (ARMY, inner, SYRIA, ALEPPO, TURKEY)


def test_sentence_of_each_mention() -> None:
    found = article()
    assert [found.sentence_of(m) for m in found.mentions] == [0, 0, 1]


@pytest.mark.parametrize("span", [(20, 30), (46, 47), (27, 28)])
def test_sentence_of_a_span_outside_every_sentence(span: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="lies in no sentence") as caught:
        article().sentence_of(Mention(*span, "LOCATION", "L9"))
    assert caught.value.source == "خبر-1"


def test_sentence_of_a_mention_before_the_first_sentence() -> None:
    found = article(sentences=((4, 27),), mentions=())
    with pytest.raises(DataError, match="lies in no sentence"):
        found.sentence_of(Mention(0, 3, "ACTOR", "A1", "MIL"))


def test_an_article_without_sentences_may_have_mentions() -> None:
    assert article(sentences=()).mentions == (ARMY, ALEPPO, TURKEY)


def test_mentions_of_different_labels_may_overlap() -> None:
    assert article(mentions=(ARMY, SYRIA)).mentions == (ARMY, SYRIA)


def test_values_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        ARMY.start = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        article().text = ""  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((5, 5, "ACTOR", "A1", "MIL"), "0 <= start < end"),
        ((-1, 5, "ACTOR", "A1", "MIL"), "0 <= start < end"),
        ((6, 5, "ACTOR", "A1", "MIL"), "0 <= start < end"),
        ((0, 5, "PERSON", "A1", "MIL"), "unknown label 'PERSON'; one of ACTOR, LOCATION"),
        ((0, 5, "ACTOR", "L1", "MIL"), "ACTOR id 'L1'"),
        ((0, 5, "LOCATION", "A1"), "LOCATION id 'A1'"),
        ((0, 5, "ACTOR", "A", "MIL"), "ACTOR id 'A'"),
        ((0, 5, "ACTOR", "A1", "ARM"), "unknown sector 'ARM' of A1"),
        ((0, 5, "LOCATION", "L1", "GOV"), "location L1 cannot have a sector"),
        ((0, 5, "ACTOR", "A1", "MIL", 1.5), r"a score must lie in \[0, 1\], got 1.5"),
        ((0, 5, "ACTOR", "A1", "MIL", float("nan")), "a score must lie in"),
    ],
)
def test_a_wrong_mention_is_refused(values: tuple[object, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Mention(*values)  # type: ignore[arg-type]


@pytest.mark.parametrize("sector", [None, *SECTORS])
def test_every_sector_fits_an_actor(sector: str | None) -> None:
    assert Mention(0, 5, "ACTOR", "A1", sector, 0.0).sector == sector


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"type": "FIGHT", "sentence": 0}, "unknown event type 'FIGHT'"),
        ({"type": "AID", "sentence": 0, "mode": "aerial"}, "unknown mode 'aerial' of AID; its modes: none"),
        ({"type": "REQUEST", "sentence": 0, "mode": "x"}, "its modes: assist, change, yield, meet"),
        ({"type": "AID", "sentence": -1}, "sentence index -1 is negative"),
        ({"type": "AID", "sentence": 0, "sources": ("L1",)}, "source 'L1' of AID must be an id that begins with A"),
        ({"type": "AID", "sentence": 0, "targets": ("L1",)}, "target 'L1' of AID must be an id that begins with A"),
        ({"type": "AID", "sentence": 0, "locations": ("A1",)}, "location 'A1' of AID must be an id that begins with L"),
        ({"type": "AID", "sentence": 0, "targets": ("A1", "A2", "A1")}, "target of AID names one entity twice"),
        ({"type": "AID", "sentence": 0, "score": -0.1}, "a score must lie in"),
    ],
)
def test_a_wrong_event_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Event(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_takes_its_own_modes(kind: str) -> None:
    for mode in (None, *MODES[kind]):
        assert Event(kind, 0, mode).mode == mode


def test_one_entity_may_be_source_and_target() -> None:
    event = Event("CONSULT", 0, None, ("A1", "A2"), ("A2", "A1"), ("L1",))
    assert event.roles == (("A1", "A2"), ("A2", "A1"), ("L1",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sentences": ((0, 27), (26, 46))}, r"sentence \[26, 46\) is empty, overlaps the one before"),
        ({"sentences": ((28, 46), (0, 27))}, r"sentence \[0, 27\)"),
        ({"sentences": ((0, 27), (28, 47))}, "leaves the text of 46 characters"),
        ({"sentences": ((0, 0),), "mentions": ()}, "is empty"),
        ({"sentences": (), "mentions": (Mention(40, 47, "LOCATION", "L1"),)}, "leaves the text of 46 characters"),
        ({"mentions": (Mention(3, 9, "ACTOR", "A1", "MIL"),)}, "A1 has white space at its edge: ' الجيش'"),
        ({"mentions": (Mention(4, 10, "ACTOR", "A1", "MIL"),)}, "white space at its edge"),
        ({"mentions": (Mention(23, 32, "LOCATION", "L1"),)}, "lies in no sentence"),
        (
            {"mentions": (ARMY, Mention(10, 16, "ACTOR", "A3", "GOV"))},
            "two ACTOR mentions overlap: 'الجيش السوري' at 4 and 'السوري' at 10",
        ),
        ({"mentions": (ARMY, Mention(4, 16, "ACTOR", "A3", "GOV"))}, "two ACTOR mentions overlap"),
        ({"events": (Event("ASSAULT", 2),)}, "ASSAULT is in sentence 2 of an article of 2 sentences"),
        ({"events": (Event("ACCUSE", 1, None, ("A7",)),)}, "ACCUSE in sentence 1 names A7, which has no mention"),
    ],
)
def test_an_article_that_does_not_fit_is_refused_by_its_id(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        article(**changes)
    assert caught.value.source == "خبر-1"
    assert str(caught.value).startswith("خبر-1: ")


def test_an_error_names_the_parts_it_knows() -> None:
    assert str(DataError("خطأ")) == "خطأ"
    assert str(DataError("wrong", source="a.txt", line=3, column=7)) == "a.txt:3:7: wrong"
    assert str(DataError("wrong", source="a.txt")) == "a.txt: wrong"
    assert DataError("wrong", source="a.txt", line=3).message == "wrong"


def test_the_scheme_holds_two_labels_and_sixteen_types() -> None:
    assert LABELS == ("ACTOR", "LOCATION")
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES)) == 16
    assert all(len(set(modes)) == len(modes) for modes in MODES.values())
    assert "UNK" in SECTORS and len(set(SECTORS)) == len(SECTORS)
