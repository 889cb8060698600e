from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from conftest import gold_articles, wordpiece_tokenizer
from torch import Tensor

from rasid.data.markup import read_markup
from rasid.data.schema import Article
from rasid.data.scheme import EVENT_TYPES, ROLES, SECTORS
from rasid.inference.batches import Special
from rasid.inference.layout import COLUMNS_OF_TYPE, MAX_DISTANCE, MAX_GAP, MODE_COLUMNS, gap_columns
from rasid.inference.model import Logits
from rasid.inference.pieces import MAX_PROCLITICS
from rasid.inference.windows import plan_windows
from rasid.train.features import IGNORE, TrainingBatch, collate, to_features
from rasid.train.losses import LossWeights, losses, span_mean, total

HEADS = tuple(field.name for field in fields(LossWeights) if field.name != "focus")
LOGITS = tuple(field.name for field in fields(Logits))
TOKENIZER = wordpiece_tokenizer([article.text for article in gold_articles()]).backend_tokenizer
SURE = 40.0
NOTHING = list(read_markup(["# id: a", "قال مصدر محلي.", "عادوا إلى منازلهم."], "test"))


def batch(articles: list[Article], size: int = 60) -> TrainingBatch:
    features = [to_features(article, TOKENIZER) for article in articles]
    windows = [(i, w) for i, f in enumerate(features) for w in plan_windows(f.pieces.lengths.tolist(), size)]
    return collate(features, windows, Special(first=2, last=3, pad=0))


def shapes(labels: TrainingBatch, role_size: int) -> dict[str, tuple[int, ...]]:
    rows, slots, tokens = labels.batch.sentence_mask.shape
    return {
        "actor": (rows, tokens, 3),
        "location": (rows, tokens, 3),
        "proclitic": (rows, tokens, MAX_PROCLITICS + 1),
        "sector": (rows, tokens, len(SECTORS)),
        "event": (rows, slots, len(EVENT_TYPES)),
        "mode": (rows, slots, len(MODE_COLUMNS)),
        "token_role": (rows, tokens, len(ROLES) + 1, role_size),
        "event_role": (rows, slots, len(EVENT_TYPES), role_size),
        "event_at": (rows, slots, len(EVENT_TYPES)),
        "role_bias": (2 * MAX_DISTANCE + 1, len(ROLES) + 1),
        "gap_bias": (2 * MAX_GAP + 1, len(ROLES) + 1),
    }


def random_logits(labels: TrainingBatch, seed: int = 0) -> Logits:
    generator = torch.Generator().manual_seed(seed)
    return Logits(**{n: torch.randn(s, generator=generator).requires_grad_() for n, s in shapes(labels, 4).items()})


def perfect_logits(labels: TrainingBatch) -> Logits:
    """What has no loss; where there is no label, a large value for the wrong thing."""
    out = {name: torch.zeros(shape) for name, shape in shapes(labels, max(len(labels.events), 1)).items()}
    for name in ("actor", "location", "proclitic"):
        gold = torch.from_numpy(getattr(labels, name))
        out[name][..., -1] = SURE
        out[name][gold != IGNORE] = SURE * torch.eye(out[name].shape[-1])[gold[gold != IGNORE]]
    for (row, first, last), sector in zip(labels.spans.tolist(), labels.sectors.tolist(), strict=True):
        if sector != IGNORE:
            out["sector"][row, first:last, sector] = SURE
    out["event"] = SURE * (2 * torch.from_numpy(labels.event) - 1)
    out["event"][~torch.from_numpy(labels.event_mask)] = SURE
    out["mode"] += SURE
    number = {}
    for index, (row, slot, kind) in enumerate(labels.events.tolist()):
        columns = list(COLUMNS_OF_TYPE[kind])
        out["mode"][row, slot, columns] = SURE * (2 * torch.from_numpy(labels.modes[index, columns]) - 1)
        out["event_role"][row, slot, kind, index] = 1.0
        number[row, slot, kind] = index
    for (row, slot, kind), index in number.items():
        pairs = [pair for pair in labels.pairs.tolist() if tuple(pair[1:4]) == (row, slot, kind)]
        means = torch.zeros(len(pairs), out["token_role"].shape[1])
        for at, pair in enumerate(pairs):
            _, first, last = labels.spans[pair[0]].tolist()
            means[at, first:last] = 1 / (last - first)
        # nested mentions share pieces: solve for pieces whose means are what each mention asks for
        wanted = SURE * torch.eye(len(ROLES) + 1)[[pair[5] for pair in pairs]]
        out["token_role"][row, :, :, index] = torch.linalg.pinv(means) @ wanted
    return Logits(**out)


