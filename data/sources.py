"""Labelled articles from any of the project's formats: JSON lines, stand-off JSON lines, markup, folders of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from rasid.data.errors import DataError
from rasid.data.jsonl import article_from_dict, read_records
from rasid.data.markup import read_markup
from rasid.data.schema import Article
from rasid.data.standoff import is_standoff, join

_NO_TEXTS: Final[Mapping[str, str]] = {}


def labelled_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that the paths name: themselves, or the `.jsonl` and `.txt` files directly in a folder.

    Raises:
        DataError: where a path does not exist, or a folder holds no such file.
    """
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.suffix in (".jsonl", ".txt"))
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
            with path.open(encoding="utf-8", newline="\n") as file:
                yield from read_markup(file, path.name)
            return
        for number, record in read_records(path):
            try:
                if is_standoff(record):
                    yield join(record, texts, source=str(path), line=number)
                else:
                    yield article_from_dict(record, fallback_id=f"{path.name}:{number}")
            except DataError as error:
                in_file = error.source == str(path)
                yield error if in_file else DataError(str(error), source=str(path), line=number)
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
