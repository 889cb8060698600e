"""What the package's own corpus promises in data/README.md."""

from __future__ import annotations

from pathlib import Path

import pytest

import rasid.data
from rasid.data.jsonl import read_articles
from rasid.data.prose import shared_ngrams
from rasid.data.schema import Article
from rasid.data.sources import text_digests
from rasid.data.standoff import digest
from rasid.data.stats import describe

DATA = Path(rasid.data.__path__[0])
SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Article]]:
    return {name: list(read_articles(DATA / "corpus" / f"{name}.jsonl")) for name in SPLITS}


@pytest.fixture(scope="module")
def articles(splits: dict[str, list[Article]]) -> list[Article]:
    return [article for name in SPLITS for article in splits[name]]


def test_every_written_article_says_that_it_is_fiction(articles: list[Article]) -> None:
    assert all(article.meta["fiction"] is True for article in articles)


def test_it_is_as_large_as_promised(articles: list[Article]) -> None:
    size = describe(articles)["size"]
    assert size["articles"] >= 1000
    assert size["sentences"] >= 8000
    assert size["words"] >= 200_000


def test_every_type_mode_and_sector_is_there_often_enough(articles: list[Article]) -> None:
    found = describe(articles)
    assert min(found["types"].values()) >= 40
    assert min(found["modes"].values()) >= 15
    assert min(found["sectors"].values()) >= 40


def test_no_id_and_no_text_stands_in_two_splits(articles: list[Article]) -> None:
    assert len({article.id for article in articles}) == len(articles)
    assert len({digest(article.text) for article in articles}) == len(articles)


def test_no_two_articles_share_more_than_15_per_cent_of_their_5_grams(articles: list[Article]) -> None:
    assert max(share for share, _, _ in shared_ngrams(articles)) <= 0.15


def test_evaluation_texts_are_not_among_those_learnt_from(splits: dict[str, list[Article]]) -> None:
    learnt = {digest(article.text) for article in splits["train"]} | set(text_digests([DATA / "real" / "train.jsonl"]))
    held_out = text_digests([DATA / "real" / "dev.jsonl", DATA / "evaluation" / "real-dev.jsonl"])
    assert learnt.isdisjoint(held_out)


@pytest.mark.parametrize("name", ["corpus/train.jsonl", "corpus/test.jsonl", "real/train.jsonl"])
def test_datasets_opens_the_files_as_they_are(name: str, tmp_path: Path) -> None:
    from datasets import load_dataset

    path = DATA / name
    opened = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path))
    assert opened.num_rows == len(path.read_text(encoding="utf-8").splitlines())
    assert {"id", "sentences", "mentions", "events"} <= set(opened.column_names)
