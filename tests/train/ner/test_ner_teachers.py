from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from transformers import BertConfig, BertModel

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, read_tagged
from rasid.inference.loading import backend, special_tokens
from rasid.train.cli import main
from rasid.train.ner.bio import TAGS, likeliest
from rasid.train.ner.teachers import ask, open_teacher, read_unlabelled
from rasid.train.ner.texts import to_example
from rasid.train.note import read_note
from rasid.train.setup import load_tokenizer
from tests.conftest import wordpiece_tokenizer

TEXT = "زار O\nسالم B-PERS\nالكردي I-PERS\nمدينة O\nحلب B-LOC\n\nقالت O\nالأمم B-ORG\nالمتحدة I-ORG\nذلك O\n\n"
TOLD = "انسحبت قوات النظام من مدينة جاسم.\nزار سالم الكردي مدينة حلب.\nعاد الأهالي إلى منازلهم في سرمين."
RATES = ("--epochs", 40, "--lr", 3e-3, "--head-lr", 1e-2, "--batch-tokens", 256, "--quiet")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    for corpus in ("anercorp", "cleananercorp"):
        for name in PUBLIC_CORPORA[corpus].files.values():
            (folder / name).write_text(TEXT * 4, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def teacher(corpora: Path, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    code, output = invoke("anercorp", corpora, "--encoder", encoder_folder, "--out", out, "--context", "--keep", *RATES)
    assert code == 0, output
    return out


def invoke(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["train", "benchmark", *map(str, args)])
    return result.exit_code, result.output


def test_a_kept_tagger_says_what_was_scored(teacher: Path, corpora: Path) -> None:
    scores = json.loads((teacher / "benchmark.json").read_text(encoding="utf-8"))
    assert not list(teacher.rglob("*.bin"))
    assert "anercorp" in read_note(teacher / "model")["corpora"]
    whole = load_tokenizer(str(teacher / "model"))
    tokenizer = backend(whole)
    found = open_teacher(teacher, "anercorp", tokenizer.get_vocab())
    assert found.context
    sentences = list(read_tagged(corpora / PUBLIC_CORPORA["anercorp"].files["test"]))
    examples = [to_example(sentence, tokenizer) for sentence in sentences]
    said = ask([found, found], "anercorp", {"test": [examples]}, special_tokens(whole), 256, quiet=True)["test"]
    assert said.sum(-1) == pytest.approx(1.0, abs=1e-5)
    tags = likeliest(said, [len(s.tokens) for s in sentences])
    assert scores["test"]["micro"] == 1.0
    assert tags.tolist() == [tag for example in examples for tag in example.tags]


def test_a_student_learns_from_teachers_and_texts(
    teacher: Path, corpora: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "told.txt").write_text(TOLD, encoding="utf-8")
    out = tmp_path / "student"
    code, output = invoke(
        *("anercorp", corpora, "--encoder", encoder_folder, "--out", out, "--average", 0.5, "--rdrop", 0.5),
        *("--hide", 0.05, "--keep", "--teacher", teacher, "--teacher", teacher),
        *("--unlabelled", tmp_path / "told.txt", *RATES),
    )
    assert code == 0, output
    assert "ensemble-test-restored: micro 100.0" in output
    found = json.loads((out / "benchmark.json").read_text(encoding="utf-8"))
    assert found["unlabelled"] == 2
    assert found["test"]["micro"] > 0.5
    assert read_note(out / "model")["teachers"][0]["names"] == ["first"]


def test_sentences_of_the_corpus_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TOLD, encoding="utf-8")
    (tmp_path / "b.txt").write_text(TOLD.splitlines()[0] + "\nThis one is not in Arabic.\nقصير جدا", encoding="utf-8")
    labelled = [TaggedSentence(("زار", "سالم", "الكردي", "مدينة", "حلب", "."), ())]
    groups = read_unlabelled([tmp_path], 10, labelled)
    found = [" ".join(sentence.tokens) for group in groups for sentence in group]
    assert sorted(found) == ["انسحبت قوات النظام من مدينة جاسم .", "عاد الأهالي إلى منازلهم في سرمين ."]
    assert sum(map(len, read_unlabelled([tmp_path], 1, labelled))) == 1
    with pytest.raises(DataError, match="no sentence to learn from"):
        read_unlabelled([tmp_path], 10, [*labelled, *(s for group in groups for s in group)])


def test_tokens_are_cut_as_in_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("بلغت النسبة 3.5% في العام 2004م (حَلَب)", encoding="utf-8")
    ((sentence,),) = read_unlabelled([tmp_path], 10, [])
    assert sentence.tokens == ("بلغت", "النسبة", "3.5", "%", "في", "العام", "2004م", "(", "حَلَب", ")")


def test_teachers_that_do_not_fit_are_named(teacher: Path, corpora: Path, encoder_folder: Path, tmp_path: Path) -> None:
    def refused(*args: object, corpus: str = "anercorp", encoder: Path = encoder_folder) -> str:
        code, output = invoke(corpus, corpora, "--encoder", encoder, "--out", tmp_path / "out", *args, *RATES)
        assert code == 1
        return output

    assert "need teachers" in refused("--unlabelled", tmp_path)
    assert f"{tmp_path}: there is no tagger here" in refused("--teacher", tmp_path)
    assert f"{teacher}: this teacher has learnt anercorp" in refused("--teacher", teacher, corpus="cleananercorp")

    other = tmp_path / "encoder"
    tokenizer = wordpiece_tokenizer(["كلمات أخرى"])
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(other)
    tokenizer.save_pretrained(other)
    assert f"{teacher}: this teacher reads other pieces" in refused("--teacher", teacher, encoder=other)

    broken = tmp_path / "broken"
    shutil.copytree(teacher, broken)
    (broken / "model" / "head.safetensors").write_bytes(b"no head")
    assert f"{broken}: its head could not be loaded" in refused("--teacher", broken)
    result = json.loads((broken / "benchmark.json").read_text(encoding="utf-8"))
    (broken / "benchmark.json").write_text(json.dumps({**result, "kept": False}), encoding="utf-8")
    assert "without --keep" in refused("--teacher", broken)
    (broken / "benchmark.json").write_text("{}", encoding="utf-8")
    assert "does not say how" in refused("--teacher", broken)


def test_a_mean_is_of_all_teachers(teacher: Path) -> None:
    whole = load_tokenizer(str(teacher / "model"))
    tokenizer, special = backend(whole), special_tokens(whole)
    together = open_teacher(teacher, "anercorp", tokenizer.get_vocab())
    alone = type(together)(teacher, context=False, window=3)
    parts = {"some": [[to_example(TaggedSentence(("زار", "سالم", "حلب"), ()), tokenizer, labelled=False)] * 2]}
    each = [ask([own], "anercorp", parts, special, 256, quiet=True)["some"] for own in (together, alone)]
    both = ask([together, alone], "anercorp", parts, special, 256, quiet=True)["some"]
    assert both.shape == (6, len(TAGS))
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2, atol=1e-6)
