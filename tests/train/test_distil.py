from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from rasid.data.errors import DataError
from rasid.data.jsonl import write_articles
from rasid.data.schema import Article
from rasid.data.standoff import digest
from rasid.inference.batches import Batch, Special
from rasid.inference.loading import load_network, open_folder
from rasid.inference.model import Logits, RasidModel
from rasid.inference.windows import plan_windows
from rasid.train.card import _before
from rasid.train.config import TrainConfig, load_config
from rasid.train.distil import mix, read_unlabelled, soft_losses, state_loss
from rasid.train.features import TrainingBatch, collate, to_features
from rasid.train.note import read_note
from rasid.train.setup import keep_layers, new_model
from rasid.train.trainer import Training
from rasid.train.views import View

UNLABELLED = "قصف الجيش مدينة جاسم بعد اتفاق مع وجهاء المدينة."


@pytest.fixture
def labels(model_folder: Path, gold: list[Article]) -> TrainingBatch:
    tokenizer = open_folder(model_folder).tokenizer
    features = [to_features(article, tokenizer) for article in gold]
    windows = [(i, w) for i, f in enumerate(features) for w in plan_windows(f.pieces.lengths.tolist(), 60)]
    return collate(features, windows, Special(first=2, last=3, pad=0))


def run(model: RasidModel, labels: TrainingBatch) -> Logits:
    arrays = (labels.batch.input_ids, labels.batch.attention_mask, labels.batch.sentence_mask)
    logits = model.eval()(*(torch.from_numpy(array) for array in arrays))
    return Logits(**{f.name: getattr(logits, f.name).detach().requires_grad_() for f in fields(Logits)})


def taught(model: RasidModel, labels: TrainingBatch) -> tuple[Logits, View]:
    return run(model, labels), View(labels.batch, labels.spans)


def other(model_folder: Path) -> RasidModel:
    torch.manual_seed(5)
    model = load_network(model_folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter) * parameter.std())
    return model


def test_who_agrees_with_the_teacher_has_nothing_to_learn(model_folder: Path, labels: TrainingBatch) -> None:
    student = run(load_network(model_folder), labels)
    found = soft_losses(student, [taught(load_network(model_folder), labels)], labels)
    torch.stack(list(found.values())).sum().backward()
    for field in fields(Logits):
        gradient = getattr(student, field.name).grad
        assert gradient is None or float(gradient.abs().max()) < 1e-6, field.name


def test_every_head_learns_from_a_teacher_that_differs(model_folder: Path, labels: TrainingBatch) -> None:
    student = run(load_network(model_folder), labels)
    teacher, view = taught(other(model_folder), labels)
    before = soft_losses(student, [(teacher, view)], labels)
    assert set(before) == {"mention", "proclitic", "event", "sector", "mode", "role"}
    at_best = soft_losses(teacher, [(teacher, view)], labels)
    assert all(float(before[name].detach()) > float(at_best[name].detach()) for name in before)


def test_teachers_are_averaged(model_folder: Path, labels: TrainingBatch) -> None:
    student, one = run(load_network(model_folder), labels), taught(load_network(model_folder), labels)
    two = taught(other(model_folder), labels)
    both = soft_losses(student, [one, two], labels)
    alone = [soft_losses(student, [teacher], labels) for teacher in (one, two)]
    for name, loss in both.items():  # a cross-entropy is linear in the probabilities that it is against
        mean = float((alone[0][name] + alone[1][name]).detach()) / 2
        assert float(loss.detach()) == pytest.approx(mean, rel=1e-4)


def test_the_weight_parts_the_loss() -> None:
    hard, soft = {"role": torch.tensor(2.0)}, {"role": torch.tensor(6.0)}
    assert float(mix(hard, soft, 0.25)["role"]) == pytest.approx(3.0)


def test_layers_are_kept_evenly_with_the_last() -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=6, num_attention_heads=2, intermediate_size=8)
    encoder = BertModel(config, add_pooling_layer=False)
    weights = [layer.attention.self.query.weight.detach().clone() for layer in encoder.encoder.layer]
    keep_layers(encoder, 3)
    kept = [layer.attention.self.query.weight for layer in encoder.encoder.layer]
    assert encoder.config.num_hidden_layers == len(kept) == 3
    assert all(torch.equal(found, weights[index]) for found, index in zip(kept, (1, 3, 5), strict=True))
    with pytest.raises(DataError, match="layers = 4"):
        keep_layers(encoder, 4)


def test_texts_that_are_labelled_or_no_articles_are_not_taken(tmp_path: Path) -> None:
    texts = ["نص أول عن جاسم.", "نص ثان عن درعا.", "no Arabic here", "نص " * 5000]
    lines = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = read_unlabelled([tmp_path], 0, frozenset({digest(texts[1])}))
    assert [article.text for article in found] == [texts[0]]
    assert len(read_unlabelled([tmp_path], 1, frozenset())) == 1


