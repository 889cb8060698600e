"""The encoder taught to guess hidden words of texts without labels, before it learns from any.

Masked language modelling (Devlin and others, "BERT", 2019) with whole words hidden at once, as in the whole-word
models that followed it (Cui and others, "Pre-Training with Whole Word Masking for Chinese BERT", 2021), gone on with on
texts like those to be tagged (Gururangan and others, "Don't Stop Pretraining: Adapt Language Models to Domains and
Tasks", 2020). What comes out is a folder like that of `rasid train base`, with a note of what it read, which goes on
into the card of every model trained from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from accelerate.utils import set_seed
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from rasid.data.errors import DataError
from rasid.data.sources import text_digests
from rasid.data.standoff import digest, index_texts
from rasid.inference.batches import Special, by_length
from rasid.inference.loading import backend, special_tokens
from rasid.inference.pieces import to_pieces
from rasid.train.checkpoint import drop_checkpoints, find_checkpoint, read_state, weights_of, write_checkpoint
from rasid.train.config import OptimConfig
from rasid.train.features import IGNORE
from rasid.train.log import append_log
from rasid.train.ner.tagger import Passage
from rasid.train.ner.tagger import to_arrays as frame
from rasid.train.note import note_of_encoder, write_note
from rasid.train.optim import make_optimizer, optimizer_tensors, restore_optimizer, set_rate
from rasid.train.setup import load_tokenizer, open_encoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

IntArray = NDArray[np.int64]

# How an encoder is taught where nothing else is said: one rate for all of its layers.
RECIPE: Final = OptimConfig(epochs=5, batch_tokens=16384, lr=2e-4, head_lr=1e-3, layer_decay=1.0, warmup=0.06)
# The share of words to guess.
_RATE: Final = 0.2
# Of their pieces so many are hidden, so many more stand as they are, and the others are replaced by any piece.
_HIDDEN: Final = 0.8
_KEPT: Final = 0.1
# The end of a text in fewer pieces says too little.
_SHORTEST: Final = 16
_LOG_EVERY: Final = 10


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive pieces of one text that are read together: int64 (pieces,) ids, and the word of each."""

    ids: IntArray
    words: IntArray


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What stands in place of words to guess: the id of the mask token, and int64 (pieces,) all that are no token."""

    mask: int
    pieces: IntArray


class MaskedLanguageModel(nn.Module):
    """An encoder with a linear layer over its states, compared with its own word embeddings.

    The layer begins as the identity, so that an encoder whose states are near its embeddings guesses from the start.
    """

    def __init__(self, encoder: PreTrainedModel) -> None:
        """Put the layer, a scale and a bias for each piece on the encoder."""
        super().__init__()
        self.encoder = encoder
        pieces, width = self._words.shape
        self.layer = nn.Linear(encoder.config.hidden_size, width)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.zeros(pieces))
        nn.init.eye_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, at: Tensor) -> Tensor:
        """Return logits (guesses, pieces) where the bool (B, T) `at` is True, of int64 (B, T) ids and mask."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[at]
        logits: Tensor = self.scale * (self.layer(states) @ self._words.T) + self.bias
        return logits

    @property
    def _words(self) -> Tensor:
        # the encoder's own parameter, not the head's: it is listed, and gets its rate, once
        words = self.encoder.get_input_embeddings().weight
        assert isinstance(words, Tensor)
        return words


