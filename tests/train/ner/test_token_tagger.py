from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rasid.inference.batches import Special
from rasid.train.config import OptimConfig
from rasid.train.features import IGNORE
from rasid.train.ner.tagger import Noise, Passage, SharedTagger, apart, fit, hide, to_arrays, to_targets
from rasid.train.setup import open_encoder

SPECIAL = Special(first=2, last=3, pad=0)
RATES = OptimConfig(epochs=30, batch_tokens=256, lr=3e-3, head_lr=1e-2)


def tagger(encoder_folder: Path) -> SharedTagger:
    torch.manual_seed(0)
    return SharedTagger(open_encoder(str(encoder_folder)), {"anercorp": 3})


def say(model: SharedTagger, passage: Passage) -> torch.Tensor:
    ids, mask, _ = to_arrays([passage], SPECIAL)
    with torch.no_grad():
        found: torch.Tensor = model.eval()("anercorp", ids, mask)[0, 1:-1].softmax(-1)
    return found


def test_a_label_a_teacher_and_both() -> None:
    tags = torch.tensor([[1, 1, IGNORE, IGNORE]])
    soft = torch.tensor([[[0.0, 0, 0], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0, 0, 0]]])
    found = to_targets(tags, soft)
    wanted = torch.tensor([[[0.0, 1, 0], [0.4, 0.55, 0.05], [0.2, 0.2, 0.6], [0, 0, 0]]])
    torch.testing.assert_close(found, wanted)


def test_passes_are_apart_by_both_divergences() -> None:
    one, other = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.9, 0.1]])
    wanted = (one * (one / other).log()).sum(-1) + (other * (other / one).log()).sum(-1)
    torch.testing.assert_close(apart(one.log(), other.log()), wanted)
    assert not apart(one.log(), one.log()).any()


def test_soft_labels_pull_a_student_towards_its_teachers(encoder_folder: Path, tmp_path: Path) -> None:
    soft = np.array([[0.7, 0.2, 0.1], [0, 0, 0], [0.1, 0.1, 0.8]], dtype=np.float32)
    passage = Passage("anercorp", (7, 8, 9), (IGNORE,) * 3, soft)
    model = tagger(encoder_folder)
    fit(model, lambda _: [passage], SPECIAL, RATES, tmp_path / "log.jsonl", quiet=True)
    assert np.abs(say(model, passage).numpy()[[0, 2]] - soft[[0, 2]]).max() < 0.1


def test_it_learns_in_spite_of_noise(encoder_folder: Path, tmp_path: Path) -> None:
    passages = [Passage("anercorp", (7, 8, 9), (0, 1, 2)), Passage("anercorp", (9, 8), (2, 1))]
    model = tagger(encoder_folder)
    noise = Noise(rdrop=1.0, hide=0.1, by=4)
    fit(model, lambda _: passages, SPECIAL, RATES, tmp_path / "log.jsonl", noise=noise, quiet=True)
    assert say(model, passages[0]).argmax(-1).tolist() == [0, 1, 2]


def test_pieces_alone_are_hidden() -> None:
    batch = [Passage("anercorp", (7,) * 900, (1,) * 900), Passage("anercorp", (9,), (2,))]
    ids, mask, _ = to_arrays(batch, SPECIAL)
    torch.manual_seed(0)
    found = hide(ids, mask, Noise(hide=0.3, by=4))
    assert set(found[0, 1:-1].tolist()) == {4, 7}
    assert (found == 4).float()[0, 1:-1].mean() == pytest.approx(0.3, abs=0.05)
    frame = torch.ones_like(mask, dtype=torch.bool)
    frame[0, 1:-1] = frame[1, 1] = False
    assert torch.equal(found[frame], ids[frame])


def test_averaged_weights_are_those_in_the_end(encoder_folder: Path, tmp_path: Path) -> None:
    def moved(average: float) -> torch.Tensor:
        model = tagger(encoder_folder)
        before = model.heads["anercorp"].weight.detach().clone()
        optim = OptimConfig(epochs=1, warmup=0.0, average=average)
        passages = [Passage("anercorp", (7, 8, 9), (0, 1, 2))]
        fit(model, lambda _: passages, SPECIAL, optim, tmp_path / "log.jsonl", quiet=True)
        return model.heads["anercorp"].weight.detach() - before

    # one step
    torch.testing.assert_close(moved(0.1), 0.9 * moved(0.0), rtol=1e-3, atol=1e-7)
    assert moved(0.1).any()
