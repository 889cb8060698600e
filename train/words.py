"""Whole words as pieces: the commonest words of texts that come in several pieces get a piece of their own.

Time is by the piece, so fewer pieces a word is a faster tagger. The vocabulary of a multilingual encoder cuts Arabic
words fine: with 16,000 words more, news comes in a quarter fewer pieces. A new piece begins with the mean of the
embeddings of those that it stands for, which names the word but not as the layers are used to, so the model has to be
trained on, best with what it was made from as its teacher.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer

from rasid.data.errors import DataError
from rasid.inference.loading import backend
from rasid.inference.model import RasidModel, encoder_of
from rasid.inference.normalise import normalise
from rasid.inference.pieces import WORD
from rasid.train.base import set_embeddings
from rasid.train.note import note_of_encoder, write_note
from rasid.train.pretrain import read_texts
from rasid.train.setup import load_tokenizer, open_pretrained

# Before each word, as Unigram tokenizers in the manner of SentencePiece write it.
_SPACE: Final = "▁"
# A word that texts have less often is left in its pieces.
_LEAST: Final = 3
# How much likelier a word is as one piece than in its several: enough to settle it, and no more, so that other words,
# but for those that begin with it, are cut as before.
_MARGIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Word:
    """A word to become a piece.

    Args:
        text: the word, normalised.
        ids: of the pieces that it comes in, two or more.
        saved: how many pieces fewer that makes in the texts.
    """

    text: str
    ids: tuple[int, ...]
    saved: int


def add_words(
    source: str, places: Sequence[Path], count: int, out: Path, *, exclude: Iterable[Path] = ()
) -> dict[str, Any]:
    """Give a model the commonest words of texts as pieces and write it to a folder.

    Args:
        source: an encoder or a trained tagger: a folder, or the hub name of an encoder.
        places: files and folders with the texts.
        count: how many words at the most.
        out: the folder to write.
        exclude: JSON-lines files, whole or stand-off, whose texts are not counted.

    Returns:
        What is noted of it: `words`, how many, and `pieces`, how many the texts came in `before` and come in `after`.

    Raises:
        DataError: where the model or the texts cannot be had, the tokenizer is not Unigram, or no word would save a
            piece.
    """
    tokenizer = load_tokenizer(source)
    described = json.loads(backend(tokenizer).to_str())
    if described["model"].get("type") != "Unigram":
        raise DataError("words can be added to a Unigram tokenizer only", source=source)
    texts, _ = read_texts(places, exclude)
    counts = count_words(texts)
    words = choose_words(counts, backend(tokenizer), count)
    if not words:
        raise DataError("no word of the texts would save a piece", source=", ".join(map(str, places)))
    model = open_pretrained(source)
    encoder = encoder_of(model)
    table: torch.Tensor = encoder.get_input_embeddings().weight.data  # type: ignore[assignment]
    out.mkdir(parents=True, exist_ok=True)
    new = torch.stack([table[list(word.ids)].mean(0) for word in words])
    set_embeddings(encoder, torch.cat([table, new]), encoder.config.pad_token_id)
    if isinstance(model, RasidModel):
        model.config.encoder = {**encoder.config.to_dict(), "_name_or_path": ""}
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    extended = json.dumps(with_words(described, words, len(table)), ensure_ascii=False)
    (out / "tokenizer.json").write_text(extended, encoding="utf-8")
    cutters = {"before": backend(tokenizer), "after": Tokenizer.from_str(extended)}
    pieces = {name: _count_pieces(counts, cutter) for name, cutter in cutters.items()}
    noted = {"words": len(words), "pieces": pieces, "places": [place.name for place in places]}
    write_note(out, {**note_of_encoder(source), "vocabulary": noted})
    return noted


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Return how often texts have each word, normalised as in inference."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(match.group() for match in WORD.finditer(normalise(text).text))
    return counts


def choose_words(counts: Counter[str], tokenizer: Tokenizer, count: int) -> list[Word]:
    """Return the words that save most pieces, at most `count`, those that save most first."""
    found: list[Word] = []
    unknown = json.loads(tokenizer.to_str())["model"]["unk_id"]
    for (text, times), encoding in zip(counts.items(), _cut(list(counts), tokenizer), strict=True):
        # no piece is unknown, and no character was changed
        whole = unknown not in encoding.ids and "".join(encoding.tokens) == _SPACE + text
        if times >= _LEAST and whole and len(encoding.ids) > 1:
            found.append(Word(text, tuple(encoding.ids), times * (len(encoding.ids) - 1)))
    return sorted(found, key=lambda word: (-word.saved, word.text))[:count]


def _count_pieces(counts: Counter[str], tokenizer: Tokenizer) -> int:
    return sum(n * len(cut.ids) for n, cut in zip(counts.values(), _cut(list(counts), tokenizer), strict=True))


def _cut(words: list[str], tokenizer: Tokenizer) -> list[Any]:
    found: list[Any] = tokenizer.encode_batch(words, add_special_tokens=False)
    return found


def with_words(described: dict[str, Any], words: Sequence[Word], first: int) -> dict[str, Any]:
    """Return a Unigram tokenizer's description with more pieces, whose ids begin with `first`.

    Raises:
        DataError: where it has more pieces than that.
    """
    model = described["model"]
    vocabulary: list[list[Any]] = [list(entry) for entry in model["vocab"]]
    if len(vocabulary) > first:
        raise DataError(f"the tokenizer has {len(vocabulary)} pieces, and the model {first}")
    # ids that the model has and the tokenizer has not: never met in a text
    vocabulary += [[f"<unused{index}>", -1e4] for index in range(len(vocabulary), first)]
    for word in words:
        likelihood = sum(vocabulary[piece][1] for piece in word.ids) + _MARGIN
        vocabulary.append([_SPACE + word.text, likelihood])
    return {**described, "model": {**model, "vocab": vocabulary}}
