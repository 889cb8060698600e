"""Sentences of a corpus of named entities as a tagger reads them: in pieces, alone or with those around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from rasid.data.errors import DataError
from rasid.data.public import TaggedSentence
from rasid.inference.batches import Special, by_length
from rasid.inference.windows import owners, plan_windows
from rasid.train.features import IGNORE
from rasid.train.ner.bio import KINDS, TAGS
from rasid.train.ner.tagger import Passage, SharedTagger, Source, to_arrays

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FloatArray = NDArray[np.float32]

# So many places there are for the first cut of a text: about as many as a window holds sentences.
_CUTS: Final = 8


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence in pieces: their ids, and for each token its first piece and its tag.

    A tag is an index into `TAGS`, or `IGNORE` in a sentence without labels.
    """

    ids: tuple[int, ...]
    firsts: tuple[int, ...]
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Sentences that may be read together, one after the other.

    Args:
        ids: int64 (pieces,), of all their pieces.
        firsts: bool (pieces,), whether a token begins there.
        tags: int64 (pieces,), an index into `TAGS`; `IGNORE` for all but the first piece of a token with a label.
        lengths: the number of pieces of each sentence.
        soft: float32 (pieces, tags), what teachers say of the first piece of each token, zero elsewhere; or None.
    """

    ids: NDArray[np.int64]
    firsts: NDArray[np.bool_]
    tags: NDArray[np.int64]
    lengths: tuple[int, ...]
    soft: FloatArray | None = None


def to_example(sentence: TaggedSentence, tokenizer: Tokenizer, *, labelled: bool = True) -> Example:
    """Cut a sentence's tokens into pieces; a token without a piece of its own gets the unknown one.

    Raises:
        DataError: where a span is of a type that the benchmarks do not have.
    """
    tags = [0 if labelled else IGNORE] * len(sentence.tokens)
    for first, last, kind in sentence.spans:
        if kind not in KINDS:
            raise DataError(f"the type {kind!r} is none of {', '.join(KINDS)}")
        tags[first:last] = [TAGS.index(f"I-{kind}")] * (last - first)
        tags[first] = TAGS.index(f"B-{kind}")
    unknown = next((i for t in ("<unk>", "[UNK]") if (i := tokenizer.token_to_id(t)) is not None), 0)
    ids: list[int] = []
    firsts: list[int] = []
    for encoding in tokenizer.encode_batch(list(sentence.tokens), add_special_tokens=False):
        firsts.append(len(ids))
        ids += encoding.ids or [unknown]
    return Example(tuple(ids), tuple(firsts), tuple(tags))


def to_texts(
    groups: Iterable[Sequence[Example]], *, context: bool, probabilities: FloatArray | None = None
) -> list[Text]:
    """Join the sentences of each group into one text, to be read together, or make each a text of its own.

    Args:
        groups: consecutive sentences; no group is empty.
        context: whether they are read together.
        probabilities: (tokens, tags), what teachers say of the tokens of all groups.
    """
    texts: list[Text] = []
    at = 0
    together = groups if context else ([example] for own in groups for example in own)
    for group in together:
        ids = np.array([i for example in group for i in example.ids], dtype=np.int64)
        lengths = tuple(len(example.ids) for example in group)
        starts = accumulate(lengths, initial=0)
        places = [start + first for start, example in zip(starts, group, strict=False) for first in example.firsts]
        firsts = np.zeros(len(ids), dtype=np.bool_)
        firsts[places] = True
        tags = np.full(len(ids), IGNORE, dtype=np.int64)
        tags[places] = [tag for example in group for tag in example.tags]
        soft = None
        if probabilities is not None:
            soft = np.zeros((len(ids), probabilities.shape[1]), dtype=np.float32)
            soft[places] = probabilities[at : at + len(places)]
            at += len(places)
        texts.append(Text(ids, firsts, tags, lengths, soft))
    return texts


def to_passages(
    corpus: str, texts: Iterable[Text], window: int, rng: np.random.Generator | None = None
) -> Iterator[Passage]:
    """Cut texts into windows of whole sentences to learn from, each piece in one but for sentences that are longer.

    Args:
        corpus: whose tags they have.
        texts: to cut.
        window: the most pieces of a passage.
        rng: what draws after which sentence a text that is longer than a window is cut first; None for as late as
            can be.
    """
    for text in texts:
        long = len(text.ids) > window
        first = int(rng.integers(min(len(text.lengths), _CUTS))) if rng is not None and long else 0
        begin = sum(text.lengths[:first])
        for offset, lengths in ((0, text.lengths[:first]), (begin, text.lengths[first:])):
            for cut in plan_windows(lengths, window, 0.0):
                at = slice(offset + cut.start, offset + cut.end)
                soft = None if text.soft is None else text.soft[at]
                yield Passage(corpus, tuple(text.ids[at].tolist()), tuple(text.tags[at].tolist()), soft)


def passages_of(corpus: str, texts: Sequence[Text], others: Sequence[Text], window: int) -> Source:
    """Return what gives an epoch its passages: those of texts, cut anew, and as many of other texts, drawn anew."""

    def draw(rng: np.random.Generator) -> list[Passage]:
        own = list(to_passages(corpus, texts, window, rng))
        more = list(to_passages(corpus, others, window, rng))
        chosen = rng.choice(len(more), min(len(more), len(own)), replace=False) if more else ()
        return own + [more[i] for i in chosen]

    return draw


@torch.inference_mode()
def predict(
    model: SharedTagger,
    corpus: str,
    texts: Sequence[Text],
    special: Special,
    budget: int,
    window: int,
    *,
    label: str = "reading",
    quiet: bool,
) -> FloatArray:
    """Return what a tagger says of each token, from the window where it has most context.

    Args:
        model: on the CPU, where it is again at the end.
        corpus: whose tags are asked for.
        texts: to read.
        special: ids of the tokens that frame and pad a window.
        budget: the most tokens of a padded batch.
        window: the most pieces that are read at once.
        label: of the progress bar.
        quiet: without a progress bar.

    Returns:
        float32 (tokens, tags), probabilities of the tokens of all texts one after the other.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    passages: list[Passage] = []
    places: list[NDArray[np.int64]] = []  # of the pieces that a passage speaks for, among those of all texts
    asked: list[NDArray[np.int64]] = []  # and in the padded row
    offset = 0
    for text in texts:
        windows = plan_windows(text.lengths, window)
        owner = owners(windows, len(text.ids))
        for index, cut in enumerate(windows):
            own = np.flatnonzero((owner[cut.start : cut.end] == index) & text.firsts[cut.start : cut.end])
            passages.append(Passage(corpus, tuple(text.ids[cut.start : cut.end].tolist()), (IGNORE,) * len(cut)))
            places.append(offset + cut.start + own)
            asked.append(own + 1)
        offset += len(text.ids)
    found = np.zeros((offset, len(TAGS)), dtype=np.float32)
    groups = by_length([len(passage.ids) + 2 for passage in passages], budget)
    for group in tqdm(groups, desc=label, unit="batch", disable=quiet):
        ids, mask, _ = (array.to(device) for array in to_arrays([passages[i] for i in group], special))
        batch = model(corpus, ids, mask).float().softmax(-1).cpu().numpy()
        for row, index in enumerate(group):
            found[places[index]] = batch[row, asked[index]]
    model.to("cpu")
    kept: FloatArray = found[np.concatenate([text.firsts for text in texts])] if texts else found
    return kept
