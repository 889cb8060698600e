from __future__ import annotations

from pathlib import Path

import pytest

from rasid.data.errors import DataError
from rasid.data.jsonl import write_articles
from rasid.data.schema import Article
from rasid.train.config import load_config
from rasid.train.corpus import load_corpus


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    write_articles(tmp_path / "train.jsonl", [Article(f"{'ab'[n % 2]}-{n}", f"text {n}") for n in range(200)])
    write_articles(tmp_path / "dev.jsonl", [Article("dev", "held out")])
    path = tmp_path / "tiny.toml"
    path.write_text('[data]\ntrain = ["train.jsonl"]\ndev = ["dev.jsonl"]\n', encoding="utf-8")
    return path


def chosen(config_file: Path, **data: str) -> set[str]:
    config = load_config(config_file, {f"data.{key}": value for key, value in data.items()})
    return {a.id for a in load_corpus(config).train}


def test_a_smaller_share_lies_in_a_larger_one(config_file: Path) -> None:
    quarter, half, whole = (chosen(config_file, fraction=f) for f in ("0.25", "0.5", "1.0"))
    assert quarter < half < whole
    assert len(whole) == 200
    assert 30 <= len(quarter) <= 70
    assert 70 <= len(half) <= 130


def test_only_ids_that_fit_a_pattern_are_learnt_from(config_file: Path) -> None:
    assert chosen(config_file, only='["a-*"]') == {f"a-{n}" for n in range(0, 200, 2)}
    assert chosen(config_file, only='["a-1?", "b-3"]') == {*(f"a-{n}" for n in range(10, 20, 2)), "b-3"}


def test_nothing_left_to_learn_from_is_an_error(config_file: Path) -> None:
    with pytest.raises(DataError, match="no article is left"):
        chosen(config_file, only='["c-*"]')


@pytest.mark.parametrize("share", ["0.0", "1.5", "-0.1"])
def test_a_share_outside_zero_to_one_is_an_error(config_file: Path, share: str) -> None:
    with pytest.raises(DataError, match="fraction"):
        chosen(config_file, fraction=share)
