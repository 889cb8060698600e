from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from safetensors.torch import load_file

from rasid.data.errors import DataError
from rasid.data.jsonl import dumps, write_articles
from rasid.data.schema import Article
from rasid.data.standoff import to_standoff
from rasid.inference.evaluation.scores import score
from rasid.inference.tagger import Tagger
from rasid.train.config import load_config
from rasid.train.log import read_log
from rasid.train.trainer import Training


@pytest.fixture
def config_file(tmp_path: Path, encoder_folder: Path, gold: list[Article]) -> Path:
    write_articles(tmp_path / "train.jsonl", gold)
    write_articles(tmp_path / "dev.jsonl", [Article("dev", *_rest(gold[1]))])
    path = tmp_path / "tiny.toml"
    path.write_text(
        f"""
        [model]
        encoder = "{encoder_folder}"
        window = 40
        role_size = 16
        [data]
        train = ["train.jsonl"]
        dev = ["dev.jsonl"]
        [optim]
        epochs = 3
        batch_tokens = 64
        lr = 3e-3
        head_lr = 1e-2
        average = 0.5
        patience = 0
        evaluate_from = 1
        """,
        encoding="utf-8",
    )
    return path


def _rest(article: Article) -> tuple[object, ...]:
    # one character more, so that the text is not one to learn from
    return (article.text + " ", "", article.sentences, article.mentions, article.events)


def test_a_run_learns_writes_a_model_and_its_card(config_file: Path, tmp_path: Path, gold: list[Article]) -> None:
    config = load_config(config_file, {"optim.epochs": "40", "optim.patience": "0"})
    folder = Training(config, tmp_path / "run", "cpu").run(quiet=True)
    scores = score(gold, Tagger.from_pretrained(folder, "cpu").tag(gold))
    assert scores.counts["ACTOR"].f1 > 0.7
    assert scores.counts["LOCATION"].f1 > 0.7
    assert scores.counts["event type"].f1 > 0.7
    assert scores.counts["role"].f1 > 0.5
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "2 articles" in card and "ACTOR" in card and "seed 13" in card
    assert not [f for f in os.listdir(folder) if f.endswith((".bin", ".pt", ".pkl"))]
    log = list(read_log(tmp_path / "run" / "log.jsonl"))
    assert [line["epoch"] for line in log if "dev" in line and "epoch" in line] == list(range(1, 41))


