"""Stand-off labels: articles whose text stays where the user has it.

A stand-off record is a record of the disk format without `text` but with `sha256`, the SHA-256 of the text's UTF-8
bytes. It is joined at run time with texts that the user has, found by that hash and so certainly the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.jsonl import article_from_dict, labels_to_dict, parse_record
from rasid.data.schema import Article

_TEXT_SUFFIXES: Final = (".txt", ".jsonl", ".jsonl.gz")


def digest(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_standoff(record: Mapping[str, Any]) -> bool:
    """Tell whether a record carries labels for a text that is elsewhere."""
    return "text" not in record and "sha256" in record


def to_standoff(article: Article) -> dict[str, Any]:
    """Return the record of an article with its text replaced by its hash."""
    date = {"date": article.date} if article.date else {}
    return {
        "id": article.id,
        **date,
        "sha256": digest(article.text),
        **labels_to_dict(article),
        **{key: value for key, value in article.meta.items() if key != "sha256"},
    }


class TextMissing(DataError):
    """A stand-off record's text is not among those that the user gave."""


def join(
    record: Mapping[str, Any], texts: Mapping[str, str], *, source: str | None = None, line: int | None = None
) -> Article:
    """Put a stand-off record and its text together.

    Args:
        record: a stand-off record.
        texts: from SHA-256 to text, as `index_texts` gives them.
        source: the labels' file, for messages.
        line: its line.

    Raises:
        TextMissing: where the text is not there.
        DataError: where the labels do not fit it.
    """
    identifier = str(record.get("id", ""))
    text = texts.get(str(record["sha256"]))
    if text is None:
        message = f"the text of {identifier} (sha256 {str(record['sha256'])[:12]}…) is not among the texts given"
        raise TextMissing(message, source=source, line=line)
    return article_from_dict({**{k: v for k, v in record.items() if k != "sha256"}, "text": text})


def index_texts(*places: Path) -> dict[str, str]:
    """Read every text below the places given and return them by their SHA-256.

    Args:
        places: folders (searched for `.txt`, `.jsonl` and `.jsonl.gz`) or such files. A `.txt` file is one text;
            of JSON lines, each `text` is one. JSON lines without a string `text`, and files that are not UTF-8,
            are passed over: they cannot be what a stand-off record means.

    Raises:
        DataError: where a place does not exist, or a compressed file is damaged.
    """
    texts: dict[str, str] = {}
    for place in places:
        if not place.exists():
            raise DataError("there is no such file or folder", source=str(place))
        files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        for path in files:
            if path.name.endswith(_TEXT_SUFFIXES):
                texts.update((digest(text), text) for text in _texts_in(path))
    return texts


def _texts_in(path: Path) -> Iterator[str]:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"not a whole gzip file: {error}", source=str(path)) from None
    if path.suffix == ".txt":
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError:
            return
        return
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if b'"text"' not in line:
            continue
        try:
            text = parse_record(line, str(path), number).get("text")
        except (DataError, json.JSONDecodeError):
            continue
        if isinstance(text, str):
            yield text
