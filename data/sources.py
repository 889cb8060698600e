"""Labelled articles from any of the project's formats: JSON lines, stand-off JSON lines, markup, folders of them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from rasid.data.errors import DataError
from rasid.data.jsonl import article_from_dict, article_to_dict, dumps, read_records
from rasid.data.markup import read_markup, write_markup
from rasid.data.schema import Article
from rasid.data.standoff import TextMissing, digest, is_standoff, join, to_standoff

_NO_TEXTS: Final[Mapping[str, str]] = {}


def labelled_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that the paths name: themselves, or the `.jsonl` and `.txt` files directly in a folder.

    Raises:
        DataError: where a path does not exist, or a folder holds no such file.
    """
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.is_file() and p.suffix in (".jsonl", ".txt"))
            if not files:
                raise DataError("the folder holds no .jsonl or .txt file", source=str(path))
            yield from files
        elif path.is_file():
            yield path
        else:
            raise DataError("there is no such file or folder", source=str(path))


def read_labelled(path: Path, texts: Mapping[str, str] = _NO_TEXTS) -> Iterator[Article | DataError]:
    """Yield the articles of one file, and a DataError in the place of each record that is broken.

    A `.txt` file is markup, whose first fault ends the file; of any other, each line is a record, whole or stand-off.

    Args:
        path: the file.
        texts: from SHA-256 to text, for stand-off records.
    """
    try:
        if path.suffix == ".txt":
            text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8")
            yield from read_markup(text.split("\n"), path.name)
            return
        for number, record in read_records(path):
            try:
                if is_standoff(record):
                    yield join(record, texts, source=str(path), line=number)
                else:
                    yield article_from_dict(record, fallback_id=f"{path.name}:{number}")
            except TextMissing as error:
                yield error
            except DataError as error:
                yield DataError(str(error), source=str(path), line=number)
    except DataError as error:
        yield error
    except UnicodeDecodeError as error:
        yield DataError(f"not UTF-8: {error.reason} at byte {error.start}", source=str(path))


def load_labelled(paths: Iterable[Path], texts: Mapping[str, str] = _NO_TEXTS) -> list[Article]:
    """Return every article of the files and folders given.

    Raises:
        DataError: the first fault found, or two articles of one id.
    """
    articles: dict[str, Article] = {}
    for path in labelled_files(paths):
        for item in read_labelled(path, texts):
            if isinstance(item, DataError):
                raise item
            if item.id in articles:
                raise DataError(f"the id {item.id} stands twice", source=str(path))
            articles[item.id] = item
    return list(articles.values())


def text_digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the ids of the articles in JSON-lines files by the SHA-256 of their texts, which need not be at hand.

    Raises:
        DataError: naming file and line, where a record has neither a text nor a hash.
    """
    found: dict[str, str] = {}
    for path in labelled_files(paths):
        for number, record in read_records(path):
            text, known = record.get("text"), record.get("sha256")
            if not isinstance(text, str) and not isinstance(known, str):
                raise DataError("the record has neither a `text` nor a `sha256`", source=str(path), line=number)
            found[digest(text) if isinstance(text, str) else str(known)] = str(record.get("id"))
    return found


def write_labelled(output: Path, articles: Iterable[Article], *, standoff: bool = False) -> int:
    """Write articles in the format that the output's name asks for, and return how many there were.

    Args:
        output: `NAME.jsonl`, `NAME.txt` (markup, all articles in one file), or a folder (markup, a file an article).
        articles: what to write.
        standoff: write JSON lines with hashes in place of the texts.

    Raises:
        DataError: where the name and `standoff` do not go together.
    """
    if standoff and output.suffix != ".jsonl":
        raise DataError("stand-off labels go to a .jsonl file", source=str(output))
    if output.suffix == ".jsonl":
        records = (to_standoff(a) if standoff else article_to_dict(a) for a in articles)
        return _write_lines(output, (dumps(record) + "\n" for record in records))
    if output.suffix == ".txt":
        return _write_lines(output, (write_markup(article) + "\n" for article in articles))
    if output.suffix:
        raise DataError("the output should be .jsonl, .txt or a folder", source=str(output))
    output.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    return sum(_write_lines(output / f"{_file_name(a.id, taken)}.txt", [write_markup(a)]) for a in articles)


def _write_lines(path: Path, lines: Iterable[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line)
            count += 1
    return count


def _file_name(identifier: str, taken: set[str]) -> str:
    """Return a name that is not taken (on any file system), and take it."""
    stem = re.sub(r"[^\w.-]+", "_", identifier)[:80] or "article"
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name
