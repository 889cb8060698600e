from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from rasid.data.errors import DataError
from rasid.inference.loading import load_network, open_folder
from rasid.inference.model import RasidConfig, RasidModel
from rasid.inference.tagger import Tagger
from rasid.train.card import _before
from rasid.train.cli import main
from rasid.train.note import read_note
from rasid.train.setup import open_encoder
from rasid.train.words import add_words, choose_words, count_words

PIECES = [
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *(("▁قصف", -3.0), ("▁ال", -3.0), ("جيش", -4.0), ("▁ا", -6.0), ("ن", -5.0), ("▁", -6.0), ("مدن", -4.5), ("ة", -3.5)),
    *(("ي", -4.0), ("▁بل", -4.0), ("د", -5.0)),
]
TEXT = "قصف الجيش المدينة. قصف الجيش بلدة. قصف الجيشين الجيشُ بلدة"


def tokenizer() -> Tokenizer:
    found = Tokenizer(models.Unigram(PIECES, unk_id=3))
    found.pre_tokenizer = pre_tokenizers.Metaspace()
    found.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    return found


def save_tokenizer(folder: Path) -> None:
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    names |= {"cls_token": "<s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer(), **names).save_pretrained(folder)


def config() -> BertConfig:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertConfig(vocab_size=len(PIECES) + 2, max_position_embeddings=64, pad_token_id=1, **sizes)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    BertModel(config(), add_pooling_layer=False).save_pretrained(tmp_path / "encoder")
    save_tokenizer(tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "tagger"
    RasidModel(RasidConfig(config().to_dict(), window=24, role_size=8, event_threshold=0.3)).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path / "texts"


def test_words_are_counted_as_inference_reads_them() -> None:
    counts = count_words([TEXT])
    assert counts["الجيش"] == 3, "without its mark"
    assert counts["قصف"] == 3
    assert counts["."] == 2


def test_those_that_save_most_come_first_and_rare_or_unknown_ones_stay_in_pieces() -> None:
    counts = Counter({"الجيش": 5, "بلدة": 4, "قصف": 100, "المدن": 2, "الچيش": 50})
    found = choose_words(counts, tokenizer(), 10)
    assert [(word.text, word.saved) for word in found] == [("بلدة", 8), ("الجيش", 5)]
    assert [word.text for word in choose_words(counts, tokenizer(), 1)] == ["بلدة"]


def test_a_word_is_one_piece_and_other_words_but_longer_ones_are_cut_as_before(
    encoder: Path, texts: Path, tmp_path: Path
) -> None:
    before = tokenizer()
    noted = add_words(str(encoder), [texts], 10, tmp_path / "out")
    after = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert noted["words"] == 1
    assert after.encode("الجيش", add_special_tokens=False).tokens == ["▁الجيش"]
    for word in ("قصف", "بلدة", "المدن", "ن"):
        assert after.encode(word, add_special_tokens=False).ids == before.encode(word, add_special_tokens=False).ids
    counted = count_words([TEXT])
    for name, cut in (("before", before), ("after", after)):
        pieces = sum(n * len(cut.encode(word, add_special_tokens=False).ids) for word, n in counted.items())
        assert noted["pieces"][name] == pieces


def test_a_new_piece_is_the_mean_of_the_old_ones(encoder: Path, texts: Path, tmp_path: Path) -> None:
    add_words(str(encoder), [texts], 10, tmp_path / "out")
    table = open_encoder(str(tmp_path / "out")).get_input_embeddings().weight
    old = open_encoder(str(encoder)).get_input_embeddings().weight
    cut = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    (index,) = cut.encode("الجيش", add_special_tokens=False).ids
    assert index == len(old) == len(table) - 1
    assert torch.equal(table[: len(old)], old)
    pieces = tokenizer().encode("الجيش", add_special_tokens=False).ids
    torch.testing.assert_close(table[index], old[pieces].mean(0))


def test_a_tagger_keeps_its_heads_and_tags(trained: Path, texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    add_words(str(trained), [texts], 10, out)
    before, after = load_network(trained), load_network(out)
    assert torch.equal(before.mode, after.mode)
    assert after.config.event_threshold == 0.3
    assert open_folder(out).tokenizer.get_vocab_size() == after.encoder.get_input_embeddings().weight.shape[0]
    (article,) = Tagger.from_pretrained(out, "cpu", precision="fp32").tag([TEXT])
    assert article.text == TEXT


def test_texts_that_evaluate_are_not_counted(encoder: Path, texts: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps({"id": "a", "text": TEXT}), encoding="utf-8")
    with pytest.raises(DataError):
        add_words(str(encoder), [texts], 10, tmp_path / "out", exclude=[gold])


def test_the_note_tells_the_card(encoder: Path, texts: Path, tmp_path: Path) -> None:
    add_words(str(encoder), [texts], 10, tmp_path / "out")
    told = _before(read_note(tmp_path / "out"))
    assert "1 words as pieces" in told
    assert "texts" in told


def test_another_kind_of_tokenizer_is_refused(encoder_folder: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Unigram"):
        add_words(str(encoder_folder), [texts], 10, tmp_path / "out")


def test_the_command_says_what_is_saved(encoder: Path, texts: Path, tmp_path: Path) -> None:
    places = [str(texts), "--encoder", str(encoder), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, ["train", "words", *places])
    assert result.exit_code == 0, result.output
    assert "1 words added" in result.output
