from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasid.data.errors import DataError
from rasid.data.jsonl import write_articles
from rasid.data.schema import Article
from rasid.train.cli import main
from rasid.train.config import TrainConfig, load_config
from rasid.train.record import Run, add_to_ledger, read_ledger, read_run, table, write_page

SETTINGS = {"optim.seed": 13, "optim.lr": 2e-4, "data.only": []}
LAYERS = ("ACTOR", "LOCATION", "sector", "event type", "event macro 5+", "mode", "role")


def run(name: str, f1: float, seed: int = 13, corpus: str = "abcdef123", **settings: object) -> Run:
    own = {**SETTINGS, "optim.seed": seed, **{key.replace("__", "."): value for key, value in settings.items()}}
    return Run(name, own, corpus, 82, 30.0, dict.fromkeys(LAYERS, f1), "dev.jsonl", seed)


def rows(runs: list[Run]) -> list[str]:
    return table(runs, TrainConfig()).splitlines()[2:]


def test_seeds_of_one_configuration_share_a_line() -> None:
    (line,) = rows([run("a", 0.80), run("b", 0.82, 14), run("c", 0.84, 15)])
    assert "| `rasid-base.toml` | 82 `abcdef` | 13, 14, 15 |" in line
    assert "| 82.0 ± 2.0 |" in line


def test_other_settings_or_data_have_their_own_line_that_names_them() -> None:
    lines = rows([run("a", 0.8), run("b", 0.7, optim__lr=0.1, data__only=["pilot-*"]), run("c", 0.6, corpus="fedcba9")])
    assert len(lines) == 3
    assert "`optim.lr=0.1`, `data.only=pilot-*`" in lines[1]
    assert "| 70.0 |" in lines[1]
    assert "`fedcba`" in lines[2]


def test_a_run_recorded_again_takes_its_own_place(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_to_ledger(ledger, [run("a", 0.5), run("b", 0.6)])
    again = add_to_ledger(ledger, [run("a", 0.7)])
    assert [(r.name, r.scores["ACTOR"]) for r in again] == [("a", 0.7), ("b", 0.6)]
    assert read_ledger(ledger) == again


def test_only_the_part_between_the_marks_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_page(page, [run("a", 0.5)], TrainConfig())
    page.write_text("before\n" + page.read_text(encoding="utf-8") + "\nDecided.\n", encoding="utf-8")
    write_page(page, [run("a", 0.9)], TrainConfig())
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("Decided.\n")
    assert "90.0" in text
    assert "50.0" not in text


def test_a_page_without_marks_is_not_overwritten(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("by hand", encoding="utf-8")
    with pytest.raises(DataError, match="lost the marks"):
        write_page(page, [], TrainConfig())


def test_an_unfinished_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no finished run"):
        read_run(tmp_path, [], "dev.jsonl")


def test_a_run_goes_from_training_into_the_record(tmp_path: Path, encoder_folder: Path, gold: list[Article]) -> None:
    from rasid.train.trainer import Training

    write_articles(tmp_path / "train.jsonl", gold[:1])
    write_articles(tmp_path / "dev.jsonl", gold[1:])
    config = tmp_path / "tiny.toml"
    config.write_text(
        f'[model]\nencoder = "{encoder_folder}"\nwindow = 40\n'
        '[data]\ntrain = ["train.jsonl"]\ndev = ["dev.jsonl"]\n[optim]\nepochs = 1\n',
        encoding="utf-8",
    )
    Training(load_config(config), tmp_path / "runs" / "one", "cpu").run(quiet=True)
    ledger, page = tmp_path / "ledger.jsonl", tmp_path / "page.md"
    places = ["--gold", tmp_path / "dev.jsonl", "--config", config, "--ledger", ledger, "--page", page]
    result = CliRunner().invoke(main, ["train", "record", str(tmp_path / "runs" / "one"), *map(str, places)])
    assert result.exit_code == 0, result.output
    (found,) = read_ledger(ledger)
    assert (found.name, found.articles, found.seed) == ("one", 1, 13)
    assert len(found.corpus) == 64
    assert "| `rasid-base.toml` | 1 `" in page.read_text(encoding="utf-8")


def test_the_card_names_what_the_encoder_learnt_first(tmp_path: Path, gold: list[Article]) -> None:
    from rasid.inference.evaluation.scores import score
    from rasid.train.card import RunFacts, write_card
    from rasid.train.note import NOTE

    corpora = {"aqmar": {"title": "AQMAR (2012), CC BY-SA 3.0", "sentences": 1234, "pieces": 9}}
    note = {"encoder": "rasid-base", "corpora": corpora, "epochs": 2, "lr": 0.1, "seed": 5}
    (tmp_path / NOTE).write_text(json.dumps(note), encoding="utf-8")
    write_card(tmp_path, TrainConfig(), gold, gold, score(gold, gold), RunFacts(60.0, 1, "a CPU", tmp_path))
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "  - AQMAR (2012), CC BY-SA 3.0: 1,234 sentences" in text
    assert "multilingual-e5-small" in text


def test_the_card_takes_held_out_scores_and_replaces_them(tmp_path: Path, gold: list[Article]) -> None:
    from rasid.inference.evaluation.scores import score
    from rasid.train.card import RunFacts, write_card, write_held_out

    write_card(tmp_path, TrainConfig(), gold, gold, score(gold, gold), RunFacts(60.0, 1, "a CPU", tmp_path))
    write_held_out(tmp_path, [("First:", "10.0")])
    write_held_out(tmp_path, [("Second:", "20.0"), ("Third:", "30.0")])
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "10.0" not in text
    assert text.index("## Scores on articles that nothing") < text.index("20.0") < text.index("30.0")
    assert text.index("30.0") < text.index("## Limits")
    (tmp_path / "README.md").write_text("by hand", encoding="utf-8")
    with pytest.raises(DataError, match="no model card"):
        write_held_out(tmp_path, [])
