"""Learning from trained taggers: their probabilities beside the labels, and their labels on texts that have none.

The teachers' probabilities, averaged, are what the student's are held against, head by head, where there is something
to say: the pieces of the sentences, the labelled mentions, events and pairs (Hinton, Vinyals and Dean, "Distilling the
Knowledge in a Neural Network", 2015, at temperature 1). Texts without labels get those of the first teacher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.data.standoff import digest, index_texts
from rasid.inference.loading import load_network, open_folder
from rasid.inference.model import Logits, RasidModel
from rasid.inference.records import find_problem
from rasid.train.features import IGNORE, TrainingBatch
from rasid.train.losses import mode_loss, role_scores, span_mean

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rasid.inference.tagger import Tagger

# A text of more characters is no article, and would weigh too much.
_LONGEST: Final = 8000


def load_teachers(folders: Sequence[Path], tokenizer: Tokenizer, device: torch.device) -> list[RasidModel]:
    """Load trained networks to learn from.

    Args:
        folders: that `rasid train` wrote.
        tokenizer: the student's, whose vocabulary must be the teachers' too, for they read the same pieces.
        device: to run them on.

    Raises:
        DataError: where one cannot be had or reads other pieces.
    """
    teachers: list[RasidModel] = []
    for folder in folders:
        if open_folder(folder).tokenizer.get_vocab() != tokenizer.get_vocab():
            raise DataError("the teacher has another vocabulary than the student", source=str(folder))
        teacher = load_network(folder).eval().requires_grad_(requires_grad=False)
        torch.nn.Module.to(teacher, device)
        teachers.append(teacher)
    return teachers


def soft_losses(student: Logits, teachers: Sequence[Logits], labels: TrainingBatch) -> dict[str, Tensor]:
    """Return how far the student is from the mean of its teachers, head by head, under the names of `LossWeights`.

    Each is a cross-entropy against the teachers' probabilities, averaged over the same things as the head's own loss.
    """
    device = student.actor.device

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array, device=device)

    zero = student.actor.sum() * 0.0
    found = {"mention": zero, "proclitic": zero, "event": zero, "sector": zero, "mode": zero, "role": zero}
    for name, head in (("actor", "mention"), ("location", "mention"), ("proclitic", "proclitic")):
        at = tensor(getattr(labels, name)) != IGNORE
        found[head] = found[head] + _towards(getattr(student, name)[at], [getattr(t, name)[at] for t in teachers], zero)
    present = tensor(labels.event_mask)
    wanted = torch.stack([torch.sigmoid(t.event[present].float()) for t in teachers]).mean(0)
    event = functional.binary_cross_entropy_with_logits(student.event[present].float(), wanted, reduction="none")
    found["event"] = event.sum(-1).mean()
    spans, sectors = tensor(labels.spans), tensor(labels.sectors)
    actors = spans[sectors != IGNORE] if len(spans) else spans
    if len(actors):
        found["sector"] = _towards(
            span_mean(student.sector, actors), [span_mean(t.sector, actors) for t in teachers], zero
        )
    if len(labels.events):
        events = tensor(labels.events)
        row, slot, _ = events.unbind(1)
        modes = torch.stack([torch.sigmoid(t.mode[row, slot].float()) for t in teachers]).mean(0)
        found["mode"] = mode_loss(student.mode, events, modes)
    if len(labels.pairs):
        pairs = tensor(labels.pairs)
        found["role"] = _towards(
            role_scores(student, spans, pairs), [role_scores(t, spans, pairs) for t in teachers], zero
        )
    return found


class States:
    """The states (B, T, width) that a network's encoder made last, which its heads read."""

    def __init__(self, model: RasidModel) -> None:
        """Listen to the encoder of a network."""
        self.last = torch.empty(0)
        model.encoder.register_forward_hook(self._keep)

    def _keep(self, _: object, __: object, output: Any) -> None:  # noqa: ANN401 - each encoder has its own kind
        self.last = output.last_hidden_state


def state_loss(student: Tensor, teacher: Tensor, attention_mask: Tensor) -> Tensor:
    """Return which share of the variance of a teacher's states a student's leave unexplained; 0 where they are equal.

    Args:
        student: (B, T, width).
        teacher: (B, T, width), of the same tokens.
        attention_mask: int64 (B, T), 0 where padded.
    """
    present = attention_mask.bool()
    own, wanted = student[present].float(), teacher[present].float()
    return (own - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean()


def _towards(student: Tensor, teachers: Sequence[Tensor], zero: Tensor) -> Tensor:
    """Return the mean cross-entropy of (n, classes) logits against the mean of the teachers' probabilities."""
    if not len(student):
        return zero
    wanted = torch.stack([functional.softmax(t.float(), dim=-1) for t in teachers]).mean(0)
    return functional.cross_entropy(student.float(), wanted)


def mix(hard: Mapping[str, Tensor], soft: Mapping[str, Tensor], weight: float) -> dict[str, Tensor]:
    """Return the losses with `weight` of the soft ones and the rest of the hard ones."""
    return {name: (1.0 - weight) * loss + weight * soft[name] for name, loss in hard.items()}


def read_unlabelled(places: Sequence[Path], limit: int, known: frozenset[str]) -> list[Article]:
    """Return texts to be tagged by a teacher, in an order that depends on their hashes alone.

    Args:
        places: folders and files with texts, as for stand-off labels.
        limit: the most texts to take; 0 for all.
        known: SHA-256 of texts that are labelled, or that evaluate, and must not be taken.
    """
    texts = index_texts(*places)
    fit = [sha for sha in sorted(texts) if sha not in known and _fits(texts[sha])]
    return [Article(f"unlabelled-{sha[:12]}", texts[sha]) for sha in (fit[:limit] if limit else fit)]


def _fits(text: str) -> bool:
    return len(text) <= _LONGEST and find_problem(text) is None


def tag_unlabelled(articles: Sequence[Article], tagger: Tagger, quiet: bool) -> list[Article]:
    """Return the articles with the labels of a tagger, those without any left out."""
    from tqdm.auto import tqdm

    bar = tqdm(tagger.stream(articles), desc="tagging texts to learn from", total=len(articles), disable=quiet)
    return [article for article in bar if article.mentions]


def digests(articles: Sequence[Article]) -> frozenset[str]:
    """Return the SHA-256 of the articles' texts."""
    return frozenset(digest(article.text) for article in articles)
