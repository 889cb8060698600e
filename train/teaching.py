"""The teachers of a run: trained networks that read each batch beside the student, each in its own pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.batches import Batch, Special
from rasid.inference.loading import load_network, open_folder
from rasid.inference.model import Logits, RasidModel
from rasid.inference.windows import Window
from rasid.train.distil import States, state_loss
from rasid.train.features import Features, TrainingBatch, to_features
from rasid.train.views import View, fitting, view_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The student's own reader is the first.
_OWN: Final = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """How a network reads: its tokenizer, the ids that frame and pad a window, and the most pieces it reads at once."""

    tokenizer: Tokenizer
    special: Special
    most: int

    def read(self, articles: Sequence[Article]) -> list[Features]:
        """Put the labels of articles onto its pieces."""
        return [to_features(article, self.tokenizer) for article in articles]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network and which reader of the run reads for it."""

    network: RasidModel
    reader: int


class Teaching:
    """Who reads in a run, the student first, and who of them teaches it."""

    def __init__(
        self,
        student: Reader,
        folders: Sequence[Path] = (),
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Load the teachers.

        Args:
            student: how it reads.
            folders: of its teachers, that `rasid train` wrote; each may have a vocabulary of its own.
            device: to run them on; the CPU unless given.
            dtype: of their weights.

        Raises:
            DataError: where one cannot be had.
        """
        self._device = device or torch.device("cpu")
        self.readers = [student]
        self.teachers = [self._load(folder, dtype) for folder in folders]
        self._states: tuple[States, States] | None = None

    def _load(self, folder: Path, dtype: torch.dtype) -> Teacher:
        settings = open_folder(folder)
        network = load_network(folder).eval().requires_grad_(requires_grad=False)
        torch.nn.Module.to(network, device=self._device, dtype=dtype)
        most = network.encoder.config.max_position_embeddings - 2
        reader = Reader(settings.tokenizer, settings.special, most)
        for index, known in enumerate(self.readers):
            if known.tokenizer.get_vocab() == reader.tokenizer.get_vocab():
                return Teacher(network, index)
        self.readers.append(reader)
        return Teacher(network, len(self.readers) - 1)

    def watch_states(self, student: RasidModel) -> None:
        """Listen to the states of the student and of the first teacher from now on.

        Raises:
            DataError: where they are not of one width.
        """
        first = self.teachers[0].network
        widths = [network.encoder.config.hidden_size for network in (student, first)]
        if widths[0] != widths[1]:
            raise DataError(f"its states are {widths[1]} wide, the student's {widths[0]}", source="the first teacher")
        self._states = States(student), States(first)

    def sizes(self, articles: Sequence[Article], features: Sequence[Sequence[Features]], size: int) -> list[int]:
        """Return, for each article, the most pieces of a window that no teacher finds too long.

        Args:
            articles: to learn from.
            features: theirs, by reader.
            size: the student's most; returned is nothing where all read the same pieces.

        Raises:
            DataError: naming the article of which no window is short enough.
        """
        found: list[int] = []
        for index, own in enumerate(features[_OWN] if len(self.readers) > 1 else ()):
            most = size
            for reader, others in zip(self.readers[1:], features[1:], strict=True):
                try:
                    most = fitting(own.pieces, others[index].pieces, most, reader.most)
                except DataError as error:
                    raise DataError(str(error), source=articles[index].id) from None
            found.append(most)
        return found

    def views(
        self,
        features: Sequence[Sequence[Features]],
        windows: Sequence[tuple[int, Window]],
        labels: TrainingBatch,
    ) -> list[View]:
        """Return how each reader reads a batch.

        Args:
            features: of all articles, by reader.
            windows: of the batch: article and window, in the student's pieces.
            labels: the batch as the student reads it.
        """
        others = [
            view_of(features[_OWN], other, windows, labels, reader.special)
            for reader, other in zip(self.readers[1:], features[1:], strict=True)
        ]
        return [View(labels.batch, labels.spans), *others]

    @torch.no_grad()
    def ask(self, views: Sequence[View]) -> list[tuple[Logits, View]]:
        """Return what each teacher says of a batch, and how it reads it."""
        if not self.teachers:
            return []
        inputs = [to_tensors(view.batch, self._device) for view in views]
        return [(t.network(*inputs[t.reader]), views[t.reader]) for t in self.teachers]

    def state_loss(self, views: Sequence[View]) -> Tensor | None:
        """Return how far the student's states are from the first teacher's in the last batch; None unless watched."""
        if self._states is None:
            return None
        student, teacher = self._states
        return state_loss(student.last, teacher.last, views[_OWN].batch, views[self.teachers[0].reader])


def to_tensors(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a network reads of a batch, on a device."""
    arrays = (batch.input_ids, batch.attention_mask, batch.sentence_mask)
    ids, attention, sentences = (torch.from_numpy(array).to(device) for array in arrays)
    return ids, attention, sentences
