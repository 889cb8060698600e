"""Taggers of named entities that teach another, and sentences without labels that they tell it about.

A student learns from the mean of what several say (Hinton and others, "Distilling the Knowledge in a Neural Network",
2015; of an ensemble and on unlabelled texts as in Buciluǎ and others, "Model Compression", 2006).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence
from rasid.data.standoff import index_texts
from rasid.inference.batches import Special
from rasid.inference.loading import backend
from rasid.inference.pieces import WORD
from rasid.inference.segment import segment
from rasid.train.checkpoint import weights_of
from rasid.train.ner.bio import TAGS
from rasid.train.ner.tagger import SharedTagger
from rasid.train.ner.texts import Example, FloatArray, predict, to_texts
from rasid.train.note import note_of_encoder, with_teachers, write_note
from rasid.train.setup import load_tokenizer, open_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# In the folder of a run that kept its tagger: its scores and how it reads, and the tagger.
RESULT: Final = "benchmark.json"
_MODEL: Final = "model"
_HEAD: Final = "head.safetensors"

# Tokens as ANERcorp has them: `WORD`, but vowel marks do not part a word, nor letters from digits, nor a decimal point
# the digits around it.
_VOWELS: Final = r"\u064b-\u065f\u0670"
_TOKEN: Final = re.compile(rf"\d+(?:[.,٫٬]\d+)+|[^\W_][^\W_{_VOWELS}]*(?:[{_VOWELS}]+[^\W_]*)*|[^\w\s]|_")
_ARABIC: Final = re.compile(r"[\u0620-\u064a]")
# Of a sentence without labels, in tokens: a shorter one is a headline's scrap, a longer one was never closed.
_SHORTEST: Final = 4
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Teacher:
    """A kept tagger, and how it was taught to read.

    Args:
        folder: of its run.
        context: whether it reads sentences with those around them.
        window: the most pieces that it reads at once.
    """

    folder: Path
    context: bool
    window: int


def keep_tagger(
    model: SharedTagger,
    tokenizer: PreTrainedTokenizerBase,
    corpus: str,
    encoder: str,
    teachers: Iterable[Path],
    out: Path,
) -> None:
    """Write a tagger below the folder of its run, with a note of all that taught its encoder.

    Args:
        model: the tagger.
        tokenizer: of its encoder.
        corpus: what it has learnt.
        encoder: what it began from.
        teachers: folders of the runs that taught it.
        out: the folder of the run.
    """
    folder = out / _MODEL
    model.encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_file(weights_of(model.heads[corpus]), folder / _HEAD)
    note = with_teachers(note_of_encoder(encoder), [teacher / _MODEL for teacher in teachers])
    learnt = {corpus: {"title": PUBLIC_CORPORA[corpus].title}}
    write_note(folder, {**note, "corpora": note.get("corpora", {}) | learnt})


def open_teacher(folder: Path, corpus: str, vocabulary: Mapping[str, int]) -> Teacher:
    """Read how a kept tagger reads.

    Args:
        folder: of its run.
        corpus: what it must have learnt.
        vocabulary: the pieces that it must know, with their ids.

    Raises:
        DataError: naming the folder, where there is no kept tagger, or one of another corpus or vocabulary.
    """
    if not (folder / RESULT).is_file() or not (folder / _MODEL / _HEAD).is_file():
        raise DataError("there is no tagger here that --keep has kept", source=str(folder))
    try:
        found: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        teacher = Teacher(folder, bool(found["context"]), int(found["window"]))
        learnt, kept = found["corpus"], bool(found["kept"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"its {RESULT} does not say how the tagger reads", source=str(folder)) from None
    if not kept:
        raise DataError("its tagger is of an earlier run, for the last one was without --keep", source=str(folder))
    if learnt != corpus:
        raise DataError(f"this teacher has learnt {learnt}, not {corpus}", source=str(folder))
    if backend(load_tokenizer(str(folder / _MODEL))).get_vocab() != vocabulary:
        raise DataError("this teacher reads other pieces than the encoder", source=str(folder))
    return teacher


def load_tagger(teacher: Teacher, corpus: str) -> SharedTagger:
    """Load a kept tagger.

    Raises:
        DataError: where its encoder or its head cannot be loaded.
    """
    folder = teacher.folder / _MODEL
    model = SharedTagger(open_encoder(str(folder)), {corpus: len(TAGS)})
    try:
        model.heads[corpus].load_state_dict(load_file(folder / _HEAD))
    except (OSError, RuntimeError, SafetensorError) as error:
        message = f"its head could not be loaded: {str(error).splitlines()[0]}"
        raise DataError(message, source=str(teacher.folder)) from None
    return model


def ask(
    teachers: Sequence[Teacher],
    corpus: str,
    parts: Mapping[str, Sequence[Sequence[Example]]],
    special: Special,
    budget: int,
    *,
    quiet: bool,
) -> dict[str, FloatArray]:
    """Return what teachers say on average, each reading as it was taught to.

    Args:
        teachers: one or more.
        corpus: what they have learnt.
        parts: by any name, groups of sentences that may be read together.
        special: ids of the tokens that frame and pad a window.
        budget: the most tokens of a padded batch.
        quiet: without progress bars.

    Returns:
        By part, float32 (tokens, tags) probabilities.

    Raises:
        DataError: where a teacher cannot be loaded.
    """
    found: dict[str, FloatArray] = {}
    for number, teacher in enumerate(teachers, start=1):
        model = load_tagger(teacher, corpus)
        for name, groups in parts.items():
            label = f"teacher {number}/{len(teachers)}, {name}"
            texts = to_texts(groups, context=teacher.context)
            own = predict(model, corpus, texts, special, budget, teacher.window, label=label, quiet=quiet)
            found[name] = found[name] + own if name in found else own
    for total in found.values():
        total /= len(teachers)
    return found


def read_unlabelled(
    places: Sequence[Path], limit: int, labelled: Iterable[TaggedSentence]
) -> list[list[TaggedSentence]]:
    """Return sentences of texts without labels, cut into tokens as ANERcorp's are, by text.

    They are taken text by text in an order that depends on the texts' hashes alone; each sentence once, mostly in
    Arabic letters, neither very short nor very long.

    Args:
        places: folders and files with texts, as for stand-off labels.
        limit: the most sentences to take.
        labelled: sentences that must not be among them, compared by their words alone.

    Raises:
        DataError: where a place is not there, or no sentence is left.
    """
    seen = {_words(" ".join(sentence.tokens)) for sentence in labelled}
    groups: list[list[TaggedSentence]] = []
    left = limit
    for _, text in sorted(index_texts(*places).items()):
        group: list[TaggedSentence] = []
        for start, end in segment(text):
            tokens = tuple(_TOKEN.findall(text[start:end]))
            words = _words(text[start:end])
            arabic = len(_ARABIC.findall(text, start, end))
            if _SHORTEST <= len(tokens) <= _LONGEST and words not in seen and 2 * arabic > end - start:
                seen.add(words)
                group.append(TaggedSentence(tokens, ()))
        if group:
            groups.append(group[:left])
            left -= len(groups[-1])
        if not left:
            break
    if not groups:
        raise DataError("no sentence to learn from without labels", source=", ".join(map(str, places)))
    return groups


def _words(sentence: str) -> str:
    """Return the words of a sentence, however it is cut into tokens and whatever stands between them."""
    return " ".join(word for word in WORD.findall(sentence) if word.isalnum())
