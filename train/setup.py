"""What a run begins with: the tokenizer, the network, and the precision that the hardware is good at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import ModuleList

from rasid.data.errors import DataError
from rasid.inference.loading import load_network
from rasid.inference.model import RasidConfig, RasidModel, encoder_of, load_pretrained

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from rasid.train.config import TrainConfig

# While training; the end of a run chooses it on dev.
_MODE_THRESHOLD: Final = 0.5


def precision_of(wanted: str, device: str) -> str:
    """Return the Accelerate name: half precision where the hardware multiplies it, else none."""
    if wanted != "auto":
        return "no" if wanted == "fp32" else wanted
    if device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    capability = getattr(torch.backends.cpu, "get_cpu_capability", str)()
    has_bf16 = "AVX512" in capability and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bf16" if has_bf16 else "no"


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """Return the fast tokenizer of an encoder.

    Raises:
        DataError: where there is none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, use_fast=True)
    except (OSError, ValueError) as error:
        raise DataError(f"no tokenizer could be loaded: {str(error).splitlines()[0]}", source=path) from None


def open_encoder(path: str) -> PreTrainedModel:
    """Return a pretrained encoder, or that of a trained tagger, in float32.

    Raises:
        DataError: where there is none.
    """
    return encoder_of(open_pretrained(path))


def open_pretrained(path: str) -> PreTrainedModel:
    """Return a trained tagger, whole, or a pretrained encoder, in float32.

    Raises:
        DataError: where there is neither.
    """
    try:
        return load_pretrained(path)
    except (OSError, ValueError) as error:
        raise DataError(f"no encoder could be loaded: {str(error).splitlines()[0]}", source=path) from None


def new_model(config: TrainConfig, encoder_path: str) -> RasidModel:
    """Return the encoder with fresh heads; or, where heads are to be kept, the tagger that the encoder is of.

    Raises:
        DataError: where there is no such encoder or tagger, or it cannot read windows of the size configured.
    """
    if config.model.heads:
        model = load_network(encoder_path)
        if model.config.role_size != config.model.role_size:
            raise DataError(
                f"its role_size is {model.config.role_size}, not {config.model.role_size}", source=encoder_path
            )
        encoder = model.encoder
    else:
        encoder = open_encoder(encoder_path)
    longest = encoder.config.max_position_embeddings - 2
    if config.model.window > longest:
        raise DataError(f"window = {config.model.window}, and the encoder reads {longest}", source=encoder_path)
    if config.model.layers:
        keep_layers(encoder, config.model.layers)
    # eager attention trains faster than the fused kinds on a CPU
    if not torch.cuda.is_available():
        encoder.set_attn_implementation("eager")
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = config.model.dropout
    settings = {**encoder.config.to_dict(), "_name_or_path": ""}
    if config.model.heads:
        model.config.encoder = settings
        model.config.window = config.model.window
        model.config.mode_threshold = _MODE_THRESHOLD
        model.dropout.p = config.model.head_dropout
        return model
    own = config.model
    return RasidModel(
        RasidConfig(
            settings,
            window=own.window,
            role_size=own.role_size,
            head_dropout=own.head_dropout,
            mode_threshold=_MODE_THRESHOLD,
        ),
        encoder,
    )


def keep_layers(encoder: PreTrainedModel, count: int) -> None:
    """Keep `count` of an encoder's layers, evenly spaced, the last among them.

    A student of fewer layers begins from those of its teacher, as in Sanh and others, "DistilBERT" (2019).

    Raises:
        DataError: where the encoder has fewer, or keeps them in no list called `layer` or `layers`.
    """
    stacks = [m for n, m in encoder.named_modules() if n.endswith(("layer", "layers")) and isinstance(m, ModuleList)]
    if len(stacks) != 1 or not 1 <= count <= len(stacks[0]):
        has = len(stacks[0]) if stacks else "no"
        raise DataError(f"layers = {count}, and the encoder has {has} layers to choose from")
    total = len(stacks[0])
    kept = [stacks[0][(index + 1) * total // count - 1] for index in range(count)]
    del stacks[0][:]
    stacks[0].extend(kept)
    encoder.config.num_hidden_layers = count