def values(parts: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in parts.items()}


@pytest.mark.parametrize("size", [17, 60])
def test_perfect_logits_have_no_loss(size: int) -> None:
    labels = batch(gold_articles(), size)
    found = values(losses(perfect_logits(labels), labels))
    assert set(found) == set(HEADS)
    assert found == pytest.approx(dict.fromkeys(HEADS, 0.0), abs=1e-4)


WRONG = {
    **{"actor": "mention", "location": "mention", "proclitic": "proclitic", "sector": "sector", "event": "event"},
    **{"mode": "mode", "token_role": "role"},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_logits_of_a_head_have_a_loss_of_that_head_alone(name: str) -> None:
    labels = batch(gold_articles())
    right = perfect_logits(labels)
    wrong = replace(right, **{name: -getattr(right, name)})
    found = values(losses(wrong, labels))
    assert found.pop(WRONG[name]) > 1.0
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-4)


@pytest.mark.parametrize("name", ["event_role", "role_bias", "gap_bias"])
def test_both_sides_of_a_role_count(name: str) -> None:
    labels = batch(gold_articles())
    right = perfect_logits(labels)
    wrong = replace(right, **{name: getattr(right, name) + 50 * torch.tensor([0.0, 1.0, 0.0, 0.0])})
    if name == "event_role":
        wrong = replace(right, event_role=-right.event_role)
    found = values(losses(wrong, labels))
    assert found.pop("role") > 1.0
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-4)


def test_losses_of_flat_logits_are_those_of_guessing() -> None:
    labels = batch(gold_articles())
    flat = Logits(**{name: torch.zeros(shape) for name, shape in shapes(labels, 4).items()})
    kinds = [len(COLUMNS_OF_TYPE[kind]) for kind in labels.events[:, 2]]
    assert values(losses(flat, labels)) == pytest.approx(
        {
            "mention": 2 * np.log(3),
            "proclitic": np.log(MAX_PROCLITICS + 1),
            "sector": np.log(len(SECTORS)),
            "event": len(EVENT_TYPES) * np.log(2),
            "mode": np.mean(kinds) * np.log(2),
            "role": np.log(len(ROLES) + 1),
        },
        rel=1e-4,
    )


def test_the_role_loss_adds_the_bias_of_the_distance_and_the_gap() -> None:
    labels = batch(gold_articles())
    logits = random_logits(labels)
    logits = replace(logits, event_at=10 * logits.event_at.detach())
    found = float(losses(logits, labels)["role"].detach())
    plain = []
    gaps: set[int] = set()
    for mention, row, slot, kind, distance, role in labels.pairs.tolist():
        _, first, last = labels.spans[mention]
        state = logits.token_role[row, first:last].mean(0)
        gap = gap_columns(np.array(first - float(logits.event_at[row, slot, kind])))
        gaps.add(int(gap))
        scores = state @ logits.event_role[row, slot, kind] + logits.role_bias[distance] + logits.gap_bias[gap]
        plain.append(float(-scores.log_softmax(-1)[role].detach()))
    assert len({pair[4] for pair in labels.pairs.tolist()}) > 1
    assert len(gaps) > 5
    assert found == pytest.approx(np.mean(plain), rel=1e-4)


