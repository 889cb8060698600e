"""Averaged weights: evaluated and saved in place of the last step's."""

from __future__ import annotations

import torch
from torch import nn


class Average:
    """An exponential moving average of the weights, warmed up so that early steps do not linger."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin from the model's weights."""
        self.decay = decay
        self.tensors = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after a step; what is no fraction is taken as it is."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.tensors[name].lerp_(value.detach(), 1 - decay)
            else:
                self.tensors[name].copy_(value)


class swapped:  # noqa: N801 - reads as a verb where it is used
    """Let the model have the averaged weights inside the block."""

    def __init__(self, model: nn.Module, average: Average | None) -> None:
        """Note what to swap; nothing is where there is no average."""
        self._model = model
        self._average = average

    def __enter__(self) -> None:
        """Put the averaged weights in."""
        if self._average:
            self._own = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
            self._model.load_state_dict(self._average.tensors)

    def __exit__(self, *_: object) -> None:
        """Put the model's own back."""
        if self._average:
            self._model.load_state_dict(self._own)
