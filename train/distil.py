"""Learning from trained taggers: their probabilities beside the labels, and their labels on texts that have none.

The teachers' probabilities, averaged, are what the student's are held against, head by head, where there is something
to say: the pieces of the sentences, the labelled mentions, events and pairs (Hinton, Vinyals and Dean, "Distilling the
Knowledge in a Neural Network", 2015, at temperature 1). A teacher that reads other pieces is understood word by word.
Texts without labels get those of the first teacher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from rasid.data.schema import Article
from rasid.data.standoff import digest, index_texts
from rasid.inference.batches import Batch
from rasid.inference.model import Logits, RasidModel
from rasid.inference.records import find_problem
from rasid.train.features import IGNORE, TrainingBatch
from rasid.train.losses import mode_loss, role_scores, span_mean
from rasid.train.views import View, Words

if TYPE_CHECKING:
    from rasid.inference.tagger import Tagger

# A text of more characters is no article, and would weigh too much.
_LONGEST: Final = 8000


def soft_losses(student: Logits, taught: Sequence[tuple[Logits, View]], labels: TrainingBatch) -> dict[str, Tensor]:
    """Return how far the student is from the mean of its teachers, head by head, under the names of `LossWeights`.

    Each is a cross-entropy against the teachers' probabilities, averaged over the same things as the head's own loss.

    Args:
        student: what it says of the batch.
        taught: what each teacher says of it, and how it reads it.
        labels: the batch as the student reads it.
    """
    device = student.actor.device

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array, device=device)

    zero = student.actor.sum() * 0.0
    found = {"mention": zero, "proclitic": zero, "event": zero, "sector": zero, "mode": zero, "role": zero}
    for name, head in (("actor", "mention"), ("location", "mention"), ("proclitic", "proclitic")):
        at = tensor(getattr(labels, name)) != IGNORE
        wanted = [_of_tokens(getattr(t, name), view, at, spans=head == "mention") for t, view in taught]
        found[head] = found[head] + _towards(getattr(student, name)[at], wanted, zero)
    present = tensor(labels.event_mask)
    events_wanted = torch.stack([torch.sigmoid(t.event[present].float()) for t, _ in taught]).mean(0)
    event = functional.binary_cross_entropy_with_logits(student.event[present].float(), events_wanted, reduction="none")
    found["event"] = event.sum(-1).mean()
    spans, sectors = tensor(labels.spans), tensor(labels.sectors)
    if (labels.sectors != IGNORE).any():
        actors = sectors != IGNORE
        wanted = [functional.softmax(span_mean(t.sector, tensor(v.spans)[actors]), dim=-1) for t, v in taught]
        found["sector"] = _towards(span_mean(student.sector, spans[actors]), wanted, zero)
    if len(labels.events):
        events = tensor(labels.events)
        row, slot, _ = events.unbind(1)
        modes = torch.stack([torch.sigmoid(t.mode[row, slot].float()) for t, _ in taught]).mean(0)
        found["mode"] = mode_loss(student.mode, events, modes)
    if len(labels.pairs):
        pairs = tensor(labels.pairs)
        wanted = [functional.softmax(role_scores(t, tensor(v.spans), pairs), dim=-1) for t, v in taught]
        found["role"] = _towards(role_scores(student, spans, pairs), wanted, zero)
    return found


def _of_tokens(logits: Tensor, view: View, at: Tensor, *, spans: bool) -> Tensor:
    """Return a teacher's probabilities for the student's tokens: its own of the token, or those of the token's word.

    Args:
        logits: (B, T, classes), of the teacher's tokens.
        view: how the teacher reads the batch.
        at: bool (B, T), which of the student's tokens.
        spans: whether the classes are O, B and I, so that tokens that go on with a word cannot begin a span.
    """
    if view.words is None:
        return functional.softmax(logits[at].float(), dim=-1)
    found = functional.softmax(_where_words_begin(logits, view.words, at).float(), dim=-1)
    if not spans:
        return found
    outside, begin, inside = found.unbind(-1)
    later = torch.stack([outside, torch.zeros_like(begin), begin + inside], dim=-1)
    first = torch.as_tensor(view.words.firsts, device=at.device)[at]
    return torch.where(first[:, None], found, later)


def _where_words_begin(values: Tensor, words: Words, at: Tensor) -> Tensor:
    """Return what a teacher has, of (B, its own T, …), where the words begin of the student's tokens at bool (B, T)."""
    tokens = torch.as_tensor(words.tokens, device=at.device)[at]
    return values[at.nonzero()[:, 0], tokens]


class States:
    """The states (B, T, width) that a network's encoder made last, which its heads read."""

    def __init__(self, model: RasidModel) -> None:
        """Listen to the encoder of a network."""
        self.last = torch.empty(0)
        model.encoder.register_forward_hook(self._keep)

    def _keep(self, _: object, __: object, output: Any) -> None:  # noqa: ANN401 - each encoder has its own kind
        self.last = output.last_hidden_state


def state_loss(student: Tensor, teacher: Tensor, batch: Batch, view: View) -> Tensor:
    """Return which share of the variance of a teacher's states a student's leave unexplained; 0 where they are equal.

    Args:
        student: (B, T, width).
        teacher: (B, its own T, width), of the same windows.
        batch: as the student reads it.
        view: as the teacher does; where it reads other pieces, states are compared where words begin.
    """
    if view.words is None:
        present = torch.as_tensor(batch.attention_mask, device=student.device).bool()
        own, wanted = student[present].float(), teacher[present].float()
    else:
        present = torch.as_tensor(view.words.firsts, device=student.device)
        own, wanted = student[present].float(), _where_words_begin(teacher, view.words, present).float()
    return (own - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean()


def _towards(student: Tensor, teachers: Sequence[Tensor], zero: Tensor) -> Tensor:
    """Return the mean cross-entropy of (n, classes) logits against the mean of the teachers' probabilities."""
    if not len(student):
        return zero
    return functional.cross_entropy(student.float(), torch.stack(list(teachers)).mean(0))


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
