from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence
from rasid.train.cli import main
from rasid.train.config import OptimConfig
from rasid.train.features import IGNORE
from rasid.train.ner.benchmark import run_benchmark, scores_of
from rasid.train.ner.bio import TAGS
from rasid.train.ner.texts import Example, passages_of, to_example, to_passages, to_texts

TEXT = "زار O\nسالم B-PERS\nالكردي I-PERS\nمدينة O\nحلب B-LOC\n\nقالت O\nالأمم B-ORG\nالمتحدة I-ORG\nذلك O\n\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in PUBLIC_CORPORA["anercorp"].files.values():
        (tmp_path / name).write_text(TEXT * 4, encoding="utf-8")
    return tmp_path


@pytest.fixture
def tokenizer(encoder_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(encoder_folder / "tokenizer.json"))


def test_scores_by_hand() -> None:
    gold = [frozenset({(0, 1, "PERS"), (2, 3, "LOC")}), frozenset({(0, 2, "ORG")})]
    predicted = [frozenset({(0, 1, "PERS"), (2, 4, "LOC")}), frozenset({(0, 2, "ORG")})]
    found = scores_of(gold, predicted)
    assert found["PERS"] == found["ORG"] == 1
    assert found["LOC"] == found["MISC"] == 0
    assert found["micro"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["macro"] == 0.5


def test_an_example_has_its_tags_and_a_piece_for_each_token(tokenizer: Tokenizer) -> None:
    sentence = TaggedSentence(("سالم", "الكردي", "\u200b", "حلب"), ((0, 2, "PERS"), (3, 4, "LOC")))
    example = to_example(sentence, tokenizer)
    assert [TAGS[tag] for tag in example.tags] == ["B-PERS", "I-PERS", "O", "B-LOC"]
    assert len(example.firsts) == len(set(example.firsts)) == 4
    assert example.firsts[0] == 0
    assert example.firsts[-1] < len(example.ids)


def test_a_type_of_another_corpus_is_named(tokenizer: Tokenizer) -> None:
    with pytest.raises(DataError, match="'GPE'"):
        to_example(TaggedSentence(("حلب",), ((0, 1, "GPE"),)), tokenizer)


@given(
    st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=12),
    st.integers(2, 9),
    st.none() | st.integers(0, 9),
)
@pytest.mark.parametrize("context", [False, True])
def test_no_token_is_lost_between_passages(
    context: bool, sentences: list[list[int]], window: int, seed: int | None
) -> None:
    examples: list[Example] = []
    for pieces in sentences:
        firsts = [sum(pieces[:i]) for i in range(len(pieces))]
        examples.append(Example(tuple(range(sum(pieces))), tuple(firsts), tuple(i % len(TAGS) for i in firsts)))
    said = np.eye(len(TAGS), dtype=np.float32)[[tag for example in examples for tag in example.tags]]
    texts = to_texts([examples[:1], examples[1:]] if examples[1:] else [examples], context=context, probabilities=said)
    assert len(texts) == (min(2, len(sentences)) if context else len(sentences))
    rng = None if seed is None else np.random.default_rng(seed)
    passages = list(to_passages("anercorp", texts, window, rng))
    assert all(len(passage.ids) == len(passage.tags) <= window for passage in passages)
    for passage in passages:
        assert passage.soft is not None
        assert [int(row.argmax()) if row.any() else IGNORE for row in passage.soft] == list(passage.tags)
    if window >= max(sum(pieces) for pieces in sentences):
        found = [tag for passage in passages for tag in passage.tags if tag != IGNORE]
        assert found == [tag for example in examples for tag in example.tags]


def test_each_epoch_cuts_other_windows_and_draws_as_many_without_labels() -> None:
    examples = [Example((i, i), (0,), (1,)) for i in range(40)]
    texts = to_texts([examples], context=True)
    others = to_texts([[Example((100 + i,), (0,), (IGNORE,))] for i in range(50)], context=True)
    source = passages_of("anercorp", texts, others, 12)
    epochs = [source(np.random.default_rng(seed)) for seed in range(5)]
    cuts = {tuple(p.ids for p in epoch if p.ids[0] < 100) for epoch in epochs}
    drawn = [[p.ids for p in epoch if p.ids[0] >= 100] for epoch in epochs]
    assert len(cuts) > 1
    assert [len(set(own)) for own in drawn] == [len(epoch) - len(own) for epoch, own in zip(epochs, drawn, strict=True)]
    assert drawn[0] != drawn[1]


def test_a_text_that_fits_is_read_whole() -> None:
    texts = to_texts([[Example((i,), (0,), (1,)) for i in range(9)]], context=True)
    found = [list(to_passages("anercorp", texts, 9, np.random.default_rng(seed))) for seed in range(9)]
    assert [[p.ids for p in epoch] for epoch in found] == [[tuple(range(9))]] * 9


@pytest.mark.parametrize(("context", "window"), [(False, 6), (True, 40)])
def test_a_run_learns_and_writes_its_scores(
    corpus: Path, encoder_folder: Path, tmp_path: Path, context: bool, window: int
) -> None:
    optim = OptimConfig(epochs=30, batch_tokens=256, lr=3e-3, head_lr=1e-2)
    found = run_benchmark(
        "anercorp", corpus, str(encoder_folder), optim, tmp_path / "out", window=window, context=context, quiet=True
    )
    assert found["test"]["micro"] == 1.0
    assert found["test-restored"]["LOC"] == 1.0
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text(encoding="utf-8")) == found


def test_the_command_names_what_is_missing(tmp_path: Path, encoder_folder: Path) -> None:
    def run(*args: object) -> str:
        result = CliRunner().invoke(main, ["train", "benchmark", *map(str, args), "--encoder", str(encoder_folder)])
        assert result.exit_code == 1
        return result.output

    assert "no such benchmark" in run("conll", tmp_path)
    assert "no such file" in run("anercorp", tmp_path)


def test_the_command_prints_the_scores(corpus: Path, encoder_folder: Path, tmp_path: Path) -> None:
    places = ["anercorp", corpus, "--encoder", encoder_folder, "--out", tmp_path / "out", "--epochs", 1, "--quiet"]
    result = CliRunner().invoke(main, ["train", "benchmark", *map(str, places)])
    assert result.exit_code == 0, result.output
    assert "test-restored" in result.output
    assert "micro" in result.output