def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(config_file: Path, tmp_path: Path) -> None:
    config = load_config(config_file)
    whole = Training(config, tmp_path / "whole", "cpu").run(quiet=True)
    first = Training(config, tmp_path / "cut", "cpu")
    close = first._close_epoch

    def cut(*args: object) -> None:
        close(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    first._close_epoch = cut  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        first.run(quiet=True)
    resumed = Training(config, tmp_path / "cut", "cpu").run(quiet=True)
    left, right = load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert left.keys() == right.keys()
    assert all((left[name] - right[name]).abs().max() < 1e-3 for name in left)


def test_the_model_is_calibrated_on_dev(config_file: Path, tmp_path: Path) -> None:
    run = Training(load_config(config_file), tmp_path / "run", "cpu")
    folder = run.run(quiet=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert set(config["calibration"]) == {"ACTOR", "LOCATION", "event type"}
    assert all(scale > 0 for scale, _ in config["calibration"].values())
    done = next(line for line in read_log(tmp_path / "run" / "log.jsonl") if "done" in line)
    assert set(done["calibration error"]) == {"before", "after"}


def test_augmentation_changes_what_is_learnt(config_file: Path, tmp_path: Path) -> None:
    changes = {f"augment.{name}": "0.7" for name in ("names", "hamza", "quotes", "sentences")}
    config = load_config(config_file, changes)
    whole = Training(config, tmp_path / "whole", "cpu").run(quiet=True)
    plain = Training(load_config(config_file), tmp_path / "plain", "cpu").run(quiet=True)
    left, right = (load_file(folder / "model.safetensors") for folder in (whole, plain))
    assert any((left[name] - right[name]).abs().max() > 1e-3 for name in left)


def test_a_run_with_another_configuration_is_not_resumed(config_file: Path, tmp_path: Path) -> None:
    Training(load_config(config_file, {"optim.epochs": "1"}), tmp_path / "run", "cpu").run(quiet=True)
    other = load_config(config_file, {"optim.epochs": "2"})
    with pytest.raises(DataError, match="another configuration"):
        Training(other, tmp_path / "run", "cpu").run(quiet=True)
    Training(other, tmp_path / "run", "cpu").run(resume=False, quiet=True)


def test_training_stops_when_dev_gets_no_better(config_file: Path, tmp_path: Path) -> None:
    config = load_config(
        config_file, {"optim.epochs": "9", "optim.lr": "0.0", "optim.head_lr": "0.0", "optim.patience": "2"}
    )
    Training(config, tmp_path / "run", "cpu").run(quiet=True)
    epochs = [line["epoch"] for line in read_log(tmp_path / "run" / "log.jsonl") if "dev" in line and "epoch" in line]
    assert epochs == [1, 2, 3]


def test_an_evaluation_text_is_never_learnt_from(config_file: Path, tmp_path: Path, gold: list[Article]) -> None:
    write_articles(tmp_path / "dev.jsonl", [Article("other-id", gold[0].text)])
    with pytest.raises(DataError, match="evaluates as other-id"):
        Training(load_config(config_file), tmp_path / "run", "cpu")


def test_an_excluded_text_is_known_by_its_hash_alone(config_file: Path, tmp_path: Path, gold: list[Article]) -> None:
    (tmp_path / "held-out.jsonl").write_text(dumps(to_standoff(gold[1])) + "\n", encoding="utf-8")
    config = load_config(config_file, {"data.exclude": '["held-out.jsonl"]'})
    with pytest.raises(DataError, match=f"evaluates as {gold[1].id}"):
        Training(config, tmp_path / "run", "cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optim.epochs": "0"}, "epochs must be"),
        ({"optim.speed": "3"}, "unknown key 'speed'"),
        ({"optim.lr": "fast"}, "should be a float"),
        ({"optim.precision": "int3"}, "precision"),
        ({"model.window": "4000"}, "window"),
        ({"size.big": "1"}, "unknown table"),
        ({"augment.names": "1.5"}, "names = 1.5 should lie in"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    config_file: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message) as raised:
        load_config(config_file, change)
    assert "tiny.toml" in str(raised.value)


def test_an_encoder_that_is_not_there_is_named(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = load_config(config_file, {"model.encoder": str(tmp_path / "nowhere")})
    with pytest.raises(DataError, match="nowhere"):
        Training(config, tmp_path / "run", "cpu")


def test_the_shipped_configurations_are_whole() -> None:
    folder = Path(__file__).parents[2] / "train" / "configs"
    encoders = {path.name: load_config(path).model.encoder for path in folder.glob("*.toml")}
    assert encoders == {
        "rasid-base.toml": "rasid-base",
        "distilled.toml": "../../runs/base-15/model",
        "fast.toml": "../../runs/words",
        "arabert.toml": "aubmindlab/bert-base-arabertv02",
    }


def test_the_log_is_json_lines_with_losses(config_file: Path, tmp_path: Path) -> None:
    Training(load_config(config_file, {"optim.epochs": "12"}), tmp_path / "run", "cpu").run(quiet=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses and losses[0].keys() == {"mention", "proclitic", "sector", "event", "mode", "role"}


def test_a_run_killed_while_it_renamed_its_checkpoint_resumes(config_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    Training(load_config(config_file), out, "cpu").run(quiet=True)
    (out / "last").rename(out / "last.new")
    before = (out / "log.jsonl").read_text()
    Training(load_config(config_file), out, "cpu").run(quiet=True)
    assert (out / "log.jsonl").read_text().startswith(before)
