from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rasid.inference.batches import BatchSizes, Special, by_length, make_batch, plan_batches
from rasid.inference.pieces import Pieces
from rasid.inference.windows import Window

LENGTHS = st.lists(st.integers(3, 60), min_size=1, max_size=40)
SIZES = st.builds(BatchSizes, st.integers(1, 200), st.integers(0, 40), st.integers(1, 16))


def cost(groups: list[tuple[list[int], int]], sizes: BatchSizes) -> int:
    return sum(len(group) * width + sizes.call for group, width in groups)


@given(LENGTHS, SIZES, st.integers(60, 70))
def test_every_item_is_in_one_group_that_holds_it(lengths: list[int], sizes: BatchSizes, longest: int) -> None:
    groups = plan_batches(lengths, sizes, longest)
    assert sorted(index for group, _ in groups for index in group) == list(range(len(lengths)))
    for group, width in groups:
        assert max(lengths[i] for i in group) <= width <= longest
        assert len(group) == 1 or len(group) * width <= sizes.tokens
        assert width == longest or width % sizes.width == 0


@given(LENGTHS, st.integers(60, 400), st.integers(1, 16))
def test_without_a_price_for_calls_the_width_is_an_item_s_own(lengths: list[int], budget: int, step: int) -> None:
    for group, width in plan_batches(lengths, BatchSizes(budget, width=step), 60):
        assert {_width(lengths[i], step) for i in group} == {width}


@given(st.lists(st.integers(3, 60), min_size=1, max_size=8), SIZES)
def test_no_other_grouping_costs_less(lengths: list[int], sizes: BatchSizes) -> None:
    found = cost(plan_batches(lengths, sizes, 60), sizes)
    order = sorted(lengths, reverse=True)
    for count in range(len(order)):
        for cuts in combinations(range(1, len(order)), count):
            bounds = [0, *cuts, len(order)]
            parts = [order[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
            other = [(list(range(len(part))), _width(part[0], sizes.width)) for part in parts]
            if all(len(group) == 1 or len(group) * width <= sizes.tokens for group, width in other):
                assert found <= cost(other, sizes)


def _width(length: int, step: int) -> int:
    return next(width for width in range(length, 61) if width == 60 or width % step == 0)


def test_a_dear_call_makes_few_groups() -> None:
    lengths = list(range(10, 50))
    assert len(plan_batches(lengths, BatchSizes(10_000, call=100_000), 60)) == 1
    assert len(plan_batches(lengths, BatchSizes(10_000), 60)) == 40


@given(LENGTHS, st.integers(60, 400))
def test_groups_by_length_hold_what_the_budget_allows(lengths: list[int], budget: int) -> None:
    groups = by_length(lengths, budget)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(len(group) * max(lengths[i] for i in group) <= budget for group in groups)


def test_a_batch_is_as_wide_as_asked() -> None:
    ids = np.array([7, 8, 9])
    pieces = Pieces(ids, ids, ids[:, None], ids, ids, np.array([[0, 3]]))
    batch = make_batch([(pieces, Window(0, 3, ((0, 3, 0),)))], Special(first=2, last=3, pad=1), width=8)
    assert batch.input_ids.tolist() == [[2, 7, 8, 9, 3, 1, 1, 1]]
    assert batch.attention_mask.tolist() == [[1] * 5 + [0] * 3]
    assert batch.sentence_mask[0, 0].tolist() == [False, True, True, True, False, False, False, False]


@given(st.integers(0, 9), st.integers(1, 5))
def test_sentences_have_room_in_multiples(count: int, slots: int) -> None:
    ids = np.arange(10)
    pieces = Pieces(ids, ids, ids[:, None], ids, ids, np.array([[0, 10]]))
    window = Window(0, 10, tuple((i, i + 1, i) for i in range(count)))
    masks = make_batch([(pieces, window)], Special(first=2, last=3, pad=1), slots=slots).sentence_mask[0]
    assert len(masks) % slots == 0
    assert max(count, 1) <= len(masks) < max(count, 1) + slots
    assert masks.sum(axis=1).tolist() == [1] * count + [0] * (len(masks) - count)
