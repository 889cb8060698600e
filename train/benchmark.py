"""The encoder as a plain tagger of named entities, trained and scored as published work on ANERcorp is.

ANERcorp, CAMeL Lab splits (O. Obeid and others, CAMeL Tools, 2020): train on the training part, score exact spans of
PERS, ORG, LOC and MISC on the test part. There is no dev part and nothing is chosen: the last epoch is scored. The
weights are never shipped; the corpora are for benchmarks only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
from rasid.inference.model import load_encoder
from rasid.train.config import OptimConfig
from rasid.train.features import IGNORE
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
    """A sentence in pieces: their ids, the token of each, and each token's tag (an index into `TAGS`)."""

    ids: tuple[int, ...]
    tokens: tuple[int, ...]
    tags: tuple[int, ...]


def run_benchmark(
    name: str, folder: Path, encoder: str, optim: OptimConfig, out: Path, *, window: int = 254, quiet: bool = False
) -> dict[str, Any]:
    """Train on a corpus's training part and score its test parts.

    Args:
        name: `anercorp` or `cleananercorp`.
        folder: with the corpus's files.
        encoder: a folder or a hub name.
        optim: how to train; `batch_tokens`, rates, epochs and seed are used.
        out: a folder for `benchmark.json`.
        window: the most pieces of a sentence that are read at once; longer ones are read in parts.
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
    tokenizer, special = _tokenizer(encoder)
    model = SharedTagger(load_encoder(encoder), {name: len(TAGS)})
    examples = [part for s in parts["train"] for part in _parts(to_example(s, tokenizer), window)]
    out.mkdir(parents=True, exist_ok=True)
    fit(model, [to_passage(name, e) for e in examples], special, optim, out / "log.jsonl", quiet=quiet)
    found: dict[str, Any] = {"corpus": name, "encoder": encoder, "seed": optim.seed, "epochs": optim.epochs}
    for split in TESTS[name]:
        found[split] = scores_of(
            [frozenset(s.spans) for s in parts[split]],
            _predict(
                model, name, [to_example(s, tokenizer) for s in parts[split]], special, optim.batch_tokens, window
            ),
        )
    (out / "benchmark.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def _read(path: Path) -> Iterator[TaggedSentence]:
    if not path.is_file():
        raise DataError("there is no such file", source=str(path))
    yield from read_tagged(path)


def _tokenizer(encoder: str) -> tuple[Tokenizer, Special]:
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(encoder, use_fast=True)
    except (OSError, ValueError) as error:
        raise DataError(f"no tokenizer could be loaded: {str(error).splitlines()[0]}", source=encoder) from None
    return backend(found), special_tokens(found)


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
    owners: list[int] = []
    for index, encoding in enumerate(tokenizer.encode_batch(list(sentence.tokens), add_special_tokens=False)):
        pieces = encoding.ids or [unknown]
        ids += pieces
        owners += [index] * len(pieces)
    return Example(tuple(ids), tuple(owners), tuple(tags))


def _parts(example: Example, window: int) -> list[Example]:
    """Cut a sentence of more than `window` pieces between tokens."""
    parts: list[Example] = []
    at = 0
    while at < len(example.ids):
        end = min(at + window, len(example.ids))
        while end < len(example.ids) and end > at + 1 and example.tokens[end] == example.tokens[end - 1]:
            end -= 1
        first = example.tokens[at]
        owners = tuple(token - first for token in example.tokens[at:end])
        parts.append(Example(example.ids[at:end], owners, example.tags[first : example.tokens[end - 1] + 1]))
        # only a token's first piece is tagged, so one longer than the window is read as far as it goes
        at = end + sum(token == example.tokens[end - 1] for token in example.tokens[end:])
    return parts


def _firsts(example: Example) -> NDArray[np.int64]:
    return np.searchsorted(np.array(example.tokens), np.arange(len(example.tags))).astype(np.int64)


def to_passage(corpus: str, example: Example) -> Passage:
    """Tag the first piece of each token and ask nothing of the others."""
    tags = np.full(len(example.ids), IGNORE, dtype=np.int64)
    tags[_firsts(example)] = example.tags
    return Passage(corpus, example.ids, tuple(tags.tolist()))


@torch.inference_mode()
def _predict(
    model: SharedTagger, name: str, examples: Sequence[Example], special: Special, budget: int, window: int
) -> list[frozenset[Span]]:
    model.eval()
    parts = [(index, part) for index, example in enumerate(examples) for part in _parts(example, window)]
    tags: list[list[list[int]]] = [[] for _ in examples]
    labelled: dict[int, list[int]] = {}
    for group in by_length([len(part.ids) + 2 for _, part in parts], budget):
        ids, mask, _ = to_arrays([to_passage(name, parts[i][1]) for i in group], special)
        best = model(name, ids, mask).argmax(-1).numpy()
        for row, index in enumerate(group):
            labelled[index] = best[row, _firsts(parts[index][1]) + 1].tolist()
    for index, (example, _) in enumerate(parts):
        tags[example].append(labelled[index])
    return [frozenset(spans_of([tag for part in found for tag in part])) for found in tags]


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
