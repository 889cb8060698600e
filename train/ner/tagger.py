"""An encoder with linear taggers of named entities over it: what auxiliary corpora and benchmarks train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from rasid.inference.batches import Special, by_length
from rasid.train.average import Average
from rasid.train.features import IGNORE
from rasid.train.log import append_log
from rasid.train.optim import make_optimizer, set_rate
from rasid.train.setup import precision_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from rasid.train.config import OptimConfig

_LOG_EVERY: Final = 10
# float16 would need its gradients scaled, and whatever has it has bfloat16 or is fast enough without
_HALF: Final = {"bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentences of one corpus that are read together: piece ids, and each piece's tag in the corpus's own scheme.

    Args:
        corpus: whose scheme it is.
        ids: of the pieces.
        tags: of each, an index; `IGNORE` where no label asks about the piece.
        soft: float32 (pieces, tags of the corpus), what teachers say of each piece as probabilities, zero where they
            are not asked; None where there are no teachers.
    """

    corpus: str
    ids: tuple[int, ...]
    tags: tuple[int, ...]
    soft: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """What keeps a tagger from learning by heart.

    Args:
        rdrop: how much it counts, beside the loss, how far apart two passes with other dropout are: the mean of both
            Kullback-Leibler divergences (Liang and others, "R-Drop", 2021); 0 for one pass.
        hide: the probability that a piece is replaced by another.
        by: the id of that other piece.
    """

    rdrop: float = 0.0
    hide: float = 0.0
    by: int = 0


NO_NOISE: Final = Noise()
# What an epoch learns from, drawn with a generator of its own.
Source = Callable[[np.random.Generator], Sequence[Passage]]


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


def fit(
    model: SharedTagger,
    source: Source,
    special: Special,
    optim: OptimConfig,
    log: Path,
    *,
    noise: Noise = NO_NOISE,
    quiet: bool,
) -> None:
    """Train on passages, in batches of one corpus each, on a GPU where there is one.

    Args:
        model: trained in place, and on the CPU again at the end, with the averaged weights where there are such.
        source: gives the passages of an epoch.
        special: ids of the tokens that frame and pad a passage.
        optim: `epochs`, `batch_tokens`, rates, `clip`, `average`, `precision` and `seed` are used.
        log: a file that gets a line with the loss every few steps.
        noise: what keeps it from learning by heart.
        quiet: without a progress bar.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = _HALF.get(precision_of(optim.precision, device.type))
    model.to(device)
    # faster than the fused kinds on a CPU
    if device.type == "cpu":
        model.encoder.set_attn_implementation("eager")
    optimizer = make_optimizer(model, optim)
    average = Average(model, optim.average) if optim.average else None
    model.train()
    log.unlink(missing_ok=True)
    step, running = 0, 0.0
    for epoch in range(optim.epochs):
        rng = np.random.default_rng([optim.seed, epoch])
        passages = source(rng)
        groups = list(_groups(passages, optim.batch_tokens, rng))
        bar = tqdm(rng.permutation(len(groups)), desc=f"epoch {epoch + 1}/{optim.epochs}", unit="batch", disable=quiet)
        for done, group in enumerate(bar):
            set_rate(optimizer, (epoch + done / len(groups)) / optim.epochs, optim.warmup)
            batch = [passages[i] for i in groups[group]]
            loss = _step(model, optimizer, batch, special, noise, half=half, clip=optim.clip)
            step += 1
            if average:
                average.update(model, step)
            running = 0.98 * running + 0.02 * loss if step > 1 else loss
            if step % _LOG_EVERY == 0:
                bar.set_postfix(loss=f"{running:.2f}", refresh=False)
                append_log(log, {"step": step, "epoch": epoch + 1, "loss": round(running, 4)})
    if average:
        model.load_state_dict(average.tensors)
    model.to("cpu")


def _step(
    model: SharedTagger,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Passage],
    special: Special,
    noise: Noise,
    *,
    half: torch.dtype | None,
    clip: float,
) -> float:
    """Learn from a batch and return its loss."""
    device = next(model.parameters()).device
    ids, mask, tags = (array.to(device) for array in to_arrays(batch, special))
    passes = 2 if noise.rdrop else 1
    ids, mask = ids.repeat(passes, 1), mask.repeat(passes, 1)
    if noise.hide:
        ids = hide(ids, mask, noise)
    with torch.autocast(device.type, half, enabled=half is not None):
        logits = model(batch[0].corpus, ids, mask)
    found = logits.float().log_softmax(-1).chunk(passes)
    targets = to_targets(tags, _soft_labels(batch, found[0].shape).to(device))
    asked = targets.sum().clamp(min=1.0)
    loss = torch.stack([-(targets * own).sum() / asked for own in found]).mean()
    if noise.rdrop:
        loss = loss + noise.rdrop * apart(found[0], found[1])[targets.sum(-1) > 0].sum() / (2 * asked)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def hide(ids: Tensor, mask: Tensor, noise: Noise) -> Tensor:
    """Return int64 (B, T) framed ids with some of the pieces, never of the frame or padding, replaced."""
    at = torch.arange(ids.shape[1], device=ids.device)
    inside = (at > 0) & (at < mask.sum(1, keepdim=True) - 1)
    return torch.where(inside & (torch.rand(ids.shape, device=ids.device) < noise.hide), noise.by, ids)


def to_targets(tags: Tensor, soft: Tensor) -> Tensor:
    """Return what a tagger should say.

    Args:
        tags: int64 (B, T), labels, `IGNORE` where there is none.
        soft: float32 (B, T, tags), what teachers say, zero where they are not asked.

    Returns:
        float32 (B, T, tags): the label, or what teachers say, or where there are both the mean of the two; zero where
        there is neither.
    """
    hard = functional.one_hot(tags.clamp(min=0), soft.shape[-1]).to(soft.dtype)
    hard = hard * (tags != IGNORE)[..., None]
    total = hard + soft
    return total / total.sum(-1, keepdim=True).round().clamp(min=1.0)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """Return (…) the sum of both Kullback-Leibler divergences between (…, classes) log-probabilities."""
    return ((one.exp() - other.exp()) * (one - other)).sum(-1)


def _groups(passages: Sequence[Passage], budget: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield batches of passages of one corpus and like length."""
    for corpus in dict.fromkeys(passage.corpus for passage in passages):
        own = rng.permutation([i for i, passage in enumerate(passages) if passage.corpus == corpus])
        for group in by_length([len(passages[i].ids) + 2 for i in own], budget):
            yield [int(own[i]) for i in group]


def _soft_labels(batch: Sequence[Passage], shape: Sequence[int]) -> Tensor:
    """Return what teachers say of a batch, float32 (B, T, tags), zero where they are not asked."""
    soft = np.zeros(tuple(shape), dtype=np.float32)
    for row, passage in enumerate(batch):
        if passage.soft is not None:
            soft[row, 1 : len(passage.ids) + 1] = passage.soft
    return torch.from_numpy(soft)


def to_arrays(batch: Sequence[Passage], special: Special) -> tuple[Tensor, Tensor, Tensor]:
    """Return framed ids, attention mask and tags, each int64 (B, T), padded."""
    width = max(len(passage.ids) for passage in batch) + 2
    ids = np.full((len(batch), width), special.pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    tags = np.full_like(ids, IGNORE)
    for row, passage in enumerate(batch):
        length = len(passage.ids)
        ids[row, : length + 2] = [special.first, *passage.ids, special.last]
        mask[row, : length + 2] = 1
        tags[row, 1 : length + 1] = passage.tags
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(tags)
