from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig

from rasid.inference.model import RasidConfig, RasidModel
from rasid.train.config import OptimConfig
from rasid.train.optim import make_optimizer, optimizer_tensors, restore_optimizer, set_rate

CONFIG = OptimConfig(lr=1e-3, head_lr=1e-2, layer_decay=0.5, weight_decay=0.1)


def tiny_model(layers: int = 3) -> RasidModel:
    torch.manual_seed(0)
    encoder = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    return RasidModel(RasidConfig(encoder.to_dict(), window=14, role_size=4))


def settings_of(model: RasidModel, optimizer: torch.optim.Optimizer) -> dict[str, tuple[float, float]]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}


def step(model: RasidModel, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimizer.zero_grad()
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


def test_every_parameter_is_in_one_group() -> None:
    model = tiny_model()
    optimizer = make_optimizer(model, CONFIG)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize(
    ("part", "rate"),
    [
        ("encoder.encoder.layer.2.", 1e-3),
        ("encoder.encoder.layer.1.", 5e-4),
        ("encoder.encoder.layer.0.", 2.5e-4),
        ("encoder.embeddings.", 1.25e-4),
        ("actor.", 1e-2),
        ("event", 1e-2),
        ("role_bias", 1e-2),
        ("gap_bias", 1e-2),
    ],
)
def test_rates_fall_from_the_top_layer_to_the_embeddings(part: str, rate: float) -> None:
    model = tiny_model()
    rates = [r for name, (r, _) in settings_of(model, make_optimizer(model, CONFIG)).items() if name.startswith(part)]
    assert rates
    assert rates == pytest.approx([rate] * len(rates))


def test_layers_beyond_the_tenth_are_counted_as_numbers() -> None:
    model = tiny_model(12)
    rates = settings_of(model, make_optimizer(model, CONFIG))
    top = rates["encoder.encoder.layer.11.output.dense.weight"][0]
    assert top == pytest.approx(1e-3)
    assert rates["encoder.encoder.layer.9.output.dense.weight"][0] == pytest.approx(top / 4)


def test_only_matrices_decay() -> None:
    model = tiny_model()
    found = settings_of(model, make_optimizer(model, CONFIG))
    for name, parameter in model.named_parameters():
        assert found[name][1] == (0.1 if parameter.dim() > 1 else 0.0), name
    assert {decay for _, decay in found.values()} == {0.0, 0.1}


@pytest.mark.parametrize(
    ("progress", "warmup", "factor"),
    [
        *((0.0, 0.2, 0.0), (0.1, 0.2, 0.5), (0.2, 0.2, 1.0), (0.6, 0.2, 0.5), (1.0, 0.2, 0.0)),
        *((0.0, 0.0, 1.0), (0.25, 0.0, 0.75), (1.0, 0.0, 0.0)),
        *((0.5, 1.0, 0.5), (1.1, 0.2, 0.0)),
    ],
)
def test_the_rate_rises_to_its_peak_and_falls_to_zero(progress: float, warmup: float, factor: float) -> None:
    model = tiny_model()
    optimizer = make_optimizer(model, CONFIG)
    peaks = [group["lr"] for group in optimizer.param_groups]
    assert set_rate(optimizer, progress, warmup) == pytest.approx(factor)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([peak * factor for peak in peaks])


def test_setting_the_rate_again_begins_from_the_peak() -> None:
    model = tiny_model()
    optimizer = make_optimizer(model, CONFIG)
    before = settings_of(model, optimizer)
    set_rate(optimizer, 0.9, 0.1)
    set_rate(optimizer, 0.1, 0.1)
    assert settings_of(model, optimizer) == before


def test_a_state_that_went_through_a_file_goes_on_as_the_original(tmp_path: Path) -> None:
    model = tiny_model()
    optimizer = make_optimizer(model, CONFIG)
    for seed in range(3):
        step(model, optimizer, seed)
    tensors = optimizer_tensors(optimizer)
    save_file(tensors, tmp_path / "optimizer.safetensors")
    twin = tiny_model()
    twin.load_state_dict(model.state_dict())
    restored = make_optimizer(twin, CONFIG)
    restore_optimizer(restored, load_file(tmp_path / "optimizer.safetensors"))
    for chosen, chosen_optimizer in ((model, optimizer), (twin, restored)):
        set_rate(chosen_optimizer, 0.5, 0.1)
        step(chosen, chosen_optimizer, 7)
    for (name, left), (_, right) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        assert torch.equal(left, right), name
    fresh_model = tiny_model()
    fresh = make_optimizer(fresh_model, CONFIG)
    step(fresh_model, fresh, 7)
    assert not torch.equal(optimizer_tensors(restored)["0.exp_avg"], optimizer_tensors(fresh)["0.exp_avg"])
    assert float(optimizer_tensors(restored)["0.step"]) == 4.0


def test_the_tensors_are_copies() -> None:
    model = tiny_model()
    optimizer = make_optimizer(model, CONFIG)
    step(model, optimizer, 0)
    tensors = optimizer_tensors(optimizer)
    kept = tensors["0.exp_avg"].clone()
    step(model, optimizer, 1)
    assert torch.equal(tensors["0.exp_avg"], kept)


def test_before_the_first_step_there_is_no_state() -> None:
    optimizer = make_optimizer(tiny_model(), CONFIG)
    assert optimizer_tensors(optimizer) == {}
    restore_optimizer(optimizer, {})
    assert optimizer.param_groups[0]["peak"] == optimizer.param_groups[0]["lr"]
