from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from rasid.data.errors import DataError
from rasid.data.jsonl import dumps
from rasid.data.schema import Article, Event, Mention
from rasid.data.standoff import TextMissing, digest, index_texts, is_standoff, join, to_standoff

TEXT = "قصف الجيش حلب."
ARTICLE = Article(
    id="خبر-1",
    text=TEXT,
    date="2024-01-02",
    sentences=((0, 14),),
    mentions=(Mention(4, 9, "ACTOR", "A1", "MIL"), Mention(10, 13, "LOCATION", "L1")),
    events=(Event("ASSAULT", 0, None, ("A1",), (), ("L1",)),),
    meta={"country": "سوريا"},
)


def test_the_digest_is_the_sha256_of_the_utf8_bytes() -> None:
    assert digest(TEXT) == hashlib.sha256(TEXT.encode()).hexdigest()
    assert digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_texts_with_different_lone_surrogates_have_different_digests() -> None:
    assert len({digest("أ\ud800"), digest("أ\ud801"), digest("أ")}) == 3


def test_a_stand_off_record_has_the_labels_but_not_the_text() -> None:
    record = to_standoff(ARTICLE)
    assert "text" not in record
    assert TEXT not in dumps(record) and "الجيش" not in dumps(record)
    assert list(record) == ["id", "date", "sha256", "sentences", "mentions", "events", "country"]
    assert record["sha256"] == digest(TEXT)


def test_stand_off_and_join_round_trip() -> None:
    record = json.loads(dumps(to_standoff(ARTICLE)))
    assert join(record, {digest("غيره"): "غيره", digest(TEXT): TEXT}) == ARTICLE


def test_a_stale_hash_among_the_kept_keys_does_not_win() -> None:
    article = Article(id="x", text=TEXT, meta={"sha256": "0" * 64})
    assert to_standoff(article)["sha256"] == digest(TEXT)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"sha256": "ab"}, True),
        ({"sha256": "ab", "text": "خبر"}, False),
        ({"text": "خبر"}, False),
        ({"id": "x"}, False),
    ],
)
def test_which_records_are_stand_off(record: dict[str, str], expected: bool) -> None:
    assert is_standoff(record) is expected


def test_a_missing_text_names_file_line_id_and_hash() -> None:
    with pytest.raises(TextMissing) as caught:
        join(to_standoff(ARTICLE), {digest("غيره"): "غيره"}, source="labels.jsonl", line=7)
    assert str(caught.value).startswith(f"labels.jsonl:7: the text of خبر-1 (sha256 {digest(TEXT)[:12]}…)")


@pytest.mark.parametrize("value", [None, 5, "", []])
def test_a_hash_that_is_none_is_a_missing_text(value: object) -> None:
    with pytest.raises(TextMissing, match="is not among the texts given"):
        join({"id": "x", "sha256": value}, {digest(TEXT): TEXT})


def test_labels_that_do_not_fit_the_text_are_refused() -> None:
    record = {**to_standoff(ARTICLE), "sha256": digest("قصير")}
    with pytest.raises(DataError, match="خبر-1: sentence .0, 14. .* leaves the text of 4 characters"):
        join(record, {digest("قصير"): "قصير"})


def test_texts_are_found_in_every_kind_of_file_below_a_folder(tmp_path: Path) -> None:
    deep = tmp_path / "2024" / "01"
    deep.mkdir(parents=True)
    (deep / "one.txt").write_bytes("نص\r\nواحد\n".encode())
    (deep / "more.jsonl").write_text('{"text": "اثنان"}\n{"id": 3, "text": "ثلاثة\\n"}\n', encoding="utf-8")
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress('{"text": "أربعة"}\n'.encode()))
    (tmp_path / "other.csv").write_text("خمسة", encoding="utf-8")
    found = index_texts(tmp_path)
    assert sorted(found.values()) == sorted(["نص\r\nواحد\n", "اثنان", "ثلاثة\n", "أربعة"])
    assert all(key == digest(text) for key, text in found.items())


def test_single_files_and_several_places(tmp_path: Path) -> None:
    for name in ("أ", "ب", "ج"):
        (tmp_path / f"{name}.txt").write_text(name, encoding="utf-8")
    assert set(index_texts(tmp_path / "أ.txt", tmp_path / "ب.txt").values()) == {"أ", "ب"}


def test_what_cannot_be_a_text_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "mixed.jsonl").write_bytes(
        b'{"text": 5}\n{"text": broken\n["text"]\n{"title": "x"}\n{"text": "\xd8\xa3"}'
    )
    assert list(index_texts(tmp_path).values()) == ["أ"]


def test_a_place_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file or folder") as caught:
        index_texts(tmp_path / "لا شيء")
    assert caught.value.source == str(tmp_path / "لا شيء")


@pytest.mark.parametrize("damaged", [b"not gzip", gzip.compress(b'{"text": "a"}' * 9)[:-12]])
def test_a_damaged_compressed_file_is_named(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="not a whole gzip file") as caught:
        index_texts(tmp_path)
    assert caught.value.source == str(path)
