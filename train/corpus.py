"""The articles of a run, with a guard that none that evaluates is learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from rasid.data.errors import DataError
from rasid.data.jsonl import article_to_dict, dumps
from rasid.data.schema import Article
from rasid.data.sources import load_labelled, text_digests
from rasid.data.standoff import digest, index_texts
from rasid.train.config import DataConfig, TrainConfig


@dataclass(frozen=True, slots=True)
class Corpus:
    """The articles of a run, and the hashes (SHA-256) of texts that must not be learnt from."""

    train: list[Article]
    dev: list[Article]
    forbidden: frozenset[str] = frozenset()

    def fingerprint(self) -> str:
        """Return a hash (SHA-256) of the texts and labels to learn from."""
        records = sorted(dumps(article_to_dict(article)) for article in self.train)
        return digest("\n".join(records))


def load_corpus(config: TrainConfig, texts_at: Sequence[Path] = ()) -> Corpus:
    """Read the articles that the configuration names.

    Args:
        config: names the labelled files.
        texts_at: more places with the texts of stand-off labels.

    Raises:
        DataError: where a file is broken, nothing is left to learn from, or a text to learn from is in dev or among
            those to keep away from.
    """
    data = config.data
    texts = index_texts(*config.paths(data.texts), *texts_at)
    train = [a for a in load_labelled(config.paths(data.train), texts) if _chosen(a, data)]
    if not train:
        raise DataError("no article is left to learn from", source=", ".join(data.train))
    dev = load_labelled(config.paths(data.dev), texts)
    forbidden = {digest(a.text): a.id for a in dev} | text_digests(config.paths(data.exclude))
    for article in train:
        other = forbidden.get(digest(article.text))
        if other is not None:
            raise DataError(f"this text is to be learnt from, and evaluates as {other}", source=article.id)
    return Corpus(train, dev, frozenset(forbidden))


def _chosen(article: Article, data: DataConfig) -> bool:
    if data.only and not any(fnmatchcase(article.id, pattern) for pattern in data.only):
        return False
    return int(digest(article.text)[:8], 16) < data.fraction * 2**32
