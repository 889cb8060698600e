from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from rasid.data.errors import DataError
from rasid.data.jsonl import dumps
from rasid.data.schema import Article
from rasid.data.standoff import to_standoff
from rasid.inference.batches import Special
from rasid.inference.evaluation.scores import score
from rasid.inference.model import load_encoder
from rasid.train.card import RunFacts, write_card
from rasid.train.checkpoint import write_checkpoint
from rasid.train.cli import main
from rasid.train.config import DistilConfig, OptimConfig, TrainConfig
from rasid.train.features import IGNORE
from rasid.train.ner.auxiliary import train_auxiliary
from rasid.train.note import NOTE, read_note, with_teachers, write_note
from rasid.train.pretrain import (
    RECIPE,
    Chunk,
    MaskedLanguageModel,
    Vocabulary,
    mask_words,
    pretrain,
    to_arrays,
    to_chunks,
)
from tests.conftest import gold_articles, wordpiece_tokenizer

TOKENIZER: Tokenizer = wordpiece_tokenizer([a.text for a in gold_articles()]).backend_tokenizer
VOCABULARY = Vocabulary(mask=4, pieces=np.arange(5, 50))
SENTENCE = "انسحبت قوات النظام من مدينة جاسم بعد اتفاق مع وجهاء المدينة. "
READ = {"places": ["antcorpus", "mine"], "texts": 1234, "excluded": 2, "pieces": 567890, "epochs": 5, "lr": 0.1}


def tiny(epochs: int, seed: int = 13) -> OptimConfig:
    return OptimConfig(epochs=epochs, batch_tokens=256, lr=3e-3, head_lr=1e-2, layer_decay=1.0, seed=seed)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "private" / "my-texts"
    folder.mkdir(parents=True)
    (folder / "one.txt").write_text(SENTENCE * 12, encoding="utf-8")
    (folder / "two.txt").write_text(SENTENCE * 7, encoding="utf-8")
    (folder / "short.txt").write_text("انسحبت قوات", encoding="utf-8")
    return folder


def invoke(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["train", "pretrain", *map(str, args)])
    return result.exit_code, result.output


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(0, 2**32))
def test_words_are_hidden_whole_and_the_rest_stays(pieces: list[int], seed: int) -> None:
    words = np.repeat(np.arange(len(pieces)) + 7, pieces)  # a chunk rarely begins with a text's first word
    ids = np.random.default_rng(seed + 1).integers(5, 50, len(words))
    given_ids = ids.copy()
    inputs, targets = mask_words(ids, words, VOCABULARY, np.random.default_rng(seed))
    hidden = targets != IGNORE
    assert np.array_equal(ids, given_ids)
    assert np.array_equal(inputs[~hidden], ids[~hidden])
    assert np.array_equal(targets[hidden], ids[hidden])
    assert set(inputs.tolist()) <= {VOCABULARY.mask, *VOCABULARY.pieces.tolist()}
    assert hidden.any()
    for word in np.unique(words):
        assert len(set(hidden[words == word].tolist())) == 1
    again = mask_words(ids, words, VOCABULARY, np.random.default_rng(seed))
    assert np.array_equal(again[0], inputs) and np.array_equal(again[1], targets)


def test_shares_of_words_are_those_of_the_recipe() -> None:
    words = np.repeat(np.arange(50_000), 2)
    ids = np.full(len(words), 60)  # no random piece is this one
    inputs, targets = mask_words(ids, words, VOCABULARY, np.random.default_rng(0))
    hidden = inputs[targets != IGNORE]
    assert len(hidden) / len(words) == pytest.approx(0.2, abs=0.01)
    assert (hidden == VOCABULARY.mask).mean() == pytest.approx(0.8, abs=0.01)
    assert (hidden == 60).mean() == pytest.approx(0.1, abs=0.01)


def test_a_text_is_cut_into_chunks_and_a_short_end_is_left_out() -> None:
    whole = to_chunks(SENTENCE * 10, TOKENIZER, 1000)
    assert len(whole) == 1
    chunks = to_chunks(SENTENCE * 10, TOKENIZER, 50)
    joined = [piece for chunk in chunks for piece in chunk.ids]
    assert joined == whole[0].ids.tolist()[: len(joined)]
    assert [len(chunk.ids) for chunk in chunks] == [50] * (len(whole[0].ids) // 50) + (
        [len(whole[0].ids) % 50] if len(whole[0].ids) % 50 >= 16 else []
    )
    assert to_chunks("انسحبت قوات", TOKENIZER, 50) == to_chunks("", TOKENIZER, 50) == []


