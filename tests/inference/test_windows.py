from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasid.inference.windows import Window, owners, plan_stretches, plan_windows

LENGTHS = st.lists(st.integers(0, 14), max_size=12)
SIZES = st.integers(2, 10)
OVERLAPS = st.sampled_from([0.0, 0.3, 0.5, 0.9])


def bounds(lengths: list[int]) -> list[tuple[int, int]]:
    ends = np.cumsum([0, *lengths]).tolist()
    return list(pairwise(ends))


def planned(lengths: list[int], size: int, overlap: float = 0.5) -> list[tuple[int, int]]:
    return [(w.start, w.end) for w in plan_windows(lengths, size, overlap)]


def test_everything_fits_one_window() -> None:
    assert plan_windows([3, 0, 4], 8) == [Window(0, 7, ((0, 3, 0), (3, 7, 2)))]


def test_windows_repeat_whole_sentences() -> None:
    assert planned([3, 3, 2, 3], 8) == [(0, 8), (6, 11)]
    assert plan_windows([3, 3, 2, 3], 8)[1].sentences == ((6, 8, 2), (8, 11, 3))


def test_windows_without_overlap() -> None:
    assert planned([3, 3, 2, 3], 8, 0.0) == [(0, 8), (8, 11)]


def test_the_overlap_never_keeps_the_next_sentence_out() -> None:
    assert planned([3, 3, 7], 8) == [(0, 6), (6, 13)]


def test_a_long_sentence_is_cut_with_overlap() -> None:
    windows = plan_windows([2, 11, 3], 4)
    assert [(w.start, w.end) for w in windows] == [(0, 2), (2, 6), (4, 8), (6, 10), (8, 12), (9, 13), (13, 16)]
    assert windows[1].sentences == ((2, 6, 1),)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_nothing_to_cover(lengths: list[int]) -> None:
    assert plan_windows(lengths, 8) == []


@pytest.mark.parametrize(("size", "overlap"), [(1, 0.5), (0, 0.5), (8, 1.0), (8, -0.1)])
def test_sizes_and_overlaps_that_make_no_sense(size: int, overlap: float) -> None:
    with pytest.raises(ValueError, match="a size of 2 or more and an overlap in"):
        plan_windows([3], size, overlap)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, OVERLAPS)
def test_every_piece_is_covered_and_no_window_is_too_large(lengths: list[int], size: int, overlap: float) -> None:
    windows = plan_windows(lengths, size, overlap)
    assert all(0 < len(w) <= size for w in windows)
    assert {p for w in windows for p in range(w.start, w.end)} == set(range(sum(lengths)))


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, OVERLAPS)
def test_a_sentence_that_fits_lies_whole_in_a_window(lengths: list[int], size: int, overlap: float) -> None:
    windows = plan_windows(lengths, size, overlap)
    whole = {part for w in windows for part in w.sentences}
    for index, (start, end) in enumerate(bounds(lengths)):
        if 0 < end - start <= size:
            assert (start, end, index) in whole


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, OVERLAPS)
def test_the_sentences_of_a_window_are_its_pieces(lengths: list[int], size: int, overlap: float) -> None:
    places = bounds(lengths)
    for window in plan_windows(lengths, size, overlap):
        assert [p for s, e, _ in window.sentences for p in range(s, e)] == list(range(window.start, window.end))
        for start, end, index in window.sentences:
            assert places[index][0] <= start < end <= places[index][1]


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, OVERLAPS)
def test_windows_move_forward(lengths: list[int], size: int, overlap: float) -> None:
    windows = plan_windows(lengths, size, overlap)
    for left, right in pairwise(windows):
        assert left.start < right.start <= left.end < right.end
        cut = len(right.sentences) == 1 and left.sentences[-1][2] == right.sentences[0][2]
        assert cut or left.end - right.start <= overlap * size


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, OVERLAPS)
def test_the_owner_of_a_piece_contains_it(lengths: list[int], size: int, overlap: float) -> None:
    windows = plan_windows(lengths, size, overlap)
    owner = owners(windows, sum(lengths))
    assert owner.shape == (sum(lengths),)
    for piece, index in enumerate(owner.tolist()):
        assert windows[index].start <= piece < windows[index].end


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, OVERLAPS)
def test_a_sentence_that_fits_has_one_owner(lengths: list[int], size: int, overlap: float) -> None:
    owner = owners(plan_windows(lengths, size, overlap), sum(lengths))
    for start, end in bounds(lengths):
        if 0 < end - start <= size:
            assert len(set(owner[start:end].tolist())) == 1


def test_a_repeated_sentence_goes_to_the_window_with_more_context() -> None:
    windows = [
        Window(0, 8, ((0, 4, 0), (4, 6, 1), (6, 8, 2))),
        Window(4, 12, ((4, 6, 1), (6, 8, 2), (8, 12, 3))),
        Window(8, 16, ((8, 12, 3), (12, 16, 4))),
    ]
    # sentence 1 has 2 pieces of context to the right in the first and none to the left in the second;
    # sentence 2 none to the right in the first; sentence 3 none to the right in the second, none to the left after
    assert owners(windows, 16).tolist() == [0] * 6 + [1] * 6 + [2] * 4


def test_the_ends_of_the_article_are_no_poor_context() -> None:
    windows = [Window(0, 6, ((0, 3, 0), (3, 6, 1))), Window(3, 9, ((3, 6, 1), (6, 9, 2)))]
    assert owners(windows, 9).tolist() == [0] * 6 + [1] * 3


def test_the_pieces_of_a_cut_sentence_go_to_the_window_whose_cut_is_farther() -> None:
    windows = plan_windows([8], 6)
    assert [(w.start, w.end) for w in windows] == [(0, 6), (2, 8)]
    assert owners(windows, 8).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_stretch_ends_with_a_line_once_it_is_long_enough() -> None:
    windows = plan_stretches([3, 3, 3, 3, 3], [True, False, True, True, False], 20, shortest=5)
    assert [(w.start, w.end) for w in windows] == [(0, 6), (6, 15)]
    assert windows[1].sentences == ((6, 9, 2), (9, 12, 3), (12, 15, 4))


def test_a_stretch_longer_than_a_window_is_covered_by_several() -> None:
    windows = plan_stretches([4, 4, 4, 4], [True, True, False, False], 8, shortest=4)
    assert [(w.start, w.end) for w in windows] == [(0, 4), (4, 12), (8, 16)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 14), st.booleans()), max_size=12), SIZES, st.integers(1, 20))
def test_stretches_cover_every_piece(sentences: list[tuple[int, bool]], size: int, shortest: int) -> None:
    lengths = [length for length, _ in sentences]
    windows = plan_stretches(lengths, [line for _, line in sentences], size, shortest)
    assert all(0 < len(w) <= size for w in windows)
    assert {p for w in windows for p in range(w.start, w.end)} == set(range(sum(lengths)))
    ranges = bounds(lengths)
    for window in windows:
        for start, end, index in window.sentences:
            assert ranges[index][0] <= start < end <= ranges[index][1]


def test_what_stands_before_does_not_move_later_windows() -> None:
    article = ([6, 5, 7, 6, 8], [True, True, False, True, True])
    alone = plan_stretches(*article, 20, shortest=6)
    both = plan_stretches(article[0] * 2, article[1] * 2, 20, shortest=6)
    shifted = [(w.start + 32, w.end + 32) for w in alone]
    assert [(w.start, w.end) for w in both] == [(w.start, w.end) for w in alone] + shifted