def pretrain(
    places: Sequence[Path],
    encoder: str,
    out: Path,
    optim: OptimConfig = RECIPE,
    *,
    exclude: Iterable[Path] = (),
    window: int = 254,
    resume: bool = True,
    quiet: bool = False,
) -> dict[str, Any]:
    """Teach an encoder to guess hidden words of texts and write it to a folder.

    Args:
        places: folders and files with the texts, as for stand-off labels.
        encoder: a folder or a hub name.
        out: the folder to write.
        optim: how to train; all but `average`, `patience`, `evaluate_from` and `precision` is used.
        exclude: JSON-lines files, whole or stand-off, whose texts are not read.
        window: the most pieces of a text that are read together.
        resume: go on from the last whole epoch of a run in `out` that was cut off; False begins anew.
        quiet: without a progress bar.

    Returns:
        What is noted beside the encoder: all that it learnt from, and how.

    Raises:
        DataError: where a place or the encoder is not there, the tokenizer has no mask token, no text is left, or the
            run to be resumed was begun otherwise.
    """
    texts, left_out = read_texts(places, exclude)
    set_seed(optim.seed)
    tokenizer = load_tokenizer(encoder)
    model = MaskedLanguageModel(open_encoder(encoder))
    vocabulary = vocabulary_of(tokenizer, len(model.bias))
    window = min(window, model.encoder.config.max_position_embeddings - 2)
    read = [own for text in texts if (own := to_chunks(text, backend(tokenizer), window))]
    if not read:
        raise DataError(
            f"no text of {_SHORTEST} pieces or more is left to read, {left_out} being excluded",
            source=", ".join(map(str, places)),
        )
    chunks = [chunk for own in read for chunk in own]
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        drop_checkpoints(out)
    begun = {"encoder": encoder, "window": window, "texts": digest("".join(map(digest, texts))), **asdict(optim)}
    fit(model, chunks, special_tokens(tokenizer), vocabulary, optim, out, begun, quiet=quiet)
    model.encoder.save_pretrained(out)
    tokenizer.save_pretrained(out)
    note = note_of_encoder(encoder)
    own_note = {
        # where the user keeps them is nobody's business
        "places": list(dict.fromkeys(os.path.basename(os.path.abspath(place)) for place in places)),
        "texts": len(read),
        "excluded": left_out,
        "pieces": sum(len(chunk.ids) for chunk in chunks),
        "epochs": optim.epochs,
        "lr": optim.lr,
        "seed": optim.seed,
    }
    note["pretraining"] = [*note.get("pretraining", ()), own_note]
    write_note(out, note)
    drop_checkpoints(out)
    return note


def read_texts(places: Sequence[Path], exclude: Iterable[Path]) -> tuple[list[str], int]:
    """Return the texts below the places, each once, without those that files exclude, and how many those were."""
    forbidden = text_digests(exclude)
    found = index_texts(*places)
    texts = [text for sha, text in found.items() if sha not in forbidden]
    return texts, len(found) - len(texts)


def vocabulary_of(tokenizer: PreTrainedTokenizerBase, size: int) -> Vocabulary:
    """Return what can stand in place of a word.

    Args:
        tokenizer: of the encoder.
        size: how many pieces the encoder knows.

    Raises:
        DataError: where the tokenizer has no mask token, or one that the encoder does not know.
    """
    mask = tokenizer.mask_token_id
    if mask is None or mask >= size:
        raise DataError("the tokenizer has no mask token to hide words behind", source=str(tokenizer.name_or_path))
    pieces = np.setdiff1d(np.arange(min(size, len(tokenizer))), tokenizer.all_special_ids)
    return Vocabulary(int(mask), pieces.astype(np.int64))


def to_chunks(text: str, tokenizer: Tokenizer, window: int) -> list[Chunk]:
    """Cut a text, in pieces as in inference, into chunks of `window` pieces; a short end is left out."""
    pieces = to_pieces(text, [(0, len(text))], tokenizer)
    cuts = range(0, len(pieces.ids), window)
    found = [Chunk(pieces.ids[at : at + window], pieces.words[at : at + window]) for at in cuts]
    return [chunk for chunk in found if len(chunk.ids) >= _SHORTEST]


