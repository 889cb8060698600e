from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rasid.inference.loading import load_network
from rasid.inference.model import load_encoder


def test_the_encoder_of_a_trained_model_can_be_begun_from(model_folder: Path) -> None:
    found = load_encoder(str(model_folder)).state_dict()
    wanted = load_network(model_folder).encoder.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_an_encoder_kept_in_half_precision_is_trained_in_single(encoder_folder: Path, tmp_path: Path) -> None:
    load_encoder(str(encoder_folder)).half().save_pretrained(tmp_path)
    assert {value.dtype for value in load_file(tmp_path / "model.safetensors").values()} == {torch.float16}
    assert {value.dtype for value in load_encoder(str(tmp_path)).parameters()} == {torch.float32}


def test_a_folder_without_an_encoder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "rasid"}), encoding="utf-8")
    with pytest.raises(OSError, match=r"model\.safetensors"):
        load_encoder(str(tmp_path))
