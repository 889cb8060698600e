from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from rasid.data.errors import DataError
from rasid.train import base
from rasid.train.cli import main

PIECES = [
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *(("▁", -2.0), ("▁قصف", -3.0), ("جاسم", -3.1), ("پنج", -4.0), ("▁Москва", -4.0), ("▁the", -4.0)),
    *(("▁house", -4.0), ("2022", -4.0), ("،", -4.0), ("م", -5.0), ("▁ج", -5.0), ("中", -5.0), ("<mask>", 0.0)),
]
KEPT = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁قصف", "جاسم", "▁the", "2022", "،", "م", "▁ج", "<mask>"]
HIDDEN, LAYERS, FFN, POSITIONS = 32, 1, 64, 16


def quantise_q4(weights: NDArray[np.float32]) -> bytes:
    """The reverse of the layout under test, written on its own: scale, low nibbles first, high nibbles after."""
    out = b""
    for block in weights.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7 or 1.0)
        levels = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int)
        out += scale.tobytes() + bytes(int(levels[i]) | int(levels[i + 16]) << 4 for i in range(16))
    return out


def encoder_bytes() -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    rng = np.random.default_rng(0)
    vocab = len(PIECES)
    shapes = {"emb.word": (vocab, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (2, HIDDEN)}
    shapes |= {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    sizes = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)}
    sizes |= {"fi": (FFN, HIDDEN), "fo": (HIDDEN, FFN)}
    for name, shape in sizes.items():
        shapes |= {f"l0.{name}.w": shape, f"l0.{name}.b": shape[:1]}
    shapes |= {f"l0.{name}.{part}": (HIDDEN,) for name in ("aln", "oln") for part in "wb"}
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    blob = b"pieces"
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, 2, FFN, vocab, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", vocab, 0, 2, 1, 3, len(blob))
    head += struct.pack(f"<{vocab + 1}I", *range(vocab + 1)) + struct.pack(f"<{vocab}f", *([0.0] * vocab)) + blob
    head += struct.pack("<iI", 1, 3) + b"abc" + struct.pack("<i", len(tensors))
    bodies = {n: quantise_q4(t) if t.ndim > 1 else t.tobytes() for n, t in tensors.items()}
    offset = len(head) + sum(2 + len(name) + 21 for name in tensors)
    data = b""
    for name, tensor in tensors.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", int(tensor.ndim > 1), tensor.size, offset + len(data), len(bodies[name]))
        data += bodies[name]
    return head + data, tensors


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(PIECES, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tokenizer


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, NDArray[np.float32]]:
    """Small files of the two packages' formats in the place of the packages."""
    raw, tensors = encoder_bytes()
    encoder, tokenizer = tmp_path / "e5.bin", tmp_path / "tokenizer.json"
    encoder.write_bytes(raw)
    tokenizer.write_text(unigram().to_str(), encoding="utf-8")
    places = {base.ENCODER_PACKAGE: encoder, base.TOKENIZER_PACKAGE: tokenizer}
    monkeypatch.setattr(base, "installed_file", lambda package, *_: places[package])
    return tensors


def test_the_encoder_is_rebuilt_with_its_vocabulary_trimmed(
    registry: dict[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["train", "base", "--out", str(out)])
    assert result.exit_code == 0, result.output
    model = AutoModel.from_pretrained(out, add_pooling_layer=False)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == KEPT
    old = {piece: i for i, (piece, _) in enumerate(PIECES)}
    words = model.get_input_embeddings().weight.detach().numpy()
    for new, piece in enumerate(KEPT):
        # four bits over the block's largest weight: half a level, and the largest positive value may be clipped
        assert np.abs(words[new] - registry["emb.word"][old[piece]]).max() < 0.35
    query = model.encoder.layer[0].attention.self.query
    assert np.allclose(query.bias.detach().numpy(), registry["l0.q.b"])
    assert np.corrcoef(query.weight.detach().numpy().ravel(), registry["l0.q.w"].ravel())[0, 1] > 0.98
    ids = tokenizer("قصف جاسم")["input_ids"]
    assert "▁قصف" in tokenizer.convert_ids_to_tokens(ids)


def test_dequantise_reads_low_nibbles_then_high_ones() -> None:
    nibbles = bytes(i | (15 - i) << 4 for i in range(16))
    raw = np.float16(0.5).tobytes() + nibbles
    expected = [0.5 * (i - 8) for i in range(16)] + [0.5 * (15 - i - 8) for i in range(16)]
    assert base.dequantise_q4(raw, 32).tolist() == expected


@pytest.mark.parametrize(
    ("piece", "kept"),
    [
        *(
            ("▁وقصف", True),
            ("مُ", True),
            ("٢٠٢٢", True),
            ("▁«", True),
            ("SDF", True),
            ("▁", True),
            ("…", True),
            ("A", True),
        ),
        *(("▁house", False), ("گفت", False), ("ٹ", False), ("ж", False), ("▁中国", False), ("ید", False)),
    ],
)
def test_the_rule_keeps_arabic_and_drops_the_rest(piece: str, kept: bool) -> None:
    assert base.keep_piece(piece) is kept


def test_another_file_is_refused_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "e5.bin"
    path.write_bytes(b"other")
    with pytest.raises(DataError, match="expected 00"):
        base.check_sha256(path, "00")
    base.check_sha256(path, hashlib.sha256(b"other").hexdigest())


@pytest.mark.parametrize("raw", [b"", b"GGUF" + b"\0" * 200, b"E5S1" + b"\1" * 60])
def test_a_file_of_another_kind_is_one_clear_error(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(raw)
    with pytest.raises(DataError, match="not the encoder's file"):
        base.read_encoder(path)


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(DataError, match=r"rasid\[base\]"):
        base.installed_file("no-such-package-of-rasid", "x", "00")


def test_an_encoder_from_a_folder_is_trimmed_the_same_way(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = BertModel(config)
    source, out = tmp_path / "hub", tmp_path / "out"
    model.save_pretrained(source)
    names = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    PreTrainedTokenizerFast(tokenizer_object=unigram(), **names).save_pretrained(source)
    result = CliRunner().invoke(main, ["train", "base", "--out", str(out), "--from", str(source)])
    assert result.exit_code == 0, result.output
    trimmed = AutoModel.from_pretrained(out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    old = {piece: i for i, (piece, _) in enumerate(PIECES)}
    for piece in KEPT:
        left = trimmed.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(piece)]
        assert torch.equal(left, model.get_input_embeddings().weight[old[piece]])
    assert json.loads((out / "config.json").read_text())["vocab_size"] == len(KEPT)


def test_a_wordpiece_tokenizer_cannot_be_trimmed(encoder_folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["train", "base", "--out", str(tmp_path / "o"), "--from", str(encoder_folder)])
    assert result.exit_code == 1
    assert "Unigram" in result.output and "Traceback" not in result.output
