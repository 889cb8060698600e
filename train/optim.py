"""The optimiser's groups and rate, and its state as plain tensors that can be kept without pickle."""

from __future__ import annotations

import re
from typing import Final

import torch
from torch import Tensor, nn

from rasid.train.config import OptimConfig

_LAYER: Final = re.compile(r"encoder\..*?\blayers?\.(\d+)\.")


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """Return AdamW with layer-wise rates: the heads' own, the encoder's falling from its top layer to its embeddings.

    Layer-wise decay as in Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018).
    """
    layers = 1 + max((int(m[1]) for name, _ in model.named_parameters() if (m := _LAYER.match(name))), default=-1)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        match = _LAYER.match(name)
        if not name.startswith("encoder."):
            rate = config.head_lr
        else:
            depth = layers - int(match[1]) - 1 if match else layers
            rate = config.lr * config.layer_decay**depth
        decay = config.weight_decay if parameter.dim() > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        fused=True,
    )


def set_rate(optimizer: torch.optim.Optimizer, progress: float, warmup: float) -> float:
    """Set each group's rate for a progress in [0, 1]: linearly up to its peak, then linearly down to zero.

    Returns:
        The factor by which the peaks were multiplied.
    """
    factor = progress / warmup if progress < warmup else max(0.0, (1.0 - progress) / max(1.0 - warmup, 1e-9))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return factor


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as tensors named `INDEX.KEY`, for safetensors."""
    found: dict[str, Tensor] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            found[f"{index}.{key}"] = torch.as_tensor(value).detach().cpu().clone().contiguous()
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put a state that `optimizer_tensors` returned back."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    whole = optimizer.state_dict()
    whole["state"] = state
    optimizer.load_state_dict(whole)
