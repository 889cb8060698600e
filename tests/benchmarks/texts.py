"""The texts of a run: read once from the user's file, and handed to the children as plain files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

# Of a larger file, the first so many articles are the set.
MOST: Final = 5000
_WORD: Final = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class Text:
    """An article: its text as it is, and its sentences for the tools that take one at a time."""

    text: str
    sentences: list[str]

    @property
    def words(self) -> int:
        """White-space words of the text, the unit of every figure."""
        return len(self.text.split())


def read_texts(path: Path) -> list[Text]:
    """Read the articles of a file that `rasid tag` takes; records that cannot be tagged are left out."""
    from rasid.data.schema import Article
    from rasid.inference.records import read_records
    from rasid.inference.segment import segment

    articles = (record for record in read_records([path]) if isinstance(record, Article))
    return [Text(a.text, [a.text[start:end] for start, end in segment(a.text)]) for a in islice(articles, MOST)]


def save_texts(path: Path, texts: Sequence[Text]) -> Path:
    path.write_text(json.dumps([asdict(text) for text in texts]), encoding="utf-8")
    return path


def load_texts(path: str) -> list[Text]:
    return [Text(**record) for record in json.loads(Path(path).read_text(encoding="utf-8"))]


def middle_text(texts: Sequence[Text]) -> Text:
    """Return the article of median length."""
    return sorted(texts, key=lambda text: text.words)[len(texts) // 2]


def articles_of(texts: Sequence[Text], words: int, at_least: int) -> list[str]:
    """Return articles of exactly so many words, cut one after the other from the set as if it were one text.

    Args:
        texts: the set, begun again where it ends.
        words: of each article.
        at_least: words in all; there is one article at least.
    """
    pieces = _pieces(texts)
    return ["".join(islice(pieces, words)) for _ in range(max(1, -(-at_least // words)))]


def _pieces(texts: Sequence[Text]) -> Iterator[str]:
    """Yield every word with the white space after it, so that lines stay lines; each article begins a new one."""
    for text in cycle(texts):
        yield from _WORD.findall(text.text.strip() + "\n")


def write_records(path: Path, texts: Sequence[Text], count: int) -> None:
    """Write the set over and over as JSON lines, each record with an id of its own."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(islice(cycle(texts), count)):
            file.write(json.dumps({"id": f"r{number}", "text": text.text}, ensure_ascii=False) + "\n")
