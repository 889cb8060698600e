from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasid.inference.segment import line_starts, segment


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in segment(text)]


@pytest.mark.parametrize("text", ["", " ", "\n\n", " \t\u2028\xa0 "])
def test_a_blank_text_has_no_sentence(text: str) -> None:
    assert segment(text) == []


def test_spans_are_offsets_into_the_raw_text() -> None:
    assert segment("  قصف الحي. \n ثم هدأ ") == [(2, 11), (14, 20)]


# Each list is how the text, its parts joined by nothing, has to be cut.
@pytest.mark.parametrize(
    "parts",
    [
        ["قصف الجيش الحي.", " وفر السكان."],
        ["ماذا حدث؟", " لا أحد يعلم!", " انتهى"],
        ["أين هم؟!", " لا جواب"],
        ["انتهى الخبر۔", " وبدأ غيره"],
        ["عنوان بلا نقطة", "\nنص الخبر يبدأ هنا.", "\n\nفقرة"],
        ["سطر", "\r\nسطر", "\u2028سطر", "\x0bسطر"],
    ],
    ids=["full stop", "question and shout", "two marks", "urdu stop", "line breaks", "other line breaks"],
)
def test_ends_of_sentences(parts: list[str]) -> None:
    assert sentences("".join(parts)) == [part.strip() for part in parts]


@pytest.mark.parametrize(
    "parts",
    [
        ["وصل إلى المدينة.", "ثم عاد."],
        ["هل وصل؟", "نعم وصل."],
        ["يا للهول!", "وقع القصف."],
        ["هل وصل؟", "«نعم» قال."],
    ],
)
def test_a_missing_space_after_the_mark(parts: list[str]) -> None:
    assert sentences("".join(parts)) == parts


@pytest.mark.parametrize(
    "text",
    [
        "ارتفع بنسبة 3.5 في المئة",
        "بلغ ٣.٥ مليون دولار",
        "الإصدار 2.0.1 صدر",
        "زوروا www.aljazeera.net اليوم",
        "كتب a.b@example.org رسالة",
        "قناة بي.بي.سي قالت",
    ],
)
def test_a_dot_inside_a_number_or_an_address_ends_nothing(text: str) -> None:
    assert sentences(text) == [text]


def test_a_number_before_the_full_stop_of_a_sentence() -> None:
    assert sentences("قتل 15. وجرح 20. انتهى") == ["قتل 15.", "وجرح 20.", "انتهى"]


@pytest.mark.parametrize(
    "text",
    [
        "قال د. محمد علي",
        "وصل أ. د. خالد",
        "عام 1445 هـ. في مكة",
        "صندوق ص.ب. 12 دمشق",
        "القرن الثالث ق.م. في مصر",
        "قال Mr. Smith أمس",
        "كتب J. R. Smith مقالا",
        "الـ ن.ي.ت. كتبت",
    ],
)
def test_abbreviations_and_initials_end_nothing(text: str) -> None:
    assert sentences(text) == [text]


def test_a_word_that_ends_in_an_abbreviation_is_none() -> None:
    assert sentences("انتهى التصميم. وبدأ العمل") == ["انتهى التصميم.", "وبدأ العمل"]


def test_a_list_number_belongs_to_what_follows() -> None:
    assert sentences("1. أولا قصف الحي. ثم هدأ\n12. ثانيا") == ["1. أولا قصف الحي.", "ثم هدأ", "12. ثانيا"]


@pytest.mark.parametrize(
    "text",
    [
        "قال «وصلنا. دخلنا المدينة. انتهى» ثم سكت",
        "قال “وصلنا! دخلنا” ثم سكت",
        "الحركة (أسست سنة 90. ثم حلت) عادت",
        "قال «هل وصلتم؟ نعم» ثم سكت",
    ],
)
def test_a_quotation_or_bracket_is_not_cut(text: str) -> None:
    assert sentences(text) == [text]


def test_a_closing_mark_after_the_full_stop_belongs_to_the_sentence() -> None:
    assert sentences("قال «وصلنا.» ثم قال “انتهى.” وسكت.") == ["قال «وصلنا.»", "ثم قال “انتهى.”", "وسكت."]
    assert sentences("(وصل الوفد.) ثم عاد") == ["(وصل الوفد.)", "ثم عاد"]


def test_a_quotation_that_is_never_closed_hides_no_end() -> None:
    assert sentences("قال «وصلنا. ثم سكت") == ["قال «وصلنا.", "ثم سكت"]


def test_a_quotation_that_is_very_long_hides_no_end() -> None:
    inside = "قصف الحي. " * 80
    assert len(sentences(f"قال «{inside}» وسكت")) == 81


def test_a_quotation_is_not_closed_on_another_line() -> None:
    assert sentences("قال «وصلنا. ثم\nسكت» وذهب") == ["قال «وصلنا.", "ثم", "سكت» وذهب"]


@pytest.mark.parametrize("dots", ["...", "…", "....", "……"])
def test_an_ellipsis_after_few_words_ends_nothing(dots: str) -> None:
    text = f"سوريا{dots} قصف جديد على حلب"
    assert sentences(text) == [text]


@pytest.mark.parametrize("dots", ["...", "…"])
def test_an_ellipsis_after_many_words_ends_the_sentence(dots: str) -> None:
    first = f"قال الوزير أمس في مؤتمر عقده في العاصمة إن الوضع صعب{dots}"
    assert sentences(f"{first} وسكت") == [first, "وسكت"]
    assert sentences(f"{first}وسكت") == [f"{first}وسكت"]


def test_two_dots_end_nothing() -> None:
    text = "قال الوزير أمس في مؤتمر عقده في العاصمة إن الوضع صعب.. وسكت"
    assert sentences(text) == [text]


def test_semicolons_and_commas_end_nothing() -> None:
    text = "قصف الجيش الحي؛ وفر السكان، ثم عادوا: كلهم"
    assert sentences(text) == [text]


MIXED = "سلامهـدق 3٣.؟!…۔،؛«»“”\"'()[]\n\r\t\x0b\x1c\x1f\x85\u2028\xa0\u200f1aMr"


@settings(max_examples=60, deadline=None)
@given(st.text(MIXED, max_size=80) | st.text(st.characters(), max_size=30))
def test_every_character_but_white_space_lies_in_exactly_one_span(text: str) -> None:
    covered = [0] * len(text)
    for start, end in segment(text):
        for at in range(start, end):
            covered[at] += 1
    assert all(count <= 1 for count in covered)
    assert all(count == 1 for char, count in zip(text, covered, strict=True) if not char.isspace())


@settings(max_examples=60, deadline=None)
@given(st.text(MIXED, max_size=80))
def test_spans_are_in_order_on_one_line_and_without_white_space_at_their_edges(text: str) -> None:
    last = 0
    for start, end in segment(text):
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert len(text[start:end].splitlines()) == 1
        last = end


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("سلام .؟", max_size=12), max_size=4))
def test_lines_are_segmented_on_their_own(lines: list[str]) -> None:
    assert sentences("\n".join(lines)) == [found for line in lines for found in sentences(line)]


def test_line_starts_tells_the_first_sentence_of_each_line() -> None:
    text = "عنوان\n\nقصف الجيش البلدة. وانسحب لاحقاً.\u2028قال مصدر!"
    assert line_starts(text, segment(text)) == [True, True, False, True]
    assert line_starts("", []) == []
