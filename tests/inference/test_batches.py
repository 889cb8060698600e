from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rasid.inference.batches import BatchSizes, Special, by_length, make_batch, plan_batches
from rasid.inference.pieces import Pieces
from rasid.inference.windows import Window

LENGTHS = st.lists(st.integers(3, 60), min_size=1, max_size=40)
SIZES = st.builds(BatchSizes, st.integers(1, 200), st.integers(0, 40))


def cost(groups: list[list[int]], lengths: list[int], sizes: BatchSizes) -> int:
    return sum(len(group) * max(lengths[i] for i in group) + sizes.call for group in groups)


def fits(group: list[int], lengths: list[int], sizes: BatchSizes) -> bool:
    return len(group) == 1 or len(group) * max(lengths[i] for i in group) <= sizes.tokens


@given(LENGTHS, SIZES)
def test_every_item_is_in_one_group_that_the_budget_allows(lengths: list[int], sizes: BatchSizes) -> None:
    groups = plan_batches(lengths, sizes)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(fits(group, lengths, sizes) for group in groups)


@given(LENGTHS, st.integers(60, 400))
def test_without_a_price_for_calls_nothing_is_padded(lengths: list[int], budget: int) -> None:
    for group in plan_batches(lengths, BatchSizes(budget)):
        assert len({lengths[i] for i in group}) == 1


@given(st.lists(st.integers(3, 60), min_size=1, max_size=8), SIZES)
def test_no_other_grouping_costs_less(lengths: list[int], sizes: BatchSizes) -> None:
    found = cost(plan_batches(lengths, sizes), lengths, sizes)
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for count in range(len(order)):
        for cuts in combinations(range(1, len(order)), count):
            bounds = [0, *cuts, len(order)]
            other = [order[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
            if all(fits(group, lengths, sizes) for group in other):
                assert found <= cost(other, lengths, sizes)


def test_a_dear_call_makes_few_groups() -> None:
    lengths = list(range(10, 50))
    assert len(plan_batches(lengths, BatchSizes(10_000, call=100_000))) == 1
    assert len(plan_batches(lengths, BatchSizes(10_000))) == 40


@given(LENGTHS, st.integers(60, 400))
def test_groups_by_length_hold_what_the_budget_allows(lengths: list[int], budget: int) -> None:
    groups = by_length(lengths, budget)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(len(group) * max(lengths[i] for i in group) <= budget for group in groups)


def test_a_batch_is_padded_to_its_longest_window() -> None:
    ids = np.array([7, 8, 9])
    pieces = Pieces(ids, ids, ids[:, None], ids, ids, np.array([[0, 3]]))
    windows = [Window(0, 3, ((0, 3, 0),)), Window(1, 2, ((1, 2, 0),))]
    batch = make_batch([(pieces, window) for window in windows], Special(first=2, last=3, pad=1))
    assert batch.input_ids.tolist() == [[2, 7, 8, 9, 3], [2, 8, 3, 1, 1]]
    assert batch.attention_mask.tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    assert batch.sentence_mask[:, 0].tolist() == [[False, True, True, True, False], [False, True, False, False, False]]
