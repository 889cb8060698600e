from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasid.inference.normalise import key, normalise

MARKS = "\u064b\u064e\u064f\u0651\u0652\u0670\u0640\u06e5\u0615"
INVISIBLE = "\u200f\u200e\u200b\u200d\u202b\ufeff\u2066\u00ad\ufe0f"
FORMS = "\ufefb\ufdf2\ufdfa\ufe8d\ufb50\ufb8e\ufbfc\ufdfc\ufe70\ufe77\ufc5e"
MIXED = "سلامكيى أإآة٣3 .،a\n\t\xa0\x85\u0671\u06a9\u06cc\ud800\udfff🙂" + MARKS + INVISIBLE + FORMS


def spans(raw: str) -> list[tuple[str, str]]:
    found = normalise(raw)
    return [(c, raw[s:e]) for c, s, e in zip(found.text, found.starts, found.ends, strict=True)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", ""),
        ("قصف الجيش حلب.", "قصف الجيش حلب."),
        ("مُحَمَّدٌ", "محمد"),
        ("العـــراق", "العراق"),
        ("\u200fسوريا\u200e", "سوريا"),
        ("ان\u200cفجار", "انفجار"),
        ("أ\nب\tج\xa0د\x00ه\x85و", "أ ب ج د ه و"),
        ("\u06a9رد\u06cc \u0671لله", "كردي الله"),
        ("\ufefb \ufee3\ufebc\ufeae", "لا مصر"),
        ("\ufdfa", "صلى الله عليه وسلم"),
        ("\ufb8e\ufbfc\ufb50 \ufdfc", "كيا ريال"),
        ("أ\ud83dب\udc00", "أ\ufffdب\ufffd"),
        ("إسرائيل ١٢ 12 ى ة ؤ", "إسرائيل ١٢ 12 ى ة ؤ"),
        ("🙂 ok", "🙂 ok"),
    ],
)
def test_normalised_texts(raw: str, expected: str) -> None:
    assert normalise(raw).text == expected


def test_marks_join_the_letter_before_them() -> None:
    assert spans("مُحَمّ") == [("م", "مُ"), ("ح", "حَ"), ("م", "مّ")]


def test_several_marks_join_one_letter() -> None:
    assert spans("دَّـ") == [("د", "دَّـ")]


@pytest.mark.parametrize("mark", ["\ufe77", "\ufe70", "\ufe7c", "\ufc5e"])
def test_presentation_forms_of_marks_are_marks(mark: str) -> None:
    assert spans(f"كت{mark}ب") == [("ك", "ك"), ("ت", f"ت{mark}"), ("ب", "ب")]
    assert spans(f" {mark}ب") == [(" ", " "), ("ب", "ب")]


def test_marks_without_a_letter_join_nothing() -> None:
    assert spans("\u064eأ \u064eب") == [("أ", "أ"), (" ", " "), ("ب", "ب")]


def test_invisible_controls_join_nothing() -> None:
    assert spans("أ\u200fب\u200f") == [("أ", "أ"), ("ب", "ب")]
    assert spans("أ\u200f\u064eب") == [("أ", "أ"), ("ب", "ب")]


def test_each_letter_of_a_ligature_stands_for_all_of_it() -> None:
    assert spans("ا\ufefb\u064eم") == [("ا", "ا"), ("ل", "\ufefb"), ("ا", "\ufefb\u064e"), ("م", "م")]


def test_the_raw_span_of_a_word_takes_its_marks_along() -> None:
    raw = "قصفَ الجَيْشُ حلبَ"
    found = normalise(raw)
    at = found.text.index("الجيش")
    assert raw[found.starts[at] : found.ends[at + 4]] == "الجَيْشُ"


@settings(max_examples=60, deadline=None)
@given(st.text(MIXED, max_size=40) | st.text(st.characters(), max_size=20))
def test_the_offset_map_fits_the_raw_text(raw: str) -> None:
    found = normalise(raw)
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert found.starts.dtype == found.ends.dtype == np.int64
    assert np.all(np.diff(found.starts) >= 0) and np.all(np.diff(found.ends) >= 0)
    assert np.all((found.starts >= 0) & (found.starts < found.ends) & (found.ends <= len(raw)))


@settings(max_examples=60, deadline=None)
@given(st.text(MIXED, max_size=40) | st.text(st.characters(), max_size=20))
def test_each_kept_character_maps_to_the_raw_one_it_came_from(raw: str) -> None:
    for char, span in spans(raw):
        first, rest = span[0], span[1:]
        assert char in normalise(first).text
        assert all(normalise(mark).text == "" for mark in rest)
        if first.isascii() and first.isprintable() or "ء" <= first <= "غ" or "ف" <= first <= "ي":
            assert char == first


@settings(max_examples=60, deadline=None)
@given(st.text(MIXED, max_size=40))
def test_every_character_that_is_dropped_is_a_mark_or_invisible(raw: str) -> None:
    found = normalise(raw)
    dropped = set(range(len(raw))) - set(found.starts.tolist())
    assert all(raw[at] in MARKS + INVISIBLE + "\ufe70\ufe77\ufc5e" for at in dropped)


@settings(max_examples=60, deadline=None)
@given(st.text(MIXED, max_size=40))
def test_a_normalised_text_has_no_marks_and_stays_as_it_is(raw: str) -> None:
    text = normalise(raw).text
    assert not set(text) & set(MARKS + INVISIBLE + FORMS + "\u0671\u06a9\u06cc\n\t\xa0")
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
    assert normalise(text).text == text


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("أحمد", "احمد"),
        ("إدلب", "ادلب"),
        ("آل سعود", "ال سعود"),
        ("مصطفى", "مصطفي"),
        ("غزة", "غزه"),
        ("«داعش»", "داعش"),
        ('حركة "حماس"', "حركة حماس"),
        ("حزب_الله", "حزب  الله"),
        ("سُورِيَا", "سوريا"),
        ("NATO", "nato"),
    ],
)
def test_spellings_of_one_name_share_a_key(left: str, right: str) -> None:
    assert key(left) == key(right)


@pytest.mark.parametrize(("left", "right"), [("حلب", "حمص"), ("مؤتمر", "موتمر"), ("حزب الله", "حزبالله")])
def test_different_names_have_different_keys(left: str, right: str) -> None:
    assert key(left) != key(right)
