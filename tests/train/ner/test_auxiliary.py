from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rasid.data.public import PUBLIC_CORPORA, TaggedSentence
from rasid.inference.model import load_encoder
from rasid.train.cli import main
from rasid.train.ner.auxiliary import tags_of, to_passages
from rasid.train.note import NOTE
from tests.conftest import gold_articles, wordpiece_tokenizer

TEXT = "و O\nب O\nمدينة O\nجاسم B-Population-Center\nوجهاء B-Group\nالمدينة I-Group\n\nقوات B-Government\n\n"
TOKENIZER: Tokenizer = wordpiece_tokenizer([a.text for a in gold_articles()]).backend_tokenizer


@pytest.fixture
def newsfane(tmp_path: Path) -> Path:
    folder = tmp_path / "newsfane"
    folder.mkdir()
    (folder / PUBLIC_CORPORA["newsfane"].files["train"]).write_text(TEXT * 3, encoding="utf-8")
    return folder


def invoke(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["train", "auxiliary", *map(str, args)])
    return result.exit_code, result.output


def test_a_split_proclitic_is_read_with_its_word_and_spans_keep_their_types() -> None:
    sentence = TaggedSentence(
        ("و", "جاسم", "وجهاء", "المدينة"), ((1, 2, "Population-Center"), (2, 4, "Group"), (3, 4, "Nation"))
    )
    (passage,) = to_passages("newsfane", [sentence], TOKENIZER, 60)
    tags = tags_of("newsfane")
    assert [tags[tag] for tag in passage.tags if tags[tag].startswith("B-")] == ["B-Population-Center", "B-Group"]
    assert tags[passage.tags[0]] == "B-Population-Center"  # وجاسم is one word
    assert "O" not in {tags[tag] for tag in passage.tags}


@given(
    st.lists(
        st.lists(st.sampled_from(["جاسم", "قوات", "النظام", "٣", "."]), min_size=1, max_size=9), min_size=1, max_size=6
    ),
    st.integers(2, 12),
)
def test_passages_put_together_are_the_sentences(sentences: list[list[str]], window: int) -> None:
    tagged = [TaggedSentence(tuple(tokens), ((0, 1, "PER"),)) for tokens in sentences]
    whole = [piece for s in tagged for p in to_passages("aqmar", [s], TOKENIZER, 1000) for piece in p.ids]
    passages = list(to_passages("aqmar", tagged, TOKENIZER, window))
    assert [piece for p in passages for piece in p.ids] == whole
    assert all(len(p.ids) == len(p.tags) <= window for p in passages)
    assert sum(tag == tags_of("aqmar").index("B-PER") for p in passages for tag in p.tags) == len(sentences)


def test_the_encoder_learns_and_says_from_what(newsfane: Path, encoder_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "aux"
    code, output = invoke(
        f"newsfane={newsfane}", "--encoder", encoder_folder, "--out", out, "--epochs", 30, "--lr", 3e-3, "--quiet"
    )
    assert code == 0, output
    note = json.loads((out / NOTE).read_text(encoding="utf-8"))
    assert note["corpora"]["newsfane"]["sentences"] == 6
    assert "CC BY-SA 3.0" in note["corpora"]["newsfane"]["title"]
    before, after = (load_encoder(str(folder)).state_dict() for folder in (encoder_folder, out))
    assert set(after) == set(before)
    assert any(not after[name].equal(before[name]) for name in after)
    losses = [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]


def test_it_names_what_cannot_be_learnt(newsfane: Path, encoder_folder: Path, tmp_path: Path) -> None:
    rest = ("--encoder", encoder_folder, "--out", tmp_path / "aux")
    assert "no corpus to learn from" in invoke(f"anercorp={newsfane}", *rest)[1]
    assert "no such file" in invoke(f"aqmar={newsfane}", *rest)[1]
    assert "NAME=FOLDER" in invoke("newsfane", *rest)[1]
