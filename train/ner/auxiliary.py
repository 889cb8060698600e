"""The encoder taught the named entities of public corpora, before it learns the project's own labels.

Each corpus keeps its own types, under a head of its own over the shared encoder (multi-task learning as in Caruana,
1997; an intermediate task as in Phang, Févry and Bowman, 2018); the heads are then thrown away. What comes out is a
folder like that of `rasid train base`, with a note of what it learnt from, which goes on into the card of every model
trained from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from accelerate.utils import set_seed
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, detokenise, longest, read_tagged
from rasid.inference.loading import backend, special_tokens
from rasid.inference.pieces import to_pieces
from rasid.train.ner.tagger import Passage, SharedTagger, fit
from rasid.train.note import note_of_encoder, write_note
from rasid.train.setup import load_tokenizer, open_encoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rasid.train.config import OptimConfig

# Corpora that only ever serve to be scored on.
BENCHMARKS: Final = frozenset({"anercorp", "cleananercorp"})


def train_auxiliary(
    corpora: Mapping[str, Path], encoder: str, optim: OptimConfig, out: Path, *, window: int = 254, quiet: bool = False
) -> dict[str, Any]:
    """Teach an encoder the entities of public corpora and write it to a folder.

    Args:
        corpora: the folder of each, by its name in `rasid.data.public.PUBLIC_CORPORA`; every split is learnt.
        encoder: a folder or a hub name.
        optim: how to train; `batch_tokens`, rates, epochs and seed are used.
        out: the folder to write.
        window: the most pieces of consecutive sentences that are read together.
        quiet: without a progress bar.

    Returns:
        What is noted beside the encoder: corpora with their titles, sentences and pieces, and how it was trained.

    Raises:
        DataError: where a corpus is unknown, kept for benchmarks, or not there, or the encoder is not.
    """
    for name in corpora:
        if name not in PUBLIC_CORPORA or name in BENCHMARKS:
            known = ", ".join(sorted(set(PUBLIC_CORPORA) - BENCHMARKS))
            raise DataError(f"no corpus to learn from by that name; one of {known}", source=name)
    sentences = {name: list(_read(name, folder)) for name, folder in corpora.items()}
    set_seed(optim.seed)
    tokenizer = load_tokenizer(encoder)
    model = SharedTagger(open_encoder(encoder), {name: len(tags_of(name)) for name in corpora})
    passages = [p for name in corpora for p in to_passages(name, sentences[name], backend(tokenizer), window)]
    out.mkdir(parents=True, exist_ok=True)
    fit(model, lambda _: passages, special_tokens(tokenizer), optim, out / "log.jsonl", quiet=quiet)
    model.encoder.save_pretrained(out)
    tokenizer.save_pretrained(out)
    learnt = note_of_encoder(encoder)
    note = {
        **learnt,
        "corpora": learnt.get("corpora", {})
        | {
            name: {
                "title": PUBLIC_CORPORA[name].title,
                "sentences": len(sentences[name]),
                "pieces": sum(len(p.ids) for p in passages if p.corpus == name),
            }
            for name in corpora
        },
        "epochs": optim.epochs,
        "lr": optim.lr,
        "seed": optim.seed,
    }
    write_note(out, note)
    return note


def _read(name: str, folder: Path) -> Iterator[TaggedSentence]:
    for file in PUBLIC_CORPORA[name].files.values():
        path = folder / file
        if not path.is_file():
            raise DataError("there is no such file", source=str(path))
        yield from read_tagged(path)


def tags_of(corpus: str) -> tuple[str, ...]:
    """Return the BIO tags of a corpus's own types, O first."""
    known = PUBLIC_CORPORA[corpus]
    types = sorted(known.actors | known.locations | known.others)
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


def to_passages(
    corpus: str, sentences: Iterable[TaggedSentence], tokenizer: Tokenizer, window: int
) -> Iterator[Passage]:
    """Join consecutive sentences into passages of at most `window` pieces; a longer sentence is read in parts."""
    ids: list[int] = []
    tags: list[int] = []
    for sentence in sentences:
        own_ids, own_tags = _tag_pieces(corpus, sentence, tokenizer)
        if ids and len(ids) + len(own_ids) > window:
            yield Passage(corpus, tuple(ids), tuple(tags))
            ids, tags = [], []
        ids += own_ids
        tags += own_tags
        while len(ids) > window:
            yield Passage(corpus, tuple(ids[:window]), tuple(tags[:window]))
            ids, tags = ids[window:], tags[window:]
    if ids:
        yield Passage(corpus, tuple(ids), tuple(tags))


def _tag_pieces(corpus: str, sentence: TaggedSentence, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return a sentence's pieces, cut from its text as in inference, and their tags; of nested spans the longest."""
    known = PUBLIC_CORPORA[corpus]
    text, bounds = detokenise(sentence.tokens, known.clitics_split)
    pieces = to_pieces(text, [(0, len(text))], tokenizer)
    index = {tag: number for number, tag in enumerate(tags_of(corpus))}
    tags = np.zeros(len(pieces.ids), dtype=np.int64)
    kinds = {(first, last): kind for first, last, kind in sentence.spans}
    for first, last in longest(kinds):
        kind = kinds[first, last]
        if f"B-{kind}" not in index:
            raise DataError(f"the type {kind!r} is unknown", source=corpus)
        words = _words(bounds[first][0], bounds[last - 1][1], pieces.starts[:, 0], pieces.ends)
        at = np.flatnonzero((pieces.words >= words[0]) & (pieces.words < words[1]))
        tags[at] = index[f"I-{kind}"]
        tags[at[:1]] = index[f"B-{kind}"]
    return pieces.ids.tolist(), tags.tolist()


def _words(start: int, end: int, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[int, int]:
    """Return the words that a span of characters touches, `[first, last)`."""
    return int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(starts, end, side="left"))
