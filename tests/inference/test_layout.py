from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasid.inference.layout import MAX_GAP, gap_columns


@pytest.mark.parametrize(
    ("gap", "steps"), [(0.0, 0), (0.9, 0), (1.0, 1), (7.9, 7), (8.0, 8), (16.0, 11), (32.0, 14), (41.0, 15), (1e4, 15)]
)
def test_gaps_by_hand(gap: float, steps: int) -> None:
    assert gap_columns(np.array([gap, -gap])).tolist() == [MAX_GAP + steps, MAX_GAP - steps]


@given(st.lists(st.floats(-600, 600, width=32), min_size=1, max_size=30))
def test_columns_rise_with_the_gap_and_fit_the_table(gaps: list[float]) -> None:
    columns = gap_columns(np.array(sorted(gaps), np.float32)).tolist()
    assert columns == sorted(columns)
    assert min(columns) >= 0
    assert max(columns) <= 2 * MAX_GAP