def mask_words(
    ids: IntArray, words: IntArray, vocabulary: Vocabulary, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Choose words to guess, one at the least, and hide them.

    Args:
        ids: int64 (pieces,), one or more.
        words: int64 (pieces,), the word of each; all pieces of a word are to be guessed, or none.
        vocabulary: what the words are hidden behind.
        rng: to choose by.

    Returns:
        The ids with most of the chosen words' replaced, and what is to be guessed: the chosen words' ids, `IGNORE`
        for all others.
    """
    known, owners = np.unique(words, return_inverse=True)
    chosen = rng.random(len(known)) < _RATE
    if not chosen.any():
        chosen[rng.integers(len(known))] = True
    at = np.flatnonzero(chosen[owners])
    targets = np.full_like(ids, IGNORE)
    targets[at] = ids[at]
    inputs = ids.copy()
    fate = rng.random(len(at))
    inputs[at[fate < _HIDDEN]] = vocabulary.mask
    other = at[fate >= _HIDDEN + _KEPT]
    inputs[other] = vocabulary.pieces[rng.integers(len(vocabulary.pieces), size=len(other))]
    return inputs, targets


def fit(
    model: MaskedLanguageModel,
    chunks: Sequence[Chunk],
    special: Special,
    vocabulary: Vocabulary,
    optim: OptimConfig,
    out: Path,
    begun: Mapping[str, Any],
    *,
    quiet: bool,
) -> None:
    """Train on chunks, whose hidden words are others in each epoch, on a GPU where there is one.

    Each epoch ends with a checkpoint, and what was cut off goes on from the last one.

    Args:
        model: trained in place, and on the CPU again at the end.
        chunks: what it learns from.
        special: ids of the tokens that frame and pad a chunk.
        vocabulary: what words are hidden behind.
        optim: how to train.
        out: a folder for checkpoints, and for `log.jsonl`, a line with the loss every few steps and after each epoch.
        begun: what the run is of; a checkpoint of another is not gone on from.
        quiet: without a progress bar.

    Raises:
        DataError: where the checkpoint in the folder is of another run.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # as if evaluated, for that is without dropout in encoders of every kind: there is more to read than is learnt
    model.to(device).eval()
    optimizer = make_optimizer(model, optim)
    log = out / "log.jsonl"
    first, step, running = 0, 0, 0.0
    if last := find_checkpoint(out):
        first, step, running = _restore(last, begun, model, optimizer)
    else:
        log.unlink(missing_ok=True)
    for epoch in range(first, optim.epochs):
        # every epoch draws from its own seed, so that a resumed run goes the way of an uninterrupted one
        rng = np.random.default_rng([optim.seed, epoch])
        groups = _groups(chunks, optim.batch_tokens, rng)
        total = 0.0
        bar = tqdm(groups, desc=f"epoch {epoch + 1}/{optim.epochs}", unit="batch", disable=quiet)
        for done, group in enumerate(bar):
            set_rate(optimizer, (epoch + done / len(groups)) / optim.epochs, optim.warmup)
            arrays = to_arrays([chunks[i] for i in group], special, vocabulary, rng)
            loss = _step(model, optimizer, [array.to(device) for array in arrays], optim.clip)
            total += loss
            step += 1
            running = 0.98 * running + 0.02 * loss if step > 1 else loss
            if step % _LOG_EVERY == 0:
                bar.set_postfix(loss=f"{running:.2f}", refresh=False)
                append_log(log, {"step": step, "epoch": epoch + 1, "loss": round(running, 4)})
        append_log(log, {"epoch": epoch + 1, "mean loss": round(total / len(groups), 4)})
        tensors = {"model": weights_of(model), "optimizer": optimizer_tensors(optimizer)}
        write_checkpoint(out, tensors, {"epoch": epoch + 1, "step": step, "loss": running, "begun": begun})
    model.to("cpu")


def _restore(
    last: Path, begun: Mapping[str, Any], model: MaskedLanguageModel, optimizer: torch.optim.Optimizer
) -> tuple[int, int, float]:
    """Put a checkpoint's weights and optimiser back and return its epoch, step and running loss."""
    state = read_state(last)
    if state["begun"] != begun:
        raise DataError("this run was begun otherwise; give another --out or --restart", source=str(last))
    model.load_state_dict(load_file(last / "model.safetensors"))
    restore_optimizer(optimizer, load_file(last / "optimizer.safetensors"))
    return int(state["epoch"]), int(state["step"]), float(state["loss"])


def _step(model: MaskedLanguageModel, optimizer: torch.optim.Optimizer, arrays: Sequence[Tensor], clip: float) -> float:
    ids, mask, targets = arrays
    at = targets != IGNORE
    on_gpu = ids.device.type == "cuda"
    with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=on_gpu and torch.cuda.is_bf16_supported()):
        logits = model(ids, mask, at)
    loss = functional.cross_entropy(logits.float(), targets[at])
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _groups(chunks: Sequence[Chunk], budget: int, rng: np.random.Generator) -> list[list[int]]:
    """Return batches of chunks of like length, in any order."""
    order = rng.permutation(len(chunks))
    groups = by_length([len(chunks[i].ids) + 2 for i in order], budget)
    return [[int(order[i]) for i in groups[group]] for group in rng.permutation(len(groups))]


def to_arrays(
    batch: Sequence[Chunk], special: Special, vocabulary: Vocabulary, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return framed ids with words hidden, attention mask and what is to be guessed, each int64 (B, T), padded."""
    hidden = [mask_words(chunk.ids, chunk.words, vocabulary, rng) for chunk in batch]
    return frame([Passage("texts", tuple(ids.tolist()), tuple(wanted.tolist())) for ids, wanted in hidden], special)
