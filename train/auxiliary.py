"""The encoder taught the named entities of public corpora, before it learns the project's own labels.

Each corpus keeps its own types, under a head of its own over the shared encoder (multi-task learning as in Caruana,
1997; an intermediate task as in Phang, Févry and Bowman, 2018); the heads are then thrown away. What comes out is a
folder like that of `rasid train base`, with a note of what it learnt from, which goes on into the card of every model
trained from it.
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
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, detokenise, longest, read_tagged
from rasid.inference.batches import Special, by_length
from rasid.inference.loading import backend, special_tokens
from rasid.inference.model import load_encoder
from rasid.inference.pieces import to_pieces
from rasid.train.optim import make_optimizer, set_rate

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

    from rasid.train.config import OptimConfig

# What an encoder folder says of the corpora behind it.
NOTE: Final = "auxiliary.json"
# Corpora that only ever serve to be scored on.
BENCHMARKS: Final = frozenset({"anercorp", "cleananercorp"})
_IGNORE: Final = -100
_LOG_EVERY: Final = 10


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentences of one corpus that are read together: piece ids, and each piece's tag in the corpus's own scheme."""

    corpus: str
    ids: tuple[int, ...]
    tags: tuple[int, ...]


class SharedTagger(nn.Module):
    """An encoder with one linear layer over its states for each corpus."""

    def __init__(self, encoder: PreTrainedModel, sizes: Mapping[str, int], dropout: float = 0.1) -> None:
        """Put random layers on the encoder, of so many tags by corpus."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(encoder.config.hidden_size, n) for name, n in sizes.items()})
        for head in self.heads.values():
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def forward(self, corpus: str, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits (B, T, tags of the corpus) for int64 (B, T) ids and mask."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits: Tensor = self.heads[corpus](self.dropout(states))
        return logits


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
        DataError: where a corpus is unknown, kept for benchmarks, or not there.
    """
    from transformers import AutoTokenizer

    for name in corpora:
        if name not in PUBLIC_CORPORA or name in BENCHMARKS:
            known = ", ".join(sorted(set(PUBLIC_CORPORA) - BENCHMARKS))
            raise DataError(f"no corpus to learn from by that name; one of {known}", source=name)
    sentences = {name: list(_read(name, folder)) for name, folder in corpora.items()}
    set_seed(optim.seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder, use_fast=True)
        model = SharedTagger(load_encoder(encoder), {name: len(tags_of(name)) for name in corpora})
    except (OSError, ValueError) as error:
        raise DataError(f"no encoder could be loaded: {str(error).splitlines()[0]}", source=encoder) from None
    passages = [p for name in corpora for p in to_passages(name, sentences[name], backend(tokenizer), window)]
    out.mkdir(parents=True, exist_ok=True)
    _train(model, passages, special_tokens(tokenizer), optim, out / "log.jsonl", quiet)
    model.encoder.save_pretrained(out)
    tokenizer.save_pretrained(out)
    before = Path(encoder) / NOTE
    learnt: dict[str, Any] = json.loads(before.read_text(encoding="utf-8")) if before.is_file() else {}
    note = {
        "encoder": learnt.get("encoder", Path(encoder).name),
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
    (out / NOTE).write_text(json.dumps(note, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
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


def _train(
    model: SharedTagger, passages: Sequence[Passage], special: Special, optim: OptimConfig, log: Path, quiet: bool
) -> None:
    optimizer = make_optimizer(model, optim)
    model.train()
    log.unlink(missing_ok=True)
    step, running = 0, 0.0
    for epoch in range(optim.epochs):
        rng = np.random.default_rng([optim.seed, epoch])
        groups = list(_groups(passages, optim.batch_tokens, rng))
        bar = tqdm(rng.permutation(len(groups)), desc=f"epoch {epoch + 1}/{optim.epochs}", unit="batch", disable=quiet)
        for done, group in enumerate(bar):
            set_rate(optimizer, (epoch + done / len(groups)) / optim.epochs, optim.warmup)
            batch = [passages[i] for i in groups[group]]
            ids, mask, tags = _arrays(batch, special)
            logits = model(batch[0].corpus, ids, mask)
            loss = functional.cross_entropy(logits.flatten(0, 1), tags.flatten(), ignore_index=_IGNORE)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), optim.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            running = 0.98 * running + 0.02 * float(loss.detach()) if step > 1 else float(loss.detach())
            if step % _LOG_EVERY == 0:
                bar.set_postfix(loss=f"{running:.2f}", refresh=False)
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"step": step, "epoch": epoch + 1, "loss": round(running, 4)}) + "\n")


def _groups(passages: Sequence[Passage], budget: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield batches of passages of one corpus and like length."""
    for corpus in dict.fromkeys(passage.corpus for passage in passages):
        own = rng.permutation([i for i, passage in enumerate(passages) if passage.corpus == corpus])
        for group in by_length([len(passages[i].ids) + 2 for i in own], budget):
            yield [int(own[i]) for i in group]


def _arrays(batch: Sequence[Passage], special: Special) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, attention mask and tags, padded to (B, T)."""
    width = max(len(passage.ids) for passage in batch) + 2
    ids = np.full((len(batch), width), special.pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    tags = np.full_like(ids, _IGNORE)
    for row, passage in enumerate(batch):
        length = len(passage.ids)
        ids[row, : length + 2] = [special.first, *passage.ids, special.last]
        mask[row, : length + 2] = 1
        tags[row, 1 : length + 1] = passage.tags
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(tags)