def test_a_batch_is_framed_and_padded() -> None:
    chunks = [Chunk(np.arange(10, 10 + n), np.arange(n)) for n in (3, 5)]
    ids, mask, targets = to_arrays(chunks, Special(2, 3, 0), VOCABULARY, np.random.default_rng(0))
    assert ids.shape == mask.shape == targets.shape == (2, 7)
    assert mask.sum(1).tolist() == [5, 7]
    assert ids[:, 0].tolist() == [2, 2] and ids[0, 4:].tolist() == [3, 0, 0] and ids[1, 6] == 3
    assert (targets[mask == 0] == IGNORE).all() and (targets[:, 0] == IGNORE).all() and targets[0, 4] == IGNORE


def test_the_head_begins_as_the_embeddings_and_shares_them(encoder_folder: Path) -> None:
    model = MaskedLanguageModel(load_encoder(str(encoder_folder))).eval()
    words = model.encoder.get_input_embeddings().weight
    assert sum(parameter is words for parameter in model.parameters()) == 1
    ids, at = torch.tensor([[2, 10, 11, 3]]), torch.tensor([[False, True, False, False]])
    states = model.encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    assert torch.allclose(model(ids, torch.ones_like(ids), at), states[:, 1] @ words.T, atol=1e-5)


def test_the_encoder_learns_and_says_from_what(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "read"
    rates = ("--epochs", 30, "--lr", 3e-3, "--head-lr", 1e-2, "--batch-tokens", 256)
    code, output = invoke(texts, "--encoder", encoder_folder, "--out", out, *rates, "--quiet")
    assert code == 0, output
    assert "2 texts read" in output
    losses = [line["mean loss"] for line in log_of(out) if "mean loss" in line]
    assert len(losses) == 30
    assert losses[-1] < 0.7 * losses[0]
    before, after = (load_encoder(str(folder)).state_dict() for folder in (encoder_folder, out))
    assert set(after) == set(before)
    assert any(not after[name].equal(before[name]) for name in after)
    assert PreTrainedTokenizerFast.from_pretrained(out).get_vocab() == TOKENIZER.get_vocab()
    (note,) = read_note(out)["pretraining"]
    assert (note["places"], note["texts"], note["excluded"], note["epochs"]) == (["my-texts"], 2, 0, 30)
    assert note["pieces"] == sum(len(chunk.ids) for n in (12, 7) for chunk in to_chunks(SENTENCE * n, TOKENIZER, 126))
    assert "private" not in (out / NOTE).read_text(encoding="utf-8")


def test_excluded_texts_are_not_read(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    whole, standoff = tmp_path / "dev.jsonl", tmp_path / "test.jsonl"
    whole.write_text(json.dumps({"id": "1", "text": SENTENCE * 12}) + "\n", encoding="utf-8")
    standoff.write_text(dumps(to_standoff(Article("2", SENTENCE * 7))) + "\n", encoding="utf-8")
    note = pretrain([texts], str(encoder_folder), tmp_path / "a", tiny(1), exclude=[whole], quiet=True)
    assert [(run["texts"], run["excluded"]) for run in note["pretraining"]] == [(1, 1)]
    rest = ("--encoder", encoder_folder, "--out", tmp_path / "b", "--exclude", whole, "--exclude", standoff)
    code, output = invoke(texts, *rest)
    assert code == 1
    assert "is left to read, 2 being excluded" in output
    assert not (tmp_path / "b").exists()


def test_the_same_seed_gives_the_same_encoder(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        pretrain([texts], str(encoder_folder), tmp_path / name, tiny(2, seed), quiet=True)
        found.append(load_file(tmp_path / name / "model.safetensors"))
    one, two, three = found
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)
    assert any((one[name] - three[name]).abs().max() > 1e-3 for name in one)


def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(
    texts: Path, encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(out: Path, tensors: Any, state: Any) -> None:  # noqa: ANN401
        write_checkpoint(out, tensors, state)
        if state["epoch"] == 2:
            raise KeyboardInterrupt

    pretrain([texts], str(encoder_folder), tmp_path / "whole", tiny(3), quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr("rasid.train.pretrain.write_checkpoint", cut)
        with pytest.raises(KeyboardInterrupt):
            pretrain([texts], str(encoder_folder), tmp_path / "cut", tiny(3), quiet=True)
    with pytest.raises(DataError, match="begun otherwise"):
        pretrain([texts], str(encoder_folder), tmp_path / "cut", tiny(4), quiet=True)
    pretrain([texts], str(encoder_folder), tmp_path / "cut", tiny(3), quiet=True)
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")
    left, right = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.allclose(left[name], right[name], atol=1e-6) for name in left)
    assert not (tmp_path / "cut" / "last").exists()


def test_a_run_can_be_begun_anew(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_checkpoint(out, {}, {"epoch": 1, "step": 1, "loss": 1.0, "begun": {}})
    rest = ("--encoder", encoder_folder, "--out", out, "--epochs", 1, "--quiet")
    assert "--restart" in invoke(texts, *rest)[1]
    assert invoke(texts, *rest, "--restart")[0] == 0


def test_a_tokenizer_without_a_mask_is_refused(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(encoder_folder, folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({k: v for k, v in config.items() if k != "mask_token"}), encoding="utf-8")
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match="no mask token"):
        pretrain([texts], str(folder), tmp_path / "out", tiny(1), quiet=True)


def test_the_defaults_of_the_command_are_the_recipe() -> None:
    group = main.commands["train"]
    assert isinstance(group, click.Group)
    options = {option.name: option.default for option in group.commands["pretrain"].params}
    for name in ("epochs", "lr", "head_lr", "batch_tokens", "seed"):
        assert options[name] == getattr(RECIPE, name)


def test_it_names_what_is_missing(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    rest = ("--encoder", encoder_folder, "--out", tmp_path / "out")
    assert "no such file" in invoke(tmp_path / "nowhere", *rest)[1]
    assert "no such file" in invoke(texts, *rest, "--exclude", tmp_path / "nowhere.jsonl")[1]


def card(folder: Path, encoder: Path, config: TrainConfig) -> str:
    gold = gold_articles()
    folder.mkdir(exist_ok=True)
    write_card(folder, config, gold, gold, score(gold, gold), RunFacts(60.0, 1, "a CPU", encoder))
    return (folder / "README.md").read_text(encoding="utf-8")


def test_notes_add_up_in_the_order_of_learning(texts: Path, encoder_folder: Path, tmp_path: Path) -> None:
    from rasid.data.public import PUBLIC_CORPORA

    aqmar = tmp_path / "aqmar"
    aqmar.mkdir()
    for file in PUBLIC_CORPORA["aqmar"].files.values():
        (aqmar / file).write_text("مدينة O\nجاسم B-LOC\n\n", encoding="utf-8")
    once = tiny(1)
    read, taught = "It first read 2 texts", "It first learnt the named entities"
    pretrain([texts], str(encoder_folder), tmp_path / "read", once, quiet=True)
    train_auxiliary({"aqmar": aqmar}, str(tmp_path / "read"), once, tmp_path / "read-taught", quiet=True)
    shown = card(tmp_path / "m1", tmp_path / "read-taught", TrainConfig())
    assert read in shown and "It then learnt the named entities" in shown and "  - my-texts\n" in shown
    train_auxiliary({"aqmar": aqmar}, str(encoder_folder), once, tmp_path / "taught", quiet=True)
    note = pretrain([texts], str(tmp_path / "taught"), tmp_path / "taught-read", once, quiet=True)
    shown = card(tmp_path / "m2", tmp_path / "taught-read", TrainConfig())
    assert taught in shown and "It then read 2 texts" in shown
    assert note["encoder"] == encoder_folder.name
    assert f"- Encoder: {encoder_folder.name}." in shown
    again = pretrain([texts], str(tmp_path / "taught-read"), tmp_path / "twice", once, quiet=True)
    assert len(again["pretraining"]) == 2
    assert again["corpora"] == note["corpora"]


def test_the_card_of_a_student_says_what_its_teachers_had_read(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name / "model").mkdir(parents=True)
        write_note(tmp_path / name / "model", {"encoder": "rasid-base", "pretraining": [{**READ, "seed": seed}]})
    (tmp_path / "plain" / "model").mkdir(parents=True)
    teachers = tuple(str(tmp_path / name / "model") for name in ("a", "plain", "b", "c"))
    shown = card(tmp_path / "student", tmp_path, TrainConfig(distil=DistilConfig(teachers=teachers)))
    how = "first read 1,234 texts by masked language modelling, by `rasid train pretrain` (567,890 pieces, 5 epochs"
    assert f"  - The encoder of a, b {how}" in shown
    assert f"  - The encoder of c {how}" in shown
    assert "ANT Corpus, Tunisian and international news, Apache-2.0; mine.\n" in shown
    assert "The encoder of plain" not in shown
    assert "It first" not in shown
    note = read_note(tmp_path / "student")
    assert note["encoder"] == "rasid-base"
    # a student of the student, and a model on its encoder, have it from there
    assert with_teachers({}, [tmp_path / "student"])["teachers"] == note["teachers"]
    assert "The encoder of a, b" in card(tmp_path / "next", tmp_path / "student", TrainConfig())


def test_a_broken_note_is_named(tmp_path: Path) -> None:
    (tmp_path / NOTE).write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not JSON"):
        read_note(tmp_path)
    (tmp_path / NOTE).write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="not a JSON object"):
        read_note(tmp_path)
