from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasid.train.ner.bio import TAGS, likeliest, spans_of


def tags(names: str) -> list[int]:
    return [TAGS.index(name) for name in names.split()]


def is_valid(path: tuple[int, ...]) -> bool:
    names = ["O", *(TAGS[tag] for tag in path)]
    return all(b[0] != "I" or a[1:] == b[1:] for a, b in zip(names, names[1:], strict=False))


def test_spans_are_read_as_conlleval_does() -> None:
    found = list(spans_of(tags("O B-PERS I-PERS I-LOC O I-ORG B-ORG I-ORG")))
    assert found == [(1, 3, "PERS"), (3, 4, "LOC"), (5, 6, "ORG"), (6, 8, "ORG")]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_no_other_valid_tags_are_likelier(counts: list[int], seed: int) -> None:
    # probabilities that favour I, so that the rule matters
    raw = np.random.default_rng(seed).random((sum(counts), len(TAGS))) ** 4 + 1e-6
    probabilities = raw / raw.sum(-1, keepdims=True)
    found = likeliest(probabilities, counts)
    at = 0
    for count in counts:
        logs, own = np.log(probabilities[at : at + count]), tuple(found[at : at + count].tolist())
        assert is_valid(own)
        allowed = range(len(TAGS)) if count < 4 else np.argsort(logs.sum(0))[-6:].tolist()
        best = max(sum(logs[range(count), path]) for path in product(allowed, repeat=count) if is_valid(path))
        assert sum(logs[range(count), own]) >= best - 1e-9
        at += count


def test_an_inside_without_a_beginning_becomes_one_or_none() -> None:
    wanted = np.full((3, len(TAGS)), 0.01)
    wanted[0, tags("I-LOC")], wanted[0, tags("B-LOC")] = 0.6, 0.3
    wanted[1, tags("I-LOC")] = 0.9
    wanted[2, tags("I-PERS")], wanted[2, tags("O")] = 0.6, 0.3
    assert likeliest(wanted, [3]).tolist() == tags("B-LOC I-LOC O")
    # the second and third token are sentences of their own
    assert likeliest(wanted, [1, 1, 1])[1] != TAGS.index("I-LOC")


def test_counts_must_be_those_of_the_tokens() -> None:
    assert likeliest(np.zeros((0, len(TAGS))), []).tolist() == []
    with pytest.raises(ValueError, match="3 tokens in sentences"):
        likeliest(np.ones((2, len(TAGS))), [3])
