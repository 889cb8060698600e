"""Loading a trained model from a folder or, when named, from the hub.

What tagging on a CPU needs (settings, tokenizer, the exported graph) is read without torch and transformers; the
network itself is loaded only where it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rasid.data.errors import DataError, needs
from rasid.inference.batches import Special
from rasid.inference.calibration import Curve, Curves

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

    from rasid.inference.model import RasidModel

WEIGHTS: Final = "model.safetensors"
_CHECKPOINTS: Final = Path(__file__).parent / "checkpoints"
# The models that ship with the package, by name; the first is the default.
SHIPPED: Final[Mapping[str, Path]] = {"base": _CHECKPOINTS / "rasid-base", "fast": _CHECKPOINTS / "rasid-fast"}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder that `rasid train` wrote, with all that is read around the network.

    Args:
        path: of the folder.
        tokenizer: its fast tokenizer, without truncation and padding.
        special: ids of the tokens that frame and pad a window.
        window: the most pieces in a window, the frame left out.
        event_threshold: probability from which an event type is reported.
        mode_threshold: probability from which a further mode of it is; None for the likeliest alone.
        curves: by layer, the calibration of the network's probabilities.
    """

    path: Path
    tokenizer: Tokenizer
    special: Special
    window: int
    event_threshold: float
    mode_threshold: float | None
    curves: Curves


def open_folder(path_or_name: str | Path | None) -> ModelFolder:
    """Read a model folder's settings and tokenizer; see `find_folder` for where it is.

    Raises:
        DataError: where there is no such model, or it is not one of rasid's.
    """
    path = find_folder(path_or_name)
    config = _read_json(path / "config.json")
    if config.get("model_type") != "rasid":
        raise DataError("this is no model of rasid's", source=str(path))
    tokenizer = _read_tokenizer(path)
    return ModelFolder(
        path,
        tokenizer,
        _special(_read_json(path / "tokenizer_config.json"), tokenizer, path),
        int(config["window"]),
        float(config["event_threshold"]),
        config.get("mode_threshold"),
        {layer: Curve(*pair) for layer, pair in config.get("calibration", {}).items()},
    )


def fingerprint(path: Path, names: Sequence[str]) -> str:
    """Return a hash of files of a model folder, those that are there."""
    # the quickest in `hashlib` on processors without instructions for SHA-256
    found = hashlib.blake2b(digest_size=8)
    for name in names:
        file = path / name
        if file.is_file():
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    found.update(block)
    return found.hexdigest()


def load_network(path_or_name: str | Path) -> RasidModel:
    """Load the network of a model folder in float32; a name that is no place on this machine is looked up on the hub.

    Raises:
        DataError: where there is no such model, its weights are missing or do not fit, or PyTorch is not installed.
    """
    path = find_folder(path_or_name)
    if _read_json(path / "config.json").get("model_type") != "rasid":
        raise DataError("this is no model of rasid's", source=str(path))
    with needs("train", "a network in PyTorch", source=str(path)):
        import torch

        from rasid.inference.model import RasidModel

    try:
        with _quiet():
            model: RasidModel = RasidModel.from_pretrained(str(path), use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"the model could not be loaded: {str(error).splitlines()[0]}", source=str(path)) from None
    return model


def find_folder(path_or_name: str | Path | None) -> Path:
    """Return the folder of a model.

    Args:
        path_or_name: a place on this machine; or the name of a model, one of `SHIPPED` or else on the hub, from where
            it is fetched; None for the default model.

    Raises:
        DataError: where there is none.
    """
    if path_or_name is None:
        return next(iter(SHIPPED.values()))
    if isinstance(path_or_name, str) and path_or_name in SHIPPED:  # a folder of that name is ./fast
        return SHIPPED[path_or_name]
    place = Path(path_or_name).expanduser()
    here = isinstance(path_or_name, Path) or place.exists() or str(path_or_name).startswith((".", "/", "~"))
    if not here:
        place = _download(str(path_or_name))
    if not (place / "config.json").is_file():
        raise DataError("there is no model here: a folder with a config.json was expected", source=str(place))
    return place


def _download(name: str) -> Path:
    """Fetch a model from the hub into its cache, or find it there."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.onnx"]))
    except (OSError, ValueError) as error:
        raise DataError(f"the model could not be loaded: {str(error).splitlines()[0]}", source=name) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the model could not be loaded: {error}", source=str(path)) from None
    if not isinstance(found, dict):
        raise DataError("the model could not be loaded: not a JSON object", source=str(path))
    return found


def _read_tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise DataError("the tokenizer has no fast form (tokenizer.json), and so no offsets", source=str(folder))
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _special(config: dict[str, Any], tokenizer: Tokenizer, folder: Path) -> Special:
    def id_of(*names: str) -> int:
        for name in names:
            token = config.get(name)
            text = token.get("content") if isinstance(token, dict) else token
            number = tokenizer.token_to_id(text) if isinstance(text, str) else None
            if number is not None:
                return number
        raise DataError(f"the tokenizer lacks a {' or '.join(names)}", source=str(folder))

    return Special(id_of("cls_token", "bos_token"), id_of("sep_token", "eos_token"), id_of("pad_token"))


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