@pytest.fixture
def config(tmp_path: Path, model_folder: Path, encoder_folder: Path, gold: list[Article]) -> TrainConfig:
    write_articles(tmp_path / "train.jsonl", gold)
    dev = gold[1]
    write_articles(
        tmp_path / "dev.jsonl", [Article("dev", dev.text + " ", "", dev.sentences, dev.mentions, dev.events)]
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.txt").write_text(UNLABELLED, encoding="utf-8")
    (tmp_path / "more" / "dev.txt").write_text(dev.text + " ", encoding="utf-8")
    path = tmp_path / "student.toml"
    path.write_text(
        f"""
        [model]
        encoder = "{model_folder}"
        heads = true
        window = 24
        layers = 1
        role_size = 8
        [data]
        train = ["train.jsonl"]
        dev = ["dev.jsonl"]
        [optim]
        epochs = 2
        evaluate_from = 2
        [distil]
        teachers = ["{model_folder}"]
        states = 0.5
        texts = ["more"]
        """,
        encoding="utf-8",
    )
    return load_config(path)


def test_a_student_of_fewer_layers_learns_from_its_teacher(config: TrainConfig, tmp_path: Path) -> None:
    training = Training(config, tmp_path / "run", "cpu")
    assert [a.text for a in training.articles[2:]] == [UNLABELLED]
    folder = training.run(quiet=True)
    assert load_network(folder).config.encoder["num_hidden_layers"] == 1
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "1 texts without labels" in card
    (learnt,) = read_note(folder)["labels"]
    assert learnt["articles"] == 2 and learnt["unlabelled"] == 1 and learnt["places"] == ["more"]
    told = _before(read_note(folder))
    assert "2 labelled articles and 1 texts without labels" in told and "more" in told
    assert "trained taggers" in card


def test_a_student_begins_where_its_teacher_ended(config: TrainConfig, model_folder: Path) -> None:
    teacher, student = load_network(model_folder), new_model(config, str(model_folder))
    assert torch.equal(student.actor.weight, teacher.actor.weight)
    last = teacher.encoder.encoder.layer[-1].output.dense.weight
    assert torch.equal(student.encoder.encoder.layer[0].output.dense.weight, last)


def test_states_are_as_far_as_the_share_of_variance_that_they_miss() -> None:
    ids = np.array([[5, 6, 0]])
    batch = Batch(ids, np.array([[1, 1, 0]]), np.ones((1, 1, 3), dtype=bool))
    view = View(batch, np.zeros((0, 3), dtype=np.int64))
    teacher = torch.tensor([[[0.0, 2.0], [2.0, 0.0], [9.0, 9.0]]])
    assert float(state_loss(teacher, teacher, batch, view)) == 0
    assert float(state_loss(torch.ones(1, 3, 2), teacher, batch, view)) == 1  # their mean explains nothing
    assert float(state_loss(teacher + torch.tensor([1.0, 0.0]), teacher, batch, view)) == pytest.approx(0.5)


def test_the_states_of_student_and_teacher_come_together(config: TrainConfig, tmp_path: Path) -> None:
    path = config.folder / "student.toml"
    found = {}
    for weight in ("0.0", "2.0"):
        out = tmp_path / f"run-{weight}"
        changes = {"distil.states": weight, "distil.weight": "0.5", "optim.epochs": "60", "optim.lr": "3e-3"}
        Training(load_config(path, changes), out, "cpu").run(quiet=True)
        teacher = load_network(config.paths(config.distil.teachers)[0])
        ids = torch.randint(5, 30, (4, 12), generator=torch.Generator().manual_seed(0))
        mask = torch.ones_like(ids)
        states = [m.eval().encoder(ids, mask).last_hidden_state for m in (load_network(out / "model"), teacher)]
        batch = Batch(ids.numpy(), mask.numpy(), np.ones((4, 1, 12), dtype=bool))
        found[weight] = float(state_loss(*states, batch, View(batch, np.zeros((0, 3), dtype=np.int64))).detach())
    assert found["2.0"] < found["0.0"]


def test_states_of_another_width_are_refused(config: TrainConfig, tmp_path: Path, encoder_folder: Path) -> None:
    wide = tmp_path / "wide"
    BertModel(BertConfig.from_pretrained(encoder_folder, hidden_size=16, num_attention_heads=2)).save_pretrained(wide)
    for file in encoder_folder.glob("tokenizer*"):
        (wide / file.name).write_bytes(file.read_bytes())
    changes = {"model.encoder": str(wide), "model.heads": "false"}
    with pytest.raises(DataError, match="wide"):
        Training(load_config(config.folder / "student.toml", changes), tmp_path / "run", "cpu")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("distil.teachers", "[]", "teachers"),
        ("distil.weight", "1.5", "weight"),
        ("distil.limit", "-1", "limit"),
        ("distil.states", "-1", "states"),
        ("distil.weight", "0.0", "states"),
        ("model.layers", "-1", "layers"),
        ("model.encoder", "rasid-base", "heads"),
    ],
)
def test_a_distillation_that_makes_no_sense_is_refused(config: TrainConfig, key: str, value: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_config(config.folder / "student.toml", {key: value})
