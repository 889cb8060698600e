from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rasid.data.errors import DataError
from rasid.data.jsonl import article_from_dict, read_articles
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, load_public, read_public, read_tagged, to_article
from rasid.train.cli import main

AQMAR = "زار O\nبول B-PER\nديراك I-PER\nدمشق B-LOC\n\n O\nالنسبية B-MISC\n. O\n"


def write(folder: Path, name: str, text: str, split: str = "train") -> Path:
    (folder / PUBLIC_CORPORA[name].files[split]).write_text(text, encoding="utf-8")
    return folder


def spans(folder: Path, text: str) -> list[tuple[int, int, str]]:
    path = folder / "some.txt"
    path.write_text(text, encoding="utf-8")
    (sentence,) = read_tagged(path)
    return sorted(sentence.spans)


def test_bio_becomes_mentions_with_offsets_into_the_joined_text(tmp_path: Path) -> None:
    first, second = read_public("aqmar", write(tmp_path, "aqmar", AQMAR))
    assert first.text == "زار بول ديراك دمشق"
    assert [(first.surface(m), m.label, m.sector) for m in first.mentions] == [
        ("بول ديراك", "ACTOR", None),
        ("دمشق", "LOCATION", None),
    ]
    assert second.text == "النسبية ."
    assert not second.mentions


def test_bilou_becomes_spans(tmp_path: Path) -> None:
    text = "مستودعات B-HPOI\nأدوية I-HPOI\nبيروت L-HPOI\nلبنان U-CTRY\nسوريا U-CTRY\n"
    assert spans(tmp_path, text) == [(0, 3, "HPOI"), (3, 4, "CTRY"), (4, 5, "CTRY")]


def test_an_i_without_a_b_begins_a_span(tmp_path: Path) -> None:
    assert spans(tmp_path, "x O\nبول I-PER\nديراك I-PER\n") == [(1, 3, "PER")]


def test_nested_spans_of_one_type_close_from_the_inside(tmp_path: Path) -> None:
    text = "a B-ORG\nb I-ORG B-ORG\nc I-ORG I-ORG\nd I-ORG\n"
    assert spans(tmp_path, text) == [(0, 4, "ORG"), (1, 3, "ORG")]


def test_of_nested_actors_the_longest_stays_and_places_inside_them_too(tmp_path: Path) -> None:
    text = "مجلس B-ORG\nوزراء I-ORG B-NORP\nسوريا I-ORG B-GPE\n"
    (article,) = read_public("wojood-sample", write(tmp_path, "wojood-sample", text))
    assert [(article.surface(m), m.label) for m in article.mentions] == [
        ("مجلس وزراء سوريا", "ACTOR"),
        ("سوريا", "LOCATION"),
    ]


def test_a_title_directly_before_a_name_belongs_to_it(tmp_path: Path) -> None:
    text = "الرئيس B-OCC\nأحمد B-PERS\nعلي I-PERS\nقابل O\nوزيرا B-OCC\nو O\nسعيدا B-PERS\n"
    (article,) = read_public("wojood-sample", write(tmp_path, "wojood-sample", text))
    assert [article.surface(m) for m in article.mentions] == ["الرئيس أحمد علي", "وزيرا", "سعيدا"]


def test_equal_mentions_share_an_entity() -> None:
    sentence = TaggedSentence(("حلب", "ثم", "حماة", "ثم", "حلب"), ((0, 1, "LOC"), (2, 3, "LOC"), (4, 5, "LOC")))
    article = to_article("x", sentence, PUBLIC_CORPORA["aqmar"])
    assert [m.entity for m in article.mentions] == ["L1", "L2", "L1"]


def test_split_clitics_are_joined_to_their_word(tmp_path: Path) -> None:
    text = (
        "\ufeff\u200eو\tO\n\u200eبريطانيا\tB-Nation\n\u200eد\tB-Media\n\u200eب\tI-Media\n\u200eا\tI-Media\n\u200e\t\n"
    )
    (article,) = read_public("newsfane", write(tmp_path, "newsfane", text))
    assert article.text == "وبريطانيا د ب ا"
    assert [article.surface(m) for m in article.mentions] == ["بريطانيا", "د ب ا"]


def test_wojoods_end_mark_is_no_token(tmp_path: Path) -> None:
    (article,) = read_public("wojood-sample", write(tmp_path, "wojood-sample", "قال O\n$#$ O\n"))
    assert article.text == "قال"


def test_rows_of_the_dataset_are_records_of_the_disk_format(tmp_path: Path) -> None:
    dataset = load_public("aqmar", write(tmp_path, "aqmar", AQMAR))
    assert dataset.num_rows == 2
    assert "CC BY-SA" in dataset.info.description
    assert "ACTOR, LOCATION" in dataset.info.description
    assert [article_from_dict(row) for row in dataset] == list(read_public("aqmar", tmp_path))


def test_a_corpus_without_actors_says_so() -> None:
    assert PUBLIC_CORPORA["idrisi-ra"].labels == ("LOCATION",)


def test_no_type_stands_in_two_columns_of_the_table() -> None:
    for corpus in PUBLIC_CORPORA.values():
        assert not corpus.actors & corpus.locations
        assert not (corpus.actors | corpus.locations) & corpus.others
        assert corpus.titles is None or corpus.titles in corpus.actors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("بول B-PER\nديراك\n", "ar.train:2: the token has no tag"),
        ("بول PER\n", "'PER' is no tag"),
        ("بول B-\n", "'B-' is no tag"),
        ("بول B-PERSON\n", "aqmar-train-0: the type 'PERSON' is unknown"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_public("aqmar", write(tmp_path, "aqmar", text)))


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("ontonotes", "train", "unknown corpus"),
        ("newsfane", "test", "no split 'test'"),
        ("aqmar", "dev", "no such file"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, split: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_public(name, tmp_path, split))


def test_the_command_writes_the_disk_format(tmp_path: Path) -> None:
    write(tmp_path, "aqmar", AQMAR)
    out = tmp_path / "aqmar.jsonl"
    result = CliRunner().invoke(main, ["data", "public", "aqmar", str(tmp_path), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "2 sentences" in result.output
    assert list(read_articles(out)) == list(read_public("aqmar", tmp_path))


@given(st.lists(st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC"]), min_size=1, max_size=3)))
def test_any_tags_make_a_valid_article(tags: list[list[str]]) -> None:
    from rasid.data.public import _spans

    if tags:
        sentence = TaggedSentence(tuple("كلمة" for _ in tags), tuple(_spans(tags)))
        article = to_article("x", sentence, PUBLIC_CORPORA["aqmar"])
        assert all(article.surface(m).strip() for m in article.mentions)
