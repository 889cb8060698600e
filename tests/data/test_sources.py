from __future__ import annotations

from pathlib import Path

import pytest

from rasid.data.errors import DataError
from rasid.data.jsonl import dumps, write_articles
from rasid.data.schema import Article, Event, Mention
from rasid.data.sources import labelled_files, load_labelled, read_labelled, write_labelled
from rasid.data.standoff import digest, to_standoff

MARKUP = "# id: حلب\nقصف [الجيش|A1:MIL] الحي.\n@ ASSAULT ; A1\n"
FROM_MARKUP = Article(
    id="حلب",
    text="قصف الجيش الحي.",
    sentences=((0, 15),),
    mentions=(Mention(4, 9, "ACTOR", "A1", "MIL"),),
    events=(Event("ASSAULT", 0, None, ("A1",)),),
)
PLAIN = Article(id="دمشق", text="ساد الهدوء.", sentences=((0, 11),), meta={"outlet": "وكالة"})


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def messages(path: Path) -> list[str]:
    return [str(item) if isinstance(item, DataError) else item.id for item in read_labelled(path)]


def test_a_folder_names_its_labelled_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.txt", "c.csv"):
        write(tmp_path / name, "")
    (tmp_path / "d.txt").mkdir()
    write(tmp_path / "d.txt" / "deep.txt", "")
    single = write(tmp_path / "any.labels", "")
    assert list(labelled_files([tmp_path])) == [tmp_path / "a.txt", tmp_path / "b.jsonl"]
    assert list(labelled_files([single, tmp_path / "a.txt"])) == [single, tmp_path / "a.txt"]


def test_a_folder_without_labelled_files_and_a_missing_path_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "")
    with pytest.raises(DataError, match="the folder holds no .jsonl or .txt file") as caught:
        list(labelled_files([tmp_path]))
    assert caught.value.source == str(tmp_path)
    with pytest.raises(DataError, match="there is no such file or folder"):
        list(labelled_files([tmp_path / "لا شيء.txt"]))


def test_every_format_gives_its_articles(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", MARKUP)
    write_articles(tmp_path / "b.jsonl", [PLAIN])
    other = Article(id="حمص", text="نص", meta={"n": 1})
    write(tmp_path / "c.jsonl", dumps(to_standoff(other)) + "\n")
    assert load_labelled([tmp_path], {digest("نص"): "نص"}) == [FROM_MARKUP, PLAIN, other]


def test_a_byte_order_mark_does_not_hide_the_first_header(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + MARKUP.replace("\n", "\r\n").encode())
    assert list(read_labelled(path)) == [FROM_MARKUP]


def test_a_line_separator_within_a_markup_sentence_ends_no_line(tmp_path: Path) -> None:
    (article,) = read_labelled(write(tmp_path / "a.txt", "سطر\u2028سطر\x0bسطر"))
    assert isinstance(article, Article)
    assert article.sentences == ((0, 11),)


def test_broken_records_stand_in_their_places(tmp_path: Path) -> None:
    lines = ['{"text": "أ"}', '{"id": "ب"}', '{"text": "ج"}', '{"id": "د", "sha256": "ff"}', '{"id": 5, "text": "ه"}']
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    assert messages(path) == [
        "a.jsonl:1",
        f"{path}:2: ب: the record has no `text`",
        "a.jsonl:3",
        f"{path}:4: the text of د (sha256 ff…) is not among the texts given",
        "5",
    ]


def test_labels_that_do_not_fit_their_text_name_file_line_and_id(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", dumps({"id": "ب", "sha256": digest("قصير"), "sentences": [[0, 9]]}))
    (error,) = read_labelled(path, {digest("قصير"): "قصير"})
    assert str(error).startswith(f"{path}:1: ب: sentence [0, 9)")


def test_a_line_that_is_no_json_ends_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "أ"}\nخطأ\n{"text": "ج"}')
    first, second = messages(path)
    assert first == "a.jsonl:1"
    assert second.startswith(f"{path}:2:1: broken JSON")


def test_a_fault_ends_a_markup_file_after_the_articles_before_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", f"{MARKUP}# id: ب\nنص]\n# id: ج\nنص\n")
    first, second = messages(path)
    assert first == "حلب"
    assert second.startswith("a.txt:5:3: a closing bracket")


def test_a_markup_file_that_is_not_utf8_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("نص.\n".encode() * 3000 + b"\xff")
    assert messages(path) == [f"{path}: not UTF-8: invalid start byte at byte 18000"]


def test_loading_stops_at_the_first_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "أ"}\n{"id": "ب"}')
    with pytest.raises(DataError, match="ب: the record has no `text`"):
        load_labelled([path])


def test_one_id_in_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", MARKUP)
    second = write(tmp_path / "b.txt", MARKUP)
    with pytest.raises(DataError, match="the id حلب stands twice") as caught:
        load_labelled([tmp_path])
    assert caught.value.source == str(second)


@pytest.mark.parametrize("name", ["out.jsonl", "out.txt", "folder"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    assert write_labelled(tmp_path / name, [FROM_MARKUP, PLAIN]) == 2
    assert sorted(load_labelled([tmp_path / name]), key=lambda a: a.id) == [FROM_MARKUP, PLAIN]


def test_stand_off_labels_are_written_without_texts(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    assert write_labelled(path, [FROM_MARKUP], standoff=True) == 1
    assert FROM_MARKUP.text not in path.read_text(encoding="utf-8")
    assert load_labelled([path], {digest(FROM_MARKUP.text): FROM_MARKUP.text}) == [FROM_MARKUP]


def test_ids_that_make_one_file_name_do_not_overwrite_one_another(tmp_path: Path) -> None:
    ids = ["خبر/1", "خبر 1", "خبر_1-2", "A", "a", "..", "/", "ط" * 300]
    articles = [Article(id=name, text="نص", sentences=((0, 2),)) for name in ids]
    assert write_labelled(tmp_path / "drafts", articles) == len(ids)
    assert {a.id for a in load_labelled([tmp_path / "drafts"])} == set(ids)


@pytest.mark.parametrize(
    ("name", "standoff", "message"),
    [
        ("a.txt", True, "stand-off labels go to a .jsonl file"),
        ("a.csv", False, "the output should be .jsonl, .txt or a folder"),
    ],
)
def test_a_name_that_asks_for_no_format_is_refused(tmp_path: Path, name: str, standoff: bool, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_labelled(tmp_path / name, [PLAIN], standoff=standoff)
    assert not (tmp_path / name).exists()
