"""An encoder with linear taggers of named entities over it: what auxiliary corpora and benchmarks train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from rasid.inference.batches import Special, by_length
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

    A piece tagged `IGNORE` is not asked about.
    """

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


def fit(
    model: SharedTagger, passages: Sequence[Passage], special: Special, optim: OptimConfig, log: Path, *, quiet: bool
) -> None:
    """Train on passages, in batches of one corpus each, on a GPU where there is one.

    Args:
        model: trained in place, and on the CPU again at the end.
        passages: what it learns from.
        special: ids of the tokens that frame and pad a passage.
        optim: `epochs`, `batch_tokens`, rates, `clip`, `precision` and `seed` are used.
        log: a file that gets a line with the loss every few steps.
        quiet: without a progress bar.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = _HALF.get(precision_of(optim.precision, device.type))
    model.to(device)
    # faster than the fused kinds on a CPU
    if device.type == "cpu":
        model.encoder.set_attn_implementation("eager")
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
            ids, mask, tags = (array.to(device) for array in to_arrays(batch, special))
            with torch.autocast(device.type, half, enabled=half is not None):
                logits = model(batch[0].corpus, ids, mask)
            loss = functional.cross_entropy(logits.float().flatten(0, 1), tags.flatten(), ignore_index=IGNORE)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), optim.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            running = 0.98 * running + 0.02 * float(loss.detach()) if step > 1 else float(loss.detach())
            if step % _LOG_EVERY == 0:
                bar.set_postfix(loss=f"{running:.2f}", refresh=False)
                append_log(log, {"step": step, "epoch": epoch + 1, "loss": round(running, 4)})
    model.to("cpu")


def _groups(passages: Sequence[Passage], budget: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield batches of passages of one corpus and like length."""
    for corpus in dict.fromkeys(passage.corpus for passage in passages):
        own = rng.permutation([i for i, passage in enumerate(passages) if passage.corpus == corpus])
        for group in by_length([len(passages[i].ids) + 2 for i in own], budget):
            yield [int(own[i]) for i in group]


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
