from __future__ import annotations

import numpy as np
import pytest
from conftest import wordpiece_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rasid.inference.pieces import MAX_PROCLITICS, Pieces, to_pieces

WORDS = "قصف الجيش بلدة جاسم النظام وقال مصدر محلي ٢٠٢٢ . ، 3"
TOKENIZER: Tokenizer = wordpiece_tokenizer([WORDS]).backend_tokenizer


def cut(text: str) -> Pieces:
    return to_pieces(text, [(0, len(text))], TOKENIZER)


def surfaces(text: str, pieces: Pieces) -> list[str]:
    return [text[s:e] for s, e in zip(pieces.starts[:, 0].tolist(), pieces.ends.tolist(), strict=True)]


def tokens(pieces: Pieces) -> list[str]:
    return [TOKENIZER.id_to_token(piece) or "" for piece in pieces.ids.tolist()]


def check(text: str, pieces: Pieces) -> None:
    """What everything after relies on: words in order without overlap, each with a piece, pieces in order."""
    assert sorted(set(pieces.words.tolist())) == list(range(len(pieces.ends)))
    assert (np.diff(pieces.words) >= 0).all()
    assert (pieces.starts[:, 0] < pieces.ends).all()
    assert (np.diff(pieces.starts, axis=1) >= 0).all()
    assert (pieces.starts[:, -1] < pieces.ends).all()
    assert (pieces.starts[1:, 0] >= pieces.ends[:-1]).all()
    assert ((pieces.proclitics >= 0) & (pieces.proclitics <= MAX_PROCLITICS)).all()
    assert all(word and word == word.strip() for word in surfaces(text, pieces))


def test_words_are_runs_of_letters_runs_of_digits_and_single_other_characters() -> None:
    text = "قصف الجيش «جاسم»، 4تموز2022 a_b!"
    expected = ["قصف", "الجيش", "«", "جاسم", "»", "،", "4", "تموز", "2022", "a", "_", "b", "!"]
    assert surfaces(text, cut(text)) == expected


def test_known_words_are_one_piece_and_others_are_spelt() -> None:
    pieces = cut("قصف بجاسم")
    assert tokens(pieces) == ["قصف", "ب", "##ج", "##ا", "##س", "##م"]
    assert pieces.words.tolist() == [0, 1, 1, 1, 1, 1]


def test_proclitics_of_a_word() -> None:
    text = "وبجاسم"
    pieces = cut(text)
    assert pieces.starts.tolist() == [[0, 1, 2, 3]]
    assert pieces.proclitics.tolist() == [2]
    assert text[pieces.starts[0, 2] : pieces.ends[0]] == "جاسم"


@pytest.mark.parametrize(
    ("word", "count"),
    [("للنظام", 2), ("جاسم", 0), ("وللنظام", 3), ("وبكلفوضى", 3), ("سرمين", 1), ("و", 0), ("لو", 1), ("٢٠٢٢", 0)],
)
def test_how_many_letters_may_be_proclitics(word: str, count: int) -> None:
    assert cut(word).proclitics.tolist() == [count]


def test_a_word_shorter_than_its_proclitics_keeps_its_last_letter() -> None:
    assert cut("لو").starts.tolist() == [[0, 1, 1, 1]]


def test_diacritics_and_tatweel_belong_to_the_letter_before_them() -> None:
    text = "قال وَبِجاســمٍ لِلنِّظامِ"
    pieces = cut(text)
    assert surfaces(text, pieces) == ["قال", "وَبِجاســمٍ", "لِلنِّظامِ"]
    after = [[text[start : pieces.ends[w]] for start in pieces.starts[w].tolist()] for w in (1, 2)]
    assert after == [
        ["وَبِجاســمٍ", "بِجاســمٍ", "جاســمٍ", "اســمٍ"],
        ["لِلنِّظامِ", "لنِّظامِ", "نِّظامِ", "ظامِ"],
    ]
    assert tokens(pieces)[-1] == tokens(cut("للنظام"))[-1]


