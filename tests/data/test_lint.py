from __future__ import annotations

import pytest

from rasid.data.lint import Finding, lint
from rasid.data.markup import read_markup
from rasid.data.schema import Article, Mention


def rules(*lines: str) -> list[tuple[str, int]]:
    (article,) = read_markup(lines, "خبر")
    return [(finding.rule, finding.sentence) for finding in lint(article)]


def test_a_clean_article_has_no_findings() -> None:
    assert rules("قصف [الجيش السوري|A1:MIL] مدينة [حلب|L1].", "@ ASSAULT ; A1 ; ; L1", "وساد الهدوء.") == []


@pytest.mark.parametrize(
    "line", ["وصل [الوزير،|A1:GOV]", "وصل [-الوزير|A1:GOV]", "وصل [(الوزير)|A1:GOV]", "في [حلب.|L1]"]
)
def test_edge_finds_punctuation_at_the_edge(line: str) -> None:
    assert ("edge", 0) in rules(line)


@pytest.mark.parametrize("line", ["وصل [الوزير|A1:GOV]،", "في [حلب - الجديدة|L1].", "[حركة المقاومة (حماس)|A1:REB]"])
def test_edge_leaves_punctuation_inside_and_outside(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize("number", ["3", "٣"])
def test_numeral_finds_an_actor_that_begins_with_one(number: str) -> None:
    assert rules(f"قُتل [{number} جنود|A1:MIL]") == [("numeral", 0)]


@pytest.mark.parametrize("line", ["3 [جنود|A1:MIL]", "في [6 أكتوبر|L1]", "[اللواء 93|A1:MIL]"])
def test_numeral_leaves_locations_and_numerals_after_the_head(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize("surface", ["مدينة حلب", "محافظتي إدلب", "قرية الغوطة"])
def test_class_noun_finds_it_in_a_location(surface: str) -> None:
    assert rules(f"في [{surface}|L1]") == [("class-noun", 0)]


@pytest.mark.parametrize("line", ["في مدينة [حلب|L1]", "[مدينة حلب|A1:GOV]"])
def test_class_noun_leaves_it_outside_or_in_an_actor(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize("surface", ["المدينة", "الريف الشمالي", "ريف"])
def test_nameless_finds_places_that_are_no_names(surface: str) -> None:
    assert rules(f"في [{surface}|L1]") == [("nameless", 0)]


@pytest.mark.parametrize("line", ["في [ريف حلب الشمالي|L1]", "في [الشمال السوري|L1]", "قالت [البلدة|A1:GOV]"])
def test_nameless_leaves_names_and_actors(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize("before", ["شمال", "بغرب", "وشرقي"])
def test_direction_finds_it_outside_the_name(before: str) -> None:
    assert rules(f"وصل إلى {before} [سوريا|L1]") == [("direction", 0)]


@pytest.mark.parametrize("line", ["في [شمال سوريا|L1]", "شمال مدينة [حلب|L1]", "شرق [نهر الفرات|L1]", "شمالا [حلب|L1]"])
def test_direction_leaves_it_before_class_nouns(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize("surface", ["«داعش", "تنظيم «داعش", 'حركة "حماس', "حماس”", "«داعش»", '"داعش"', "“داعش”"])
def test_quotes_finds_marks_without_mate_and_around_the_span(surface: str) -> None:
    assert rules(f"قال [{surface}|A1:REB]") == [("quotes", 0)]


@pytest.mark.parametrize("surface", ["تنظيم «داعش»", 'حركة "حماس"', "«أ» و«ب»", '"أ" و"ب"', "داعش"])
def test_quotes_leaves_pairs_inside(surface: str) -> None:
    assert rules(f"قال [{surface}|A1:REB]") == []


def test_proclitic_finds_a_known_name_with_a_letter_before_it() -> None:
    assert rules("زار [دمشق|L1]", "من [بدمشق|L1]") == [("proclitic", 1)]


@pytest.mark.parametrize("surface", ["والجيش", "بالجيش", "للجيش", "وبالجيش", "وللجيش"])
def test_proclitic_finds_a_letter_before_the_article(surface: str) -> None:
    assert rules(f"قال [{surface}|A1:MIL]") == [("proclitic", 0)]


@pytest.mark.parametrize(
    "line",
    ["قال [والد الطفل|A1:CVL]", "قالت [والدتهم|A1:CVL]", "زار [بيروت|L1]", "قال [الجيش|A1:MIL]", "و[الجيش|A1:MIL]"],
)
def test_proclitic_leaves_names_that_begin_with_such_a_letter(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize("later", ["عاد إلى دمشق أمس", "عاد ودمشق هادئة", "عاد لدمشق"])
def test_unlabelled_finds_a_name_labelled_elsewhere(later: str) -> None:
    assert rules("زار [دمشق|L1]", later) == [("unlabelled", 1)]


@pytest.mark.parametrize("later", ["عاد إلى [دمشق|L1]", "قال [إعلان دمشق|A1:OPP]", "عاد الدمشقيون", "عاد أهل دمشقية"])
def test_unlabelled_leaves_covered_and_longer_words(later: str) -> None:
    assert rules("زار [دمشق|L1]", later) == []


def test_unlabelled_leaves_names_of_three_letters() -> None:
    assert rules("زار [حلب|L1]", "عاد إلى حلب") == []


def test_ids_finds_one_surface_with_two_ids() -> None:
    assert rules("زار [تركيا|L1]", "ثم [تركيا|L2]") == [("ids", 1)]


def test_ids_leaves_one_surface_of_two_labels_and_repeated_ids() -> None:
    assert rules("زار [تركيا|L1]", "قالت [تركيا|A1:GOV]", "ثم [تركيا|L1]") == []


@pytest.mark.parametrize(
    "line", ["قصفت الطائرات الحي", "واعتقلوا شابا", "فانسحب الوفد", "اشتباكات عنيفة", "والتقى الوفد"]
)
def test_no_event_finds_a_cue_in_a_sentence_without_events(line: str) -> None:
    assert rules("نص.", line) == [("no-event", 1)]


@pytest.mark.parametrize("lines", [("قصفت الطائرات الحي", "@ ASSAULT"), ("القصف مستمر",), ("سيقصفون الحي",)])
def test_no_event_leaves_sentences_with_events_and_other_words(lines: tuple[str, ...]) -> None:
    assert rules(*lines) == []


def test_findings_come_in_the_order_of_the_text() -> None:
    found = rules("طالبت الصحف", "في [حلب.|L1]", "رفض الوفد")
    assert found == [("no-event", 0), ("edge", 1), ("no-event", 2)]


def test_an_article_without_sentences_is_linted_as_a_whole() -> None:
    article = Article(id="خبر", text="زار دمشق، ثم دمشق", mentions=(Mention(4, 9, "LOCATION", "L1"),))
    assert [(f.rule, f.sentence) for f in lint(article)] == [("edge", -1)]


def test_a_finding_reads_as_one_line() -> None:
    assert str(Finding("ids", "خبر", 1, "why")) == "خبر, sentence 2: ids: why"
    assert str(Finding("ids", "خبر", -1, "why")) == "خبر: ids: why"
