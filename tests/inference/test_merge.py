from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasid.data.scheme import EVENT_TYPES
from rasid.inference.layout import MAX_DISTANCE, MAX_GAP, MODE_COLUMNS, TYPE_OF_COLUMN
from rasid.inference.merge import Patchwork, Scores, merge
from rasid.inference.windows import Window, owners, plan_windows

TYPES = len(EVENT_TYPES)
TOKEN_SHAPES = {"actor": (3,), "location": (3,), "proclitic": (4,), "sector": (24,), "token_role": (4, 2)}
SENTENCE_SHAPES = {"event": (TYPES,), "mode": (len(MODE_COLUMNS),), "event_role": (TYPES, 2)}
AT = "event_at"
FRAME = -777.0

Logits = dict[str, np.ndarray]


def coded(window: Window, index: int) -> Logits:
    """Logits that say where they come from: the window's number, then the piece or the sentence."""
    tokens = np.concatenate([[FRAME], 1000.0 * index + np.arange(window.start, window.end), [FRAME]])
    sentences = np.array([1000.0 * index + sentence for _, _, sentence in window.sentences])
    out = {name: spread(tokens, shape) for name, shape in TOKEN_SHAPES.items()}
    out |= {name: spread(sentences, shape) for name, shape in SENTENCE_SHAPES.items()}
    # as the network has it: counted from the frame of its window
    out[AT] = spread(np.array([middle(span, window) for span in window.sentences]), (TYPES,))
    out["gap_bias"] = np.arange((2 * MAX_GAP + 1) * 4, dtype=np.float32).reshape(-1, 4)
    return out | {"role_bias": np.arange((2 * MAX_DISTANCE + 1) * 4, dtype=np.float32).reshape(-1, 4)}


def middle(span: tuple[int, int, int], window: Window) -> float:
    return (span[0] + span[1] - 1) / 2 - window.start + 1


def spread(codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(codes.reshape(-1, *[1] * len(shape)), (len(codes), *shape)).astype(np.float32)


def merged(windows: list[Window], logits: list[Logits], lengths: list[int]) -> Scores:
    scores = merge(windows, logits, sum(lengths), len(lengths))
    assert scores is not None
    return scores


def whole(scores: Scores, name: str) -> np.ndarray:
    """An array of the scores, with all its rows."""
    found = getattr(scores, name)
    return found[np.arange(len(found.owner))] if isinstance(found, Patchwork) else np.asarray(found)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10).filter(any), st.integers(2, 12))
@settings(max_examples=40, deadline=None)
def test_each_piece_has_the_logits_of_the_window_that_owns_it(lengths: list[int], size: int) -> None:
    windows = plan_windows(lengths, size)
    scores = merged(windows, [coded(w, i) for i, w in enumerate(windows)], lengths)
    expected = 1000.0 * owners(windows, sum(lengths)) + np.arange(sum(lengths))
    for name, shape in TOKEN_SHAPES.items():
        np.testing.assert_array_equal(whole(scores, name), spread(expected, shape))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10).filter(any), st.integers(9, 20))
@settings(max_examples=40, deadline=None)
def test_each_sentence_has_the_logits_of_the_window_that_owns_it_whole(lengths: list[int], size: int) -> None:
    windows = plan_windows(lengths, size)
    scores = merged(windows, [coded(w, i) for i, w in enumerate(windows)], lengths)
    owner = owners(windows, sum(lengths))
    for sentence, (start, end) in enumerate(pairwise(np.cumsum([0, *lengths]).tolist())):
        for name in SENTENCE_SHAPES:
            found = set(getattr(scores, name)[sentence].ravel().tolist())
            if start < end:
                assert found == {1000.0 * owner[start] + sentence}
                assert scores.event_at[sentence].tolist() == [(start + end - 1) / 2] * TYPES
            elif name == "event":
                assert max(found) < -1000


def test_overlapping_windows_by_hand() -> None:
    windows = plan_windows([3, 3, 2, 3], 8)
    assert [(w.start, w.end) for w in windows] == [(0, 8), (6, 11)]
    scores = merged(windows, [coded(w, i) for i, w in enumerate(windows)], [3, 3, 2, 3])
    assert scores.actor[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 1008, 1009, 1010]
    assert scores.event[:, 0].tolist() == [0, 1, 2, 1003]
    assert scores.windows.tolist() == [0, 0, 0, 1]
    for name in ("role_bias", "gap_bias"):
        assert getattr(scores, name).tolist() == coded(windows[0], 0)[name].tolist()


def test_a_sentence_longer_than_a_window_takes_the_surest_window_for_each_type() -> None:
    windows = plan_windows([20], 8)
    assert len(windows) > 2
    logits = [coded(w, i) for i, w in enumerate(windows)]
    for index, out in enumerate(logits):
        out["event"] = np.full((1, TYPES), -5.0, np.float32)
        # type 0 is surest in window 0, type 1 in window 1, …, the others in the last
        out["event"][0, min(index, TYPES - 1)] = 4.0 + index
    logits[-1]["event"][0, len(windows) :] = 1.0
    scores = merged(windows, logits, [20])
    surest = np.array([min(kind, len(windows) - 1) for kind in range(TYPES)])
    best = [4.0 + kind if kind < len(windows) else 1.0 for kind in range(TYPES)]
    assert scores.event[0].tolist() == best
    np.testing.assert_array_equal(scores.event_role[0], spread(1000.0 * surest, (2,)))
    np.testing.assert_array_equal(scores.mode[0], 1000.0 * surest[list(TYPE_OF_COLUMN)])


def test_a_window_that_owns_nothing_of_a_sentence_does_not_speak_for_it() -> None:
    windows = [Window(0, 6, ((0, 3, 0), (3, 6, 1))), Window(3, 9, ((3, 6, 1), (6, 9, 2)))]
    logits = [coded(w, i) for i, w in enumerate(windows)]
    logits[1]["event"][0] = 5000.0
    assert owners(windows, 9).tolist() == [0] * 6 + [1] * 3
    assert merged(windows, logits, [3, 3, 3]).event[:, 0].tolist() == [0.0, 1.0, 1002.0]


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_nothing_to_merge(lengths: list[int]) -> None:
    assert merge(plan_windows(lengths, 8), [], 0, len(lengths)) is None


def test_half_precision_logits_are_merged_into_single() -> None:
    windows = plan_windows([3], 8)
    logits = {name: array.astype(np.float16) for name, array in coded(windows[0], 0).items()}
    scores = merged(windows, [logits], [3])
    assert {whole(scores, name).dtype for name in (*TOKEN_SHAPES, *SENTENCE_SHAPES, AT, "role_bias", "gap_bias")} == {
        np.dtype(np.float32)
    }


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10).filter(any), st.integers(2, 12), st.data())
@settings(max_examples=40, deadline=None)
def test_rows_are_taken_in_the_order_asked_for(lengths: list[int], size: int, data: st.DataObject) -> None:
    windows = plan_windows(lengths, size)
    patchwork = merged(windows, [coded(w, i) for i, w in enumerate(windows)], lengths).token_role
    every = patchwork[np.arange(sum(lengths))]
    wanted = np.array(data.draw(st.lists(st.integers(0, sum(lengths) - 1))), dtype=np.int64)
    np.testing.assert_array_equal(patchwork[wanted], every[wanted])
