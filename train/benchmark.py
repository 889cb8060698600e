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
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, read_tagged
from rasid.inference.batches import Special, by_length
from rasid.inference.evaluation.counts import Counts, of_sets
from rasid.inference.loading import backend, special_tokens
from rasid.inference.model import load_encoder
from rasid.train.config import OptimConfig
from rasid.train.optim import make_optimizer, set_rate

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

KINDS: Final = ("PERS", "ORG", "LOC", "MISC")
TAGS: Final = ("O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in "BI"))
# Test parts by corpus; the released ANERcorp test has wrong first tokens, which the restored one puts back.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {"anercorp": ("test", "test-restored"), "cleananercorp": ("test",)}
_IGNORE: Final = -100
Span = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence in pieces: their ids, the token of each, and each token's tag (an index into `TAGS`)."""

    ids: tuple[int, ...]
    tokens: tuple[int, ...]
    tags: tuple[int, ...]


class TokenTagger(nn.Module):
    """An encoder with one linear layer over its states."""

    def __init__(self, encoder: PreTrainedModel, dropout: float = 0.1) -> None:
        """Put a random layer on the encoder."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.tag = nn.Linear(encoder.config.hidden_size, len(TAGS))
        nn.init.normal_(self.tag.weight, std=0.02)
        nn.init.zeros_(self.tag.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits (B, T, tags) for int64 (B, T) ids and mask."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits: Tensor = self.tag(self.dropout(states))
        return logits


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
    model = TokenTagger(load_encoder(encoder))
    examples = [part for s in parts["train"] for part in _parts(to_example(s, tokenizer), window)]
    _train(model, examples, special, optim, quiet)
    found: dict[str, Any] = {"corpus": name, "encoder": encoder, "seed": optim.seed, "epochs": optim.epochs}
    for split in TESTS[name]:
        found[split] = scores_of(
            [frozenset(s.spans) for s in parts[split]],
            _predict(model, [to_example(s, tokenizer) for s in parts[split]], special, optim.batch_tokens, window),
        )
    out.mkdir(parents=True, exist_ok=True)
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


def _arrays(batch: Sequence[Example], special: Special) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, attention mask and tags (at the first piece of each token), padded to (B, T)."""
    width = max(len(example.ids) for example in batch) + 2
    ids = np.full((len(batch), width), special.pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    tags = np.full_like(ids, _IGNORE)
    for row, example in enumerate(batch):
        length = len(example.ids)
        ids[row, : length + 2] = [special.first, *example.ids, special.last]
        mask[row, : length + 2] = 1
        for token, place in enumerate(_firsts(example)):
            tags[row, place + 1] = example.tags[token]
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(tags)


def _firsts(example: Example) -> NDArray[np.int64]:
    return np.searchsorted(np.array(example.tokens), np.arange(len(example.tags))).astype(np.int64)


def _train(model: TokenTagger, examples: Sequence[Example], special: Special, optim: OptimConfig, quiet: bool) -> None:
    optimizer = make_optimizer(model, optim)
    model.train()
    for epoch in range(optim.epochs):
        rng = np.random.default_rng([optim.seed, epoch])
        shuffled = rng.permutation(len(examples))
        groups = by_length([len(examples[i].ids) + 2 for i in shuffled], optim.batch_tokens)
        bar = tqdm(rng.permutation(len(groups)), desc=f"epoch {epoch + 1}/{optim.epochs}", unit="batch", disable=quiet)
        for step, group in enumerate(bar):
            set_rate(optimizer, (epoch + step / len(groups)) / optim.epochs, optim.warmup)
            ids, mask, tags = _arrays([examples[int(shuffled[i])] for i in groups[group]], special)
            loss = functional.cross_entropy(model(ids, mask).flatten(0, 1), tags.flatten(), ignore_index=_IGNORE)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), optim.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


@torch.inference_mode()
def _predict(
    model: TokenTagger, examples: Sequence[Example], special: Special, budget: int, window: int
) -> list[frozenset[Span]]:
    model.eval()
    parts = [(index, part) for index, example in enumerate(examples) for part in _parts(example, window)]
    tags: list[list[list[int]]] = [[] for _ in examples]
    labelled: dict[int, list[int]] = {}
    for group in by_length([len(part.ids) + 2 for _, part in parts], budget):
        ids, mask, _ = _arrays([parts[i][1] for i in group], special)
        best = model(ids, mask).argmax(-1).numpy()
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
