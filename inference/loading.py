"""Loading a trained model and its tokenizer from a folder or, when named, from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rasid.data.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

    from rasid.inference.batches import Special
    from rasid.inference.model import RasidModel


def load_model(path_or_name: str | Path) -> tuple[RasidModel, Tokenizer, Special]:
    """Load the network in float32, its fast tokenizer and the ids of its special tokens.

    Raises:
        DataError: where there is no such model, or it is not one of rasid's.
    """
    import torch
    from transformers import AutoTokenizer

    from rasid.inference.model import RasidModel

    place = Path(path_or_name)
    if isinstance(path_or_name, Path) or place.exists() or str(path_or_name).startswith((".", "/", "~")):
        place = place.expanduser()
        if not (place / "config.json").is_file():
            raise DataError("there is no model here: a folder with a config.json was expected", source=str(place))
        path_or_name = str(place)
    try:
        with _quiet():
            model = RasidModel.from_pretrained(path_or_name, use_safetensors=True, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(path_or_name, use_fast=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"the model could not be loaded: {str(error).splitlines()[0]}", source=str(path_or_name)
        ) from None
    return model, backend(tokenizer), special_tokens(tokenizer)


def backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """Return the fast tokenizer behind a Hugging Face one, without truncation and padding.

    Raises:
        DataError: where it has none, and so no offsets.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise DataError("the tokenizer has no fast form, and so no offsets", source=str(tokenizer.name_or_path))
    fast: Tokenizer = tokenizer.backend_tokenizer
    fast.no_truncation()
    fast.no_padding()
    return fast


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> Special:
    """Return the ids that frame and pad a window: `[CLS]`, `[SEP]`, `[PAD]` or their like."""
    from rasid.inference.batches import Special

    first = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
    last = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
    if first is None or last is None or tokenizer.pad_token_id is None:
        raise DataError("the tokenizer lacks a first, last or padding token", source=str(tokenizer.name_or_path))
    return Special(int(first), int(last), int(tokenizer.pad_token_id))


class _quiet:  # noqa: N801 - reads as a verb where it is used
    """Keep transformers' progress bars and load reports off the terminal while a model loads."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._verbosity = logging.get_verbosity()
        self._bars = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._verbosity)
        if self._bars:
            logging.enable_progress_bar()
