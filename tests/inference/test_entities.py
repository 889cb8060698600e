from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasid.data.markup import read_markup
from rasid.inference.entities import Named, join_mentions


def ids(line: str) -> list[str]:
    """The ids given to the mentions of a line of markup, whatever ids it has."""
    (article,) = read_markup([line], "line")
    named = [Named(m.label, m.sector, article.surface(m), m.start, m.end) for m in article.mentions]
    return join_mentions(named, article.text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("[الأهالي|A1:CVL]", "[الاهالى|A2:CVL]"),  # spelling
        ("[مسلحون|A1:UAF]", "[مسلحين|A2:UAF]"),  # case
        ("[العميد لؤي العلي|A1:SPY]", "[العلي|A2:SPY]"),
        ("[لؤي العلي|A1:SPY]", "[العميد لؤي العلي|A2:SPY]"),
        ("[رئيس الوزراء|A1:GOV]، [سامر الحسن|A1:GOV] ثم", "[الحسن|A2:GOV]"),
        ("[قوات سوريا الديمقراطية|A1:REB]", "[قسد|A2:REB]"),
        ("[قسد|A1:REB]", '["قسد"|A2:REB]'),
        ("[تنظيم “الدولة”|A1:REB]", "[داعش|A2:REB]"),
        ("[حركة حماس|A1:REB]", "[حماس|A2:REB]"),
        ("[قوات النظام السوري|A1:MIL]", "[قوات النظام|A2:MIL]"),
        ("[مصادر محلية|A1:UNK]", "[المصادر|A2:UNK]"),
        ("[مطلوبين|A1:REB]", "[المطلوبين|A2:REB]"),
        ("[اللواء الثامن|A1:REB]", "[اللواء|A2:REB]"),
        ("[المركز الثقافي|L1]", "[المركز|L2]"),
        ("[قاعدة العند|L1]", "[القاعدة|L2]"),
    ],
)
def test_two_names_of_one(first: str, second: str) -> None:
    found = ids(f"{first} و{second}")
    assert found[0] == found[-1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("[روسيا|A1:GOV]", "[تركيا|A2:GOV]"),
        ("[روسيا|A1:GOV]", "[روسيا|L1]"),
        ("[سالم الكردي|A1:MIL]", "[سالم الحسن|A2:MIL]"),
        ("[نقابة الصحفيين|A1:LAB]", "[الصحفيين|A2:LAB]"),
        ("[عناصر التنظيم|A1:REB]", "[التنظيم|A2:REB]"),
        ("[النظام|A1:GOV]", "[قوات النظام|A2:MIL]"),
        ("[وزير الخارجية الروسي|A1:GOV]", "[وزير الخارجية التركي|A2:GOV]"),
        ("[مصادر محلية|A1:UNK]", "[المصادر العسكرية|A2:UNK]"),
        ("[اللواء الثامن|A1:REB]", "[اللواء|A2:MIL]"),
        ("[حلب|L1]", "[ريف حلب|L2]"),
        ("[رئيس البلدية|A1:GOV]، [وزير الدفاع|A2:GOV]", "[المحافظ|A3:GOV]"),
    ],
)
def test_two_that_only_look_alike(first: str, second: str) -> None:
    found = ids(f"{first} و{second}")
    assert found[0] != found[-1]


def test_a_definite_noun_takes_up_the_nearest() -> None:
    found = ids("[مصادر محلية|A1:UNK] و[مصادر طبية|A2:UNK] قالت [المصادر|A3:UNK]")
    assert found == ["A1", "A2", "A2"]


def test_a_title_and_the_name_beside_it_are_one() -> None:
    assert ids("[رئيس فرع الأمن العسكري|A1:SPY]، [لؤي العلي|A2:SPY]") == ["A1", "A1"]
    assert ids("[رئيس فرع الأمن العسكري|A1:SPY] زار [لؤي العلي|A2:SPY]") == ["A1", "A2"]


def test_ids_count_up_by_label() -> None:
    assert ids("[روسيا|A7:GOV] في [حلب|L9] مع [تركيا|A9:GOV] قرب [إدلب|L3]") == ["A1", "L1", "A2", "L2"]


@given(
    st.lists(st.tuples(st.sampled_from(["ACTOR", "LOCATION"]), st.text('الحسنيرقو "«»', min_size=1).filter(str.strip)))
)
def test_any_surfaces_get_an_id_of_their_label(pairs: list[tuple[str, str]]) -> None:
    named = [Named(label, "CVL" if label == "ACTOR" else None, surface, 0, 1) for label, surface in pairs]
    found = join_mentions(named, "")
    assert [entity[0] for entity in found] == [label[0] for label, _ in pairs]
