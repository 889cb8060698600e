"""The sample articles that ship with the package; they are fiction, written for this project."""

from __future__ import annotations

from pathlib import Path

from rasid.data.jsonl import read_articles
from rasid.data.schema import Article

_HERE = Path(__file__).parent


def sample_files() -> list[Path]:
    """Return the sample articles to tag, one text file each."""
    return sorted((_HERE / "samples").glob("*.txt"))


def sample_articles(count: int) -> list[Article]:
    """Return `count` labelled articles of the corpus to learn from, from all of its parts."""
    articles = list(read_articles(_HERE / "corpus" / "train.jsonl"))
    return articles[:: max(1, len(articles) // count)][:count]