def test_marks_do_not_change_the_pieces() -> None:
    assert cut("وَبِجاســمٍ \u202bالجَيش\u202c").ids.tolist() == cut("وبجاسم الجيش").ids.tolist()


def test_invisible_characters_stay_outside_the_words() -> None:
    text = "\u200fجاسم\u200f قصف"
    assert surfaces(text, cut(text)) == ["جاسم", "قصف"]


def test_emoji_and_unknown_characters_are_words_with_the_unknown_piece() -> None:
    text = "قصف 😀 जय ﷼\ud800 الجيش"
    pieces = cut(text)
    check(text, pieces)
    assert surfaces(text, pieces)[:2] == ["قصف", "😀"]
    assert surfaces(text, pieces)[-1] == "الجيش"
    assert tokens(pieces)[0] == "قصف"
    assert tokens(pieces)[1] == "[UNK]"
    assert tokens(pieces)[-1] == "الجيش"


def test_a_word_that_the_tokenizer_swallows_gets_the_unknown_piece() -> None:
    # BERT's pre-tokenizer splits no digits from letters, so the three words share one piece
    pieces = cut("4قصف2022")
    assert len(pieces.ends) == 3
    assert pieces.words.tolist()[0] == 0
    assert pieces.words.tolist()[-2:] == [1, 2]
    assert tokens(pieces)[-2:] == ["[UNK]", "[UNK]"]


def test_one_character_that_is_written_out_as_several_words_is_one_word() -> None:
    text = "النبيﷺ قال ﷺ"
    pieces = cut(text)
    check(text, pieces)
    assert surfaces(text, pieces) == ["النبيﷺ", "قال", "ﷺ"]


def test_sentences_are_ranges_of_pieces_and_offsets_stay_those_of_the_text() -> None:
    text = "قصف الجيش. ... جاسم."
    pieces = to_pieces(text, [(0, 10), (10, 11), (15, 20)], TOKENIZER)
    assert pieces.sentences.tolist() == [[0, 3], [3, 3], [3, 5]]
    assert pieces.lengths.tolist() == [3, 0, 2]
    assert surfaces(text, pieces) == ["قصف", "الجيش", ".", "جاسم", "."]
    assert pieces.words.tolist() == [0, 1, 2, 3, 4]


def test_no_sentences_and_no_words() -> None:
    assert to_pieces("قصف", [], TOKENIZER).sentences.shape == (0, 2)
    empty = cut(" \u064b ")
    assert (len(empty.ids), empty.starts.shape, empty.sentences.tolist()) == (0, (0, MAX_PROCLITICS + 1), [[0, 0]])


def test_a_very_long_sentence_is_cut_as_many_short_ones_would_be() -> None:
    part = "قصف الجيش بلدة وبجاسم، وقال مصدر محلي "
    count = 50_000 // len(part) + 1
    pieces, short = cut(part * count), cut(part)
    assert len(part * count) >= 50_000
    assert pieces.ids.tolist() == short.ids.tolist() * count
    words = np.arange(count)[:, None]
    assert pieces.words.tolist() == (short.words + words * len(short.ends)).ravel().tolist()
    assert pieces.ends.tolist() == (short.ends + words * len(part)).ravel().tolist()


def test_a_very_long_sentence_without_spaces_loses_no_word() -> None:
    text = "جاسم،" * 10_000
    pieces = cut(text)
    check(text, pieces)
    assert len(pieces.ends) == 20_000
    assert surfaces(text, pieces)[-2:] == ["جاسم", "،"]
    assert tokens(pieces)[-2:] == ["جاسم", "،"]


@given(st.text(alphabet=st.sampled_from("قصفجاسمولب 12ًـ،.\u200f😀aB_#ﷺﷻﷲﻻ\n\ud800"), max_size=60))
@settings(max_examples=40, deadline=None)
def test_any_text_has_orderly_words(text: str) -> None:
    pieces = cut(text)
    check(text, pieces)
    assert pieces.sentences.tolist() == [[0, len(pieces.ids)]]
