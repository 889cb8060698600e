"""The loss of each head, and their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rasid.inference.layout import COLUMNS_OF_TYPE, MODE_COLUMNS, gap_columns
from rasid.inference.model import Logits
from rasid.train.features import IGNORE, TrainingBatch


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each head's loss counts in the sum.

    Args:
        mention: cross-entropy of the ACTOR and LOCATION layers, a mean over pieces.
        proclitic: cross-entropy, a mean over mentions.
        sector: cross-entropy, a mean over mentions.
        event: binary cross-entropy, summed over types, a mean over sentences.
        mode: binary cross-entropy, summed over the modes of the gold type, a mean over events.
        role: cross-entropy, a mean over pairs of event and mention.
        focus: not a weight, but how little event types count that a sentence lacks and the network hardly sees in it:
            their loss is multiplied by their probability to this power (the asymmetric loss of Ridnik and others,
            2021); 0 for plain binary cross-entropy.
    """

    mention: float = 1.0
    proclitic: float = 0.2
    sector: float = 0.3
    event: float = 0.5
    mode: float = 0.2
    role: float = 0.5
    focus: float = 0.0


def losses(logits: Logits, labels: TrainingBatch, focus: float = 0.0) -> dict[str, Tensor]:
    """Return the loss of each head, as scalars, under the names of `LossWeights`, whose `focus` is given."""
    device = logits.actor.device

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array, device=device)

    zero = logits.actor.sum() * 0.0
    layers = [
        _cross_entropy(getattr(logits, name).flatten(0, 1), tensor(getattr(labels, name)).flatten(), zero)
        for name in ("actor", "location")
    ]
    proclitic = _cross_entropy(logits.proclitic.flatten(0, 1), tensor(labels.proclitic).flatten(), zero)
    event = _event_loss(logits.event.float(), tensor(labels.event), focus)
    present = tensor(labels.event_mask)
    found = {
        "mention": layers[0] + layers[1],
        "proclitic": proclitic,
        "event": event.sum(-1)[present].mean(),
        "sector": zero,
        "mode": zero,
        "role": zero,
    }
    spans = tensor(labels.spans)
    if len(spans):
        found["sector"] = _cross_entropy(span_mean(logits.sector, spans), tensor(labels.sectors), zero)
    if len(labels.events):
        found["mode"] = mode_loss(logits.mode, tensor(labels.events), tensor(labels.modes))
    if len(labels.pairs):
        found["role"] = _role_loss(logits, spans, tensor(labels.pairs))
    return found


def total(parts: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """Return the weighted sum of the losses."""
    return torch.stack([part * getattr(weights, name) for name, part in parts.items()]).sum()


def _event_loss(logits: Tensor, wanted: Tensor, focus: float) -> Tensor:
    """Return the loss of each sentence and type."""
    loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return torch.where(wanted > 0.5, loss, loss * torch.sigmoid(logits) ** focus) if focus else loss


def span_mean(values: Tensor, spans: Tensor) -> Tensor:
    """Average per-token values over spans.

    Args:
        values: (B, T, …).
        spans: int64 (n, 3): row, first token, one past the last.

    Returns:
        (n, …).
    """
    sums = functional.pad(values.float().cumsum(1), (0, 0) * (values.dim() - 2) + (1, 0))
    row, first, last = spans.unbind(1)
    length = (last - first).view(-1, *[1] * (values.dim() - 2))
    return (sums[row, last] - sums[row, first]) / length


def _cross_entropy(logits: Tensor, labels: Tensor, zero: Tensor) -> Tensor:
    if not bool((labels != IGNORE).any()):
        return zero
    return functional.cross_entropy(logits.float(), labels, ignore_index=IGNORE)


def mode_loss(mode: Tensor, events: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss of the modes of events (row, slot, type) against probabilities (events, modes)."""
    row, slot, kind = events.unbind(1)
    loss = functional.binary_cross_entropy_with_logits(mode[row, slot].float(), wanted, reduction="none")
    return (loss * _allowed(mode.device)[kind]).sum(-1).mean()


def _allowed(device: torch.device) -> Tensor:
    """Return (types, modes), True for the columns of each type."""
    allowed = torch.zeros(len(COLUMNS_OF_TYPE), len(MODE_COLUMNS), dtype=torch.bool, device=device)
    for index, columns in enumerate(COLUMNS_OF_TYPE):
        allowed[index, list(columns)] = True
    return allowed


def _role_loss(logits: Logits, spans: Tensor, pairs: Tensor) -> Tensor:
    return functional.cross_entropy(role_scores(logits, spans, pairs), pairs[:, 5])


def role_scores(logits: Logits, spans: Tensor, pairs: Tensor) -> Tensor:
    """Return logits (pairs, roles + 1) of pairs (mention, row, slot, type, distance column, …)."""
    mention, row, slot, kind, distance = pairs[:, :5].unbind(1)
    states = span_mean(logits.token_role, spans)[mention]
    events = logits.event_role[row, slot, kind].float()
    gaps = spans[mention, 1] - logits.event_at[row, slot, kind].detach().float()
    columns = torch.from_numpy(gap_columns(gaps.cpu().numpy())).to(gaps.device)
    return torch.einsum("prk,pk->pr", states, events) + (logits.role_bias[distance] + logits.gap_bias[columns]).float()
