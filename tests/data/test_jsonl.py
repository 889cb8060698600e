from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasid.data.errors import DataError
from rasid.data.jsonl import article_from_dict, article_to_dict, dumps, read_articles, read_records, write_articles
from rasid.data.schema import Article, Event, Mention

RECORD: dict[str, Any] = {
    "id": "خبر-1",
    "date": "2023-12-20",
    "text": "قصف الجيش حلب.",
    "sentences": [[0, 14]],
    "mentions": [
        {"start": 4, "end": 9, "label": "ACTOR", "entity": "A1", "sector": "MIL", "score": 0.75},
        {"start": 10, "end": 13, "label": "LOCATION", "entity": "L1", "sector": None},
    ],
    "events": [
        {
            **{"sentence": 0, "type": "ASSAULT", "mode": "aerial", "sources": ["A1"], "targets": []},
            **{"locations": ["L1"], "score": 0.5},
        }
    ],
    "url": "https://example.org/1",
    "tags": ["سوريا", {"n": 1}],
}
ARTICLE = Article(
    id="خبر-1",
    text="قصف الجيش حلب.",
    date="2023-12-20",
    sentences=((0, 14),),
    mentions=(Mention(4, 9, "ACTOR", "A1", "MIL", 0.75), Mention(10, 13, "LOCATION", "L1")),
    events=(Event("ASSAULT", 0, "aerial", ("A1",), (), ("L1",), 0.5),),
    meta={"url": "https://example.org/1", "tags": ["سوريا", {"n": 1}]},
)


def with_mention(**changes: object) -> dict[str, Any]:
    return {**RECORD, "events": [], "mentions": [{**RECORD["mentions"][0], **changes}]}


def test_a_record_becomes_an_article() -> None:
    assert article_from_dict(RECORD) == ARTICLE


def test_an_article_becomes_the_same_record_with_unknown_keys_last() -> None:
    found = article_to_dict(ARTICLE)
    assert found == RECORD
    assert list(found) == ["id", "date", "text", "sentences", "mentions", "events", "url", "tags"]


def test_only_the_text_is_required() -> None:
    found = article_from_dict({"text": "خبر", "sentences": None, "date": None}, fallback_id="a.jsonl:3")
    assert found == Article(id="a.jsonl:3", text="خبر")


@pytest.mark.parametrize(("given_id", "kept"), [(0, "0"), (17, "17"), ("ب", "ب"), ("", "f"), (None, "f")])
def test_ids_of_any_kind(given_id: object, kept: str) -> None:
    assert article_from_dict({"id": given_id, "text": ""}, fallback_id="f").id == kept


def test_scores_are_written_to_four_places() -> None:
    article = Article(id="x", text="حلب", mentions=(Mention(0, 3, "LOCATION", "L1", None, 0.123456),))
    assert article_to_dict(article)["mentions"][0]["score"] == 0.1235


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "خ"}, "خ: the record has no `text`"),
        ({}, "the record has no `text`"),
        ({"id": "خ", "text": 5}, "خ: the record has a `text` that is a int"),
        (with_mention(label="PERSON"), "خبر-1: unknown label 'PERSON'"),
        (with_mention(end=99), r"خبر-1: mention \[4, 99\) A1 leaves the text of 14 characters"),
        (with_mention(entity=1), "خبر-1: the record is not in rasid's format: AttributeError"),
        (with_mention(start=float("inf")), "خبر-1: the record is not in rasid's format: OverflowError"),
        (with_mention(start=None), "خبر-1: the record is not in rasid's format: TypeError"),
        (with_mention(score="0.5"), "خبر-1: the record is not in rasid's format: TypeError"),
        ({**RECORD, "mentions": [{"start": 1}]}, "خبر-1: the record is not in rasid's format: KeyError: 'end'"),
        ({**RECORD, "mentions": 5}, "خبر-1: the record is not in rasid's format: TypeError"),
        ({**RECORD, "sentences": [[0, 5, 9]]}, "خبر-1: the record is not in rasid's format: ValueError"),
        ({**RECORD, "events": [{"sentence": 0, "type": "AID", "sources": "A1"}]}, "خبر-1: source '1' of AID"),
        ({**RECORD, "events": [{"sentence": 0, "type": "AID", "sources": [1]}]}, "خبر-1: .*AttributeError"),
    ],
)
def test_a_broken_record_is_refused_by_its_id(record: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        article_from_dict(record)


def test_files_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "أخبار.jsonl"
    other = Article(id="خبر-2", text="سطر\u2028سطر\r\nسطر")
    assert write_articles(path, iter([ARTICLE, other])) == 2
    assert path.read_bytes().count(b"\n") == 2
    assert "قصف الجيش" in path.read_text(encoding="utf-8")
    assert list(read_articles(path)) == [ARTICLE, other]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
OWN = {"id", "date", "text", "sentences", "mentions", "events"}


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(), max_size=12),
    st.text(st.characters(), min_size=1, max_size=4),
    st.dictionaries(st.text(max_size=4).filter(lambda k: k not in OWN), JSON, max_size=3),
)
def test_any_text_and_any_unknown_keys_survive_a_line(text: str, identifier: str, meta: dict[str, Any]) -> None:
    article = Article(id=identifier, text=text, sentences=((0, len(text)),) if text else (), meta=meta)
    line = dumps(article_to_dict(article)).encode("utf-8")
    assert b"\n" not in line
    assert article_from_dict(json.loads(line)) == article


def test_lone_surrogates_are_escaped_and_come_back(tmp_path: Path) -> None:
    article = Article(id="x", text="خبر \ud83d مقطوع")
    path = tmp_path / "a.jsonl"
    write_articles(path, [article])
    assert rb"\ud83d" in path.read_bytes()
    assert list(read_articles(path)) == [article]


def test_arabic_stays_readable_where_there_is_no_lone_surrogate() -> None:
    assert dumps({"text": "خبر 🙂"}) == '{"text": "خبر 🙂"}'


def test_blank_lines_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\n{"text": "a"}\r\n  \n{"text": "b"}')
    assert list(read_records(path)) == [(2, {"text": "a"}), (4, {"text": "b"})]
    assert [a.id for a in read_articles(path)] == ["a.jsonl:2", "a.jsonl:4"]


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        (b'{"text": \xff}', 10, "not UTF-8: byte 0xff"),
        ('{"text": "خبر",}'.encode(), 16, "broken JSON"),
        (b'["text"]', None, "a JSON object was expected, got list"),
        (b"[" * 200_000, None, "JSON nested too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", None, "broken JSON: Exceeds the limit"),
    ],
)
def test_a_line_that_cannot_be_decoded_names_file_line_and_column(
    tmp_path: Path, line: bytes, column: int | None, message: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + line + b"\n")
    reader = read_records(path)
    assert next(reader) == (1, {"text": "a"})
    with pytest.raises(DataError) as caught:
        next(reader)
    assert message in caught.value.message
    assert (caught.value.source, caught.value.line, caught.value.column) == (str(path), 2, column)


def test_a_broken_record_in_a_file_names_line_and_id(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n' + dumps(with_mention(sector="X")) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="unknown sector 'X' of A1") as caught:
        list(read_articles(path))
    assert str(caught.value).startswith(f"{path}:2: خبر-1: ")