@pytest.mark.parametrize("shape", [(2, 9), (2, 9, 3), (2, 9, 3, 4)])
def test_span_mean_is_that_of_a_plain_loop(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    spans = torch.tensor([[0, 0, 9], [1, 3, 4], [1, 8, 9], [0, 2, 7], [0, 2, 7]])
    expected = torch.stack([values[row, first:last].mean(0) for row, first, last in spans.tolist()])
    torch.testing.assert_close(span_mean(values, spans), expected, atol=1e-5, rtol=1e-5)


def test_what_has_no_label_has_no_gradient() -> None:
    labels = batch([*gold_articles(), *NOTHING])
    logits = random_logits(labels)
    total(losses(logits, labels), LossWeights()).backward()
    gradients = {name: getattr(logits, name).grad for name in LOGITS}
    for name in ("actor", "location", "proclitic"):
        ignored = torch.from_numpy(getattr(labels, name) == IGNORE)
        assert bool(ignored.any())
        assert not gradients[name][ignored].any()
        assert bool((gradients[name][~ignored].abs().sum(-1) > 0).all())
    padded = torch.from_numpy(~labels.event_mask)
    assert bool(padded.any())
    assert not gradients["event"][padded].any()
    assert bool((gradients["event"][~padded] != 0).all())
    assert bool(gradients["sector"].any())
    locations = torch.ones(gradients["sector"].shape[:2], dtype=torch.bool)
    for (row, first, last), sector in zip(labels.spans.tolist(), labels.sectors.tolist(), strict=True):
        if sector != IGNORE:
            locations[row, first:last] = False
    # sums over spans are differences of running sums, which leave a rounding error
    assert float(gradients["sector"][locations].abs().max()) < 1e-7


def test_the_mode_loss_looks_at_the_modes_of_the_gold_type_alone() -> None:
    labels = batch(gold_articles())
    logits = random_logits(labels)
    losses(logits, labels)["mode"].backward()
    seen = torch.zeros(logits.mode.shape, dtype=torch.bool)
    for row, slot, kind in labels.events.tolist():
        seen[row, slot, list(COLUMNS_OF_TYPE[kind])] = True
    gradient = logits.mode.grad
    assert gradient is not None
    assert not gradient[~seen].any()
    assert bool(gradient[seen].any())


def test_a_batch_without_mentions_or_events_has_finite_losses_and_gradients() -> None:
    labels = batch(NOTHING)
    assert (len(labels.spans), len(labels.events), len(labels.pairs)) == (0, 0, 0)
    logits = random_logits(labels)
    parts = losses(logits, labels)
    found = values(parts)
    assert (found["proclitic"], found["sector"], found["mode"], found["role"]) == (0, 0, 0, 0)
    assert found["mention"] > 0
    assert found["event"] > 0
    total(parts, LossWeights()).backward()
    for name in ("actor", "location", "event"):
        gradient = getattr(logits, name).grad
        assert bool(gradient.isfinite().all())
        assert bool(gradient.any())


def test_mentions_without_a_sector_have_no_sector_loss() -> None:
    labels = batch(list(read_markup(["# id: a", "قصف [سرمين|L1]."], "test")))
    assert labels.sectors.tolist() == [IGNORE]
    parts = losses(random_logits(labels), labels)
    assert values(parts)["sector"] == 0.0
    assert values(parts)["proclitic"] > 0.0


def test_the_total_is_weighted() -> None:
    parts = {name: torch.tensor(2.0**power) for power, name in enumerate(HEADS)}
    weights = {name: float(3 + index) for index, name in enumerate(HEADS)}
    expected = sum(weights[name] * float(parts[name]) for name in HEADS)
    assert float(total(parts, LossWeights(**weights))) == pytest.approx(expected)
    alone = LossWeights(**(dict.fromkeys(HEADS, 0.0) | {"mode": 2.0}))
    assert float(total(parts, alone)) == pytest.approx(2 * float(parts["mode"]))


def test_focus_spares_the_types_that_a_sentence_lacks_and_the_network_does_not_see() -> None:
    labels = batch(gold_articles())
    logits = random_logits(labels)
    wanted, present = torch.from_numpy(labels.event), torch.from_numpy(labels.event_mask)
    seen = torch.sigmoid(logits.event.detach())
    expected = torch.where(wanted > 0, -seen.log(), -(1 - seen).log() * seen**2).sum(-1)[present].mean()
    assert values(losses(logits, labels, 2.0))["event"] == pytest.approx(float(expected), rel=1e-5)
    assert values(losses(logits, labels, 2.0))["event"] < values(losses(logits, labels))["event"]
    others = {name: value for name, value in values(losses(logits, labels)).items() if name != "event"}
    assert values(losses(logits, labels, 2.0)).items() >= others.items()


def test_losses_of_half_precision_logits_are_single() -> None:
    labels = batch(gold_articles())
    logits = random_logits(labels)
    half = Logits(**{name: getattr(logits, name).detach().to(torch.bfloat16) for name in LOGITS})
    parts = losses(half, labels)
    assert values(parts) == pytest.approx(values(losses(logits, labels)), rel=0.05)
    assert total(parts, LossWeights()).dtype == torch.float32
