"""The training configuration: a TOML file checked against frozen values."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from rasid.data.errors import DataError
from rasid.train.augment import Augmentation
from rasid.train.losses import LossWeights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The value of `encoder` that stands for the encoder which `rasid train base` builds from the registry.
RASID_BASE: Final = "rasid-base"
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained.

    Args:
        encoder: `rasid-base`, or a folder or hub name: of an encoder, or of a trained tagger, whose encoder is taken.
        heads: whether to begin with the heads of that tagger too, not with new ones.
        window: the most pieces that the model reads at once.
        role_size: width of the space in which mentions and events meet.
        layers: of the encoder, that many are kept, evenly spaced; 0 for all.
        dropout: inside the encoder.
        head_dropout: before the heads.
    """

    encoder: str = RASID_BASE
    heads: bool = False
    window: int = 254
    role_size: int = 128
    layers: int = 0
    dropout: float = 0.0
    head_dropout: float = 0.1


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What it is trained on; paths are relative to the configuration file.

    Args:
        train: labelled files and folders to learn from.
        dev: labelled files and folders to choose the best epoch and the event threshold on.
        texts: folders with the texts of stand-off labels.
        exclude: JSON-lines files, whole or stand-off, whose texts must not be learnt from: to do so is an error.
        only: learn only from articles whose id fits one of these patterns (`pilot-*`); empty for all.
        fraction: share of those to learn from, chosen by a hash of the text: a smaller share lies in a larger one.
    """

    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    fraction: float = 1.0


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """How it is trained.

    Args:
        epochs: passes over the data.
        batch_tokens: the most tokens of a padded batch.
        lr: peak learning rate of the encoder's top layer.
        head_lr: of the heads.
        layer_decay: factor of the rate from each layer to the one below.
        weight_decay: of AdamW, on matrices only.
        warmup: share of the steps with a rising rate; it then falls linearly to zero.
        clip: largest norm of the gradient.
        average: decay of the moving average of the weights that is evaluated and saved; 0 for none.
        patience: epochs without a better dev score before training stops; 0 for never.
        evaluate_from: the first epoch (from 1) after which dev is scored.
        precision: auto, fp32, bf16 or fp16.
        seed: of everything random.
    """

    epochs: int = 8
    batch_tokens: int = 2048
    lr: float = 2e-4
    head_lr: float = 1e-3
    layer_decay: float = 0.95
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    average: float = 0.0
    patience: int = 3
    evaluate_from: int = 2
    precision: str = "auto"
    seed: int = 13


@dataclass(frozen=True, slots=True)
class DistilConfig:
    """Whom else it learns from; paths are relative to the configuration file.

    Args:
        teachers: folders of trained models, whose mean is learnt from; one may have another tokenizer, and is then
            understood word by word. Empty for none.
        weight: of the teachers in the loss; the labels have the rest.
        states: how much it counts, beside that loss, how far the encoder's states are from the first teacher's, which
            must be as wide; 0 for not at all.
        texts: folders with texts without labels, which the first teacher tags.
        limit: the most of those texts to take; 0 for all.
    """

    teachers: tuple[str, ...] = ()
    weight: float = 0.5
    states: float = 0.0
    texts: tuple[str, ...] = ()
    limit: int = 0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole configuration, with the folder that its paths are relative to."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = field(default_factory=Augmentation)
    distil: DistilConfig = field(default_factory=DistilConfig)
    folder: Path = Path()

    def paths(self, names: tuple[str, ...]) -> list[Path]:
        """Return paths of the configuration as paths from the working directory."""
        return [self.folder / name for name in names]


def load_config(path: Path, overrides: Mapping[str, str] | None = None) -> TrainConfig:
    """Read a configuration.

    Args:
        path: a TOML file with the tables `model`, `data`, `optim`, `loss`, `augment` and `distil`; what it leaves out
            has its default.
        overrides: values in place of the file's, by `table.key`, written as in TOML (a plain word is a string).

    Raises:
        DataError: naming the file, where it is missing or broken, or has a key or value that makes no sense.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("there is no such configuration", source=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"broken TOML: {error}", source=str(path)) from None
    for name, value in (overrides or {}).items():
        table, _, key = name.partition(".")
        raw.setdefault(table, {})[key] = _parse_value(value)
    parts: dict[str, Any] = {}
    kinds = {
        "model": ModelConfig,
        "data": DataConfig,
        "optim": OptimConfig,
        "loss": LossWeights,
        "augment": Augmentation,
        "distil": DistilConfig,
    }
    for table, values in raw.items():
        if table not in kinds or not isinstance(values, dict):
            raise DataError(f"unknown table [{table}]; one of {', '.join(kinds)}", source=str(path))
        parts[table] = _build(kinds[table], values, f"{path} [{table}]")
    config = replace(TrainConfig(**parts), folder=path.parent)
    _check(config, path)
    return config


def _parse_value(text: str) -> Any:  # noqa: ANN401 - a TOML value of any kind
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    assert is_dataclass(kind)
    defaults = {f.name: getattr(kind(), f.name) for f in fields(kind)}
    clean: dict[str, Any] = {}
    for key, value in values.items():
        if key not in defaults:
            raise DataError(f"unknown key {key!r}; one of {', '.join(defaults)}", source=where)
        wanted = type(defaults[key])
        if wanted is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
            value = tuple(value)
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise DataError(f"{key} = {value!r} should be a {wanted.__name__}", source=where)
        clean[key] = value
    return kind(**clean)


def _check(config: TrainConfig, path: Path) -> None:
    optim = config.optim
    if not config.data.train or not config.data.dev:
        raise DataError("[data] needs `train` and `dev`", source=str(path))
    if optim.precision not in PRECISIONS:
        raise DataError(f"precision {optim.precision!r} is none of {', '.join(PRECISIONS)}", source=str(path))
    for name in ("epochs", "batch_tokens"):
        if getattr(optim, name) < 1:
            raise DataError(f"{name} must be 1 or more", source=str(path))
    for name, value in asdict(config.augment).items():
        if not 0 <= value <= 1:
            raise DataError(f"{name} = {value} should lie in 0 … 1", source=f"{path} [augment]")
    if not 0 < config.data.fraction <= 1:
        raise DataError(f"fraction = {config.data.fraction} should lie in (0, 1]", source=str(path))
    _check_distil(config.distil, path)
    if config.loss.focus < 0:
        raise DataError("focus should be 0 or more", source=str(path))
    _check_model(config.model, path)


def _check_model(model: ModelConfig, path: Path) -> None:
    where = f"{path} [model]"
    if model.layers < 0:
        raise DataError("layers should be 0 or more", source=where)
    if model.heads and model.encoder == RASID_BASE:
        raise DataError("heads = true needs `encoder` to name a trained tagger", source=where)
    if not 8 <= model.window <= 510:
        raise DataError(f"window = {model.window} should lie in 8 … 510", source=where)


def _check_distil(distil: DistilConfig, path: Path) -> None:
    if (distil.texts or distil.states) and not distil.teachers:
        raise DataError("[distil] needs `teachers` to tag texts or for states", source=str(path))
    if not 0 <= distil.weight <= 1:
        raise DataError(f"weight = {distil.weight} should lie in 0 … 1", source=f"{path} [distil]")
    for name in ("limit", "states"):
        if getattr(distil, name) < 0:
            raise DataError(f"{name} = {getattr(distil, name)} should be 0 or more", source=f"{path} [distil]")
    if distil.states and not distil.weight:
        raise DataError("`states` needs teachers, and a `weight` of them", source=f"{path} [distil]")
