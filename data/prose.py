"""How close the prose of a corpus is to that of others: its variety, and what its articles have in common."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from rasid.data.schema import Article

# Type/token ratios fall with length, so they are taken over stretches of one length and averaged.
STRETCH: Final = 1000
_WORD: Final = re.compile(r"\w+")
_MARKS: Final = re.compile(r"[\u0640\u064b-\u0652\u0670]")
_QUOTES: Final = re.compile('[«“"”»]')


@dataclass(frozen=True, slots=True)
class Prose:
    """Figures of a set of articles.

    Args:
        articles: how many.
        words: runs of letters and digits, without diacritics and tatweel.
        types_per_1000: mean number of different words in consecutive stretches of 1,000 words; 0 where there are fewer.
        once: share of the different words that occur once only.
        word_length: mean letters of a word.
        numbers_per_1000: words that begin with a digit, in 1,000 words.
        quotes_per_1000: quotation marks, in 1,000 words.
    """

    articles: int
    words: int
    types_per_1000: float
    once: float
    word_length: float
    numbers_per_1000: float
    quotes_per_1000: float


def words_of(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits, without diacritics and tatweel."""
    return _WORD.findall(_MARKS.sub("", text))


def prose(articles: Sequence[Article]) -> Prose:
    """Return the figures of a set of articles; zeros where it has no word."""
    words = [word for article in articles for word in words_of(article.text)]
    counts = Counter(words)
    stretches = [words[at : at + STRETCH] for at in range(0, len(words) - STRETCH + 1, STRETCH)]
    total = max(len(words), 1)
    return Prose(
        articles=len(articles),
        words=len(words),
        types_per_1000=sum(len(set(stretch)) for stretch in stretches) / max(len(stretches), 1),
        once=sum(n == 1 for n in counts.values()) / max(len(counts), 1),
        word_length=sum(map(len, words)) / total,
        numbers_per_1000=1000 * sum(word[0].isdigit() for word in words) / total,
        quotes_per_1000=1000 * sum(len(_QUOTES.findall(article.text)) for article in articles) / total,
    )


def prose_by(articles: Iterable[Article], key: str) -> dict[str, Prose]:
    """Return the figures by the value of a key of the articles' records, the most frequent value first."""
    groups: dict[str, list[Article]] = defaultdict(list)
    for article in articles:
        groups[str(article.meta.get(key, "-"))].append(article)
    return {name: prose(group) for name, group in sorted(groups.items(), key=lambda item: -len(item[1]))}


def shared_ngrams(articles: Sequence[Article], n: int = 5) -> Iterator[tuple[float, str, str]]:
    """Yield, for each pair with a word n-gram in common, the share of them and the two ids.

    The share is that of the article with fewer: n-grams in both by n-grams of the shorter, in (0, 1].
    """
    grams: list[set[tuple[str, ...]]] = []
    where: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, article in enumerate(articles):
        words = words_of(article.text)
        own = {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}
        grams.append(own)
        for gram in own:
            where[gram].append(index)
    common: Counter[tuple[int, int]] = Counter()
    for indices in where.values():
        common.update(combinations(indices, 2))
    for (left, right), count in common.items():
        yield count / min(len(grams[left]), len(grams[right])), articles[left].id, articles[right].id


def table(groups: dict[str, Prose]) -> str:
    """Return figures as a table to read."""
    width = max((len(name) for name in groups), default=0)
    heads = ("articles", "words", "types", "once", "letters", "numbers", "quotes")
    lines = [" " * width + "".join(f"{head:>9}" for head in heads)]
    lines += [
        f"{name:<{width}}{p.articles:9,d}{p.words:9,d}{p.types_per_1000:9.0f}{100 * p.once:8.0f}%"
        f"{p.word_length:9.2f}{p.numbers_per_1000:9.1f}{p.quotes_per_1000:9.1f}"
        for name, p in groups.items()
    ]
    lines.append("types, numbers, quotes: in 1,000 words; once: words of one occurrence; letters: of a word")
    return "\n".join(lines)
