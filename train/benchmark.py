"""The encoder as a plain tagger of named entities, trained and scored as published work on ANERcorp is.

ANERcorp, CAMeL Lab splits (O. Obeid and others, CAMeL Tools, 2020): train on the training part, score exact spans of
PERS, ORG, LOC and MISC on the test part. There is no dev part and nothing is chosen: the last epoch is scored. The
weights are never shipped; the corpora are for benchmarks only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from accelerate.utils import set_seed
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, read_tagged
from rasid.inference.batches import Special, by_length
from rasid.inference.evaluation.counts import Counts, of_sets
from rasid.inference.loading import backend, special_tokens
from rasid.inference.windows import owners, plan_windows
from rasid.train.config import OptimConfig
from rasid.train.features import IGNORE
from rasid.train.setup import load_tokenizer, open_encoder
from rasid.train.token_tagger import Passage, SharedTagger, fit, to_arrays

if TYPE_CHECKING:
    from tokenizers import Tokenizer

KINDS: Final = ("PERS", "ORG", "LOC", "MISC")
TAGS: Final = ("O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in "BI"))
# Test parts by corpus; the released ANERcorp test has wrong first tokens, which the restored one puts back.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {"anercorp": ("test", "test-restored"), "cleananercorp": ("test",)}
Span = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence in pieces: their ids, and for each token its first piece and its tag (an index into `TAGS`)."""

    ids: tuple[int, ...]
    firsts: tuple[int, ...]
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Sentences that may be read together, one after the other.

    Args:
        ids: of all their pieces.
        tags: of each piece, an index into `TAGS`; `IGNORE` for all but the first of a token.
        lengths: the number of pieces of each sentence.
    """

    ids: NDArray[np.int64]
    tags: NDArray[np.int64]
    lengths: tuple[int, ...]


def run_benchmark(
    name: str,
    folder: Path,
    encoder: str,
    optim: OptimConfig,
    out: Path,
    *,
    window: int = 254,
    context: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train on a corpus's training part and score its test parts.

    Args:
        name: `anercorp` or `cleananercorp`.
        folder: with the corpus's files.
        encoder: a folder or a hub name.
        optim: how to train; `batch_tokens`, rates, epochs and seed are used.
        out: a folder for `benchmark.json`.
        window: the most pieces that are read at once; longer sentences are read in parts.
        context: read sentences with their neighbours in the file, as many as a window holds, not each alone.
        quiet: without a progress bar.

    Returns:
        The scores by test part: F1 micro and macro (the mean over types) and by type, in [0, 1].

    Raises:
        DataError: where the corpus or the encoder cannot be had.
    """
    if name not in TESTS:
        raise DataError(f"no such benchmark; one of {', '.join(TESTS)}", source=name)
    files = PUBLIC_CORPORA[name].files
    parts = {split: list(_read(folder / files[split])) for split in ("train", *TESTS[name])}
    set_seed(optim.seed)
    whole = load_tokenizer(encoder)
    tokenizer, special = backend(whole), special_tokens(whole)
    model = SharedTagger(open_encoder(encoder), {name: len(TAGS)})
    texts = to_texts([to_example(s, tokenizer) for s in parts["train"]], context=context)
    out.mkdir(parents=True, exist_ok=True)
    fit(model, list(to_passages(name, texts, window)), special, optim, out / "log.jsonl", quiet=quiet)
    found: dict[str, Any] = {"corpus": name, "encoder": encoder, "seed": optim.seed, "epochs": optim.epochs}
    found["context"] = context
    for split in TESTS[name]:
        examples = [to_example(s, tokenizer) for s in parts[split]]
        tags = [
            tag
            for text in to_texts(examples, context=context)
            for tag in _predict(model, name, text, special, optim.batch_tokens, window)
        ]
        predicted = list(_by_sentence(tags, examples))
        found[split] = scores_of([frozenset(s.spans) for s in parts[split]], predicted)
    (out / "benchmark.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def _read(path: Path) -> Iterator[TaggedSentence]:
    if not path.is_file():
        raise DataError("there is no such file", source=str(path))
    yield from read_tagged(path)


def to_example(sentence: TaggedSentence, tokenizer: Tokenizer) -> Example:
    """Cut a sentence's tokens into pieces; a token without a piece of its own gets the unknown one."""
    tags = [0] * len(sentence.tokens)
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


def to_texts(examples: Sequence[Example], *, context: bool) -> list[Text]:
    """Join sentences into one text, to be read together, or make each a text of its own."""
    groups = [list(examples)] if context else [[example] for example in examples]
    texts: list[Text] = []
    for group in groups:
        tags = [np.full(len(example.ids), IGNORE, dtype=np.int64) for example in group]
        for own, example in zip(tags, group, strict=True):
            own[list(example.firsts)] = example.tags
        ids = np.array([i for example in group for i in example.ids], dtype=np.int64)
        texts.append(Text(ids, np.concatenate(tags), tuple(len(example.ids) for example in group)))
    return texts


def to_passages(corpus: str, texts: Iterable[Text], window: int) -> Iterator[Passage]:
    """Cut texts into windows of whole sentences to learn from, each piece in one but for sentences that are longer."""
    for text in texts:
        for cut in plan_windows(text.lengths, window, 0.0):
            at = slice(cut.start, cut.end)
            yield Passage(corpus, tuple(text.ids[at].tolist()), tuple(text.tags[at].tolist()))


@torch.inference_mode()
def _predict(model: SharedTagger, name: str, text: Text, special: Special, budget: int, window: int) -> list[int]:
    """Return the tag of each token of a text, from the window where it has most context."""
    model.eval()
    windows = plan_windows(text.lengths, window)
    owner = owners(windows, len(text.ids))
    found = np.zeros(len(text.ids), dtype=np.int64)
    for group in by_length([len(cut) + 2 for cut in windows], budget):
        passages = [
            Passage(name, tuple(text.ids[c.start : c.end].tolist()), (IGNORE,) * len(c))
            for c in (windows[i] for i in group)
        ]
        ids, mask, _ = to_arrays(passages, special)
        best = model(name, ids, mask).argmax(-1).numpy()
        for row, index in enumerate(group):
            cut = windows[index]
            own = np.flatnonzero(owner[cut.start : cut.end] == index)
            found[cut.start + own] = best[row, own + 1]
    tags: list[int] = found[text.tags != IGNORE].tolist()
    return tags


def _by_sentence(tags: Sequence[int], examples: Iterable[Example]) -> Iterator[frozenset[Span]]:
    """Part the tags of consecutive sentences and yield the spans of each."""
    at = 0
    for example in examples:
        yield frozenset(spans_of(tags[at : at + len(example.tags)]))
        at += len(example.tags)


def spans_of(tags: Sequence[int]) -> Iterator[Span]:
    """Yield the spans of a sequence of tags, as `conlleval` reads them: an I of another type begins a span."""
    start, kind = 0, ""
    for at, tag in enumerate([*tags, 0]):
        prefix, _, own = TAGS[tag].partition("-")
        if kind and (prefix != "I" or own != kind):
            yield start, at, kind
            kind = ""
        if own and not kind:
            start, kind = at, own


def scores_of(gold: Sequence[frozenset[Span]], predicted: Sequence[frozenset[Span]]) -> dict[str, float]:
    """Return F1 over exact spans: `micro`, `macro` (mean over types) and by type."""
    by_kind = {
        kind: sum(
            (
                of_sets([s for s in left if s[2] == kind], [s for s in right if s[2] == kind])
                for left, right in zip(gold, predicted, strict=True)
            ),
            Counts(),
        )
        for kind in KINDS
    }
    found = {kind: round(counts.f1, 4) for kind, counts in by_kind.items()}
    micro = sum(by_kind.values(), Counts()).f1
    return {"micro": round(micro, 4), "macro": round(sum(found.values()) / len(found), 4), **found}
