"""The disk format: one article a line of JSON, gold and predicted alike.

    {"id": "…", "date": "2023-12-20", "text": "…", "sentences": [[0, 57], [58, 120]],
     "mentions": [{"start": 6, "end": 17, "label": "ACTOR", "entity": "A1", "sector": "MIL"}],
     "events": [{"sentence": 0, "type": "RETREAT", "mode": "withdraw",
                 "sources": ["A1"], "targets": [], "locations": []}]}

Predictions add a `score` to mentions and events; keys that rasid does not know are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article, Event, Mention

_OWN_KEYS: Final = frozenset({"id", "date", "text", "sentences", "mentions", "events"})


def article_from_dict(record: Mapping[str, Any], *, fallback_id: str = "") -> Article:
    """Build an article from one record of the disk format; only `text` is required.

    Args:
        record: a decoded JSON object.
        fallback_id: the id where the record has none.

    Raises:
        DataError: naming the article's id, where a key is missing, of the wrong kind or breaks the scheme.
    """
    given = record.get("id")
    identifier = fallback_id if given is None or given == "" else str(given)
    text = record.get("text")
    if not isinstance(text, str):
        problem = "has no `text`" if text is None else f"has a `text` that is a {type(text).__name__}"
        raise DataError(f"the record {problem}", source=identifier or None)
    try:
        return Article(
            id=identifier,
            text=text,
            date=str(record.get("date") or ""),
            sentences=tuple((int(start), int(end)) for start, end in record.get("sentences") or ()),
            mentions=tuple(_mention(item) for item in record.get("mentions") or ()),
            events=tuple(_event(item) for item in record.get("events") or ()),
            meta={key: value for key, value in record.items() if key not in _OWN_KEYS},
        )
    except DataError as error:
        raise DataError(error.message, source=identifier or None) from None
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise DataError(
            f"the record is not in rasid's format: {type(error).__name__}: {error}", source=identifier or None
        ) from None


def article_to_dict(article: Article) -> dict[str, Any]:
    """Return the record of an article in the disk format, its own keys before the kept ones."""
    record: dict[str, Any] = {"id": article.id}
    if article.date:
        record["date"] = article.date
    record["text"] = article.text
    record.update(labels_to_dict(article))
    record.update(article.meta)
    return record


def labels_to_dict(article: Article) -> dict[str, Any]:
    """Return the part of the record that can stand without the text: sentences, mentions and events."""
    return {
        "sentences": [list(span) for span in article.sentences],
        "mentions": [
            {
                **{"start": m.start, "end": m.end, "label": m.label, "entity": m.entity, "sector": m.sector},
                **_score(m.score),
            }
            for m in article.mentions
        ],
        "events": [
            {
                **{"sentence": e.sentence, "type": e.type, "mode": e.mode, "sources": list(e.sources)},
                **{"targets": list(e.targets), "locations": list(e.locations)},
                **_score(e.score),
            }
            for e in article.events
        ],
    }


def _score(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": round(score, 4)}


def _mention(item: Mapping[str, Any]) -> Mention:
    return Mention(
        int(item["start"]),
        int(item["end"]),
        item["label"],
        item["entity"],
        item.get("sector"),
        item.get("score"),
    )


def _event(item: Mapping[str, Any]) -> Event:
    return Event(
        type=item["type"],
        sentence=int(item["sentence"]),
        mode=item.get("mode"),
        sources=tuple(item.get("sources") or ()),
        targets=tuple(item.get("targets") or ()),
        locations=tuple(item.get("locations") or ()),
        score=item.get("score"),
    )


def parse_record(line: bytes, source: str, number: int) -> dict[str, Any]:
    """Decode one line of a JSON-lines file.

    Raises:
        DataError: naming source and line, where it is no UTF-8, no JSON, or no JSON object.
    """
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        message = f"not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise DataError(message, source=source, line=number, column=error.start + 1) from None
    except json.JSONDecodeError as error:
        raise DataError(f"broken JSON: {error.msg}", source=source, line=number, column=error.colno) from None
    except RecursionError:
        raise DataError("JSON nested too deeply", source=source, line=number) from None
    except ValueError as error:
        raise DataError(f"broken JSON: {error}", source=source, line=number) from None
    if not isinstance(record, dict):
        raise DataError(f"a JSON object was expected, got {type(record).__name__}", source=source, line=number)
    return record


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield 1-based line numbers with the decoded objects of a JSON-lines file; blank lines are passed over.

    Raises:
        DataError: naming file and line of the first that cannot be decoded.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, parse_record(line, str(path), number)


def read_articles(path: Path) -> Iterator[Article]:
    """Yield the articles of a JSON-lines file.

    Raises:
        DataError: naming file, line and article of the first fault.
    """
    for number, record in read_records(path):
        try:
            yield article_from_dict(record, fallback_id=f"{path.name}:{number}")
        except DataError as error:
            raise DataError(str(error), source=str(path), line=number) from None


def dumps(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON, Arabic as Arabic, without the line end.

    Lone surrogates, which UTF-8 cannot hold, are escaped, so that any text can be written; values that JSON has no kind
    for, such as the dates of a Parquet file, are written as text.
    """
    line = json.dumps(record, ensure_ascii=False, default=str)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(record)
    return line


def write_articles(path: Path, articles: Iterable[Article]) -> int:
    """Write articles as JSON lines and return how many there were."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for article in articles:
            file.write(dumps(article_to_dict(article)) + "\n")
            count += 1
    return count
