"""The checkpoints that ship with the package: they are there, load without a network, and tag."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasid.data.errors import DataError
from rasid.data.sample_texts import sample_files
from rasid.data.sources import load_labelled
from rasid.inference.evaluation.scores import score
from rasid.inference.loading import SHIPPED, find_folder
from rasid.inference.runtime.graph import FILE, find_graph
from rasid.inference.tagger import Tagger
from rasid.train.cli import main

TEST_SPLIT = Path(__file__).parents[2] / "data" / "corpus" / "test.jsonl"


@pytest.fixture(scope="module", params=sorted(SHIPPED))
def shipped(request: pytest.FixtureRequest) -> Tagger:
    return Tagger.from_pretrained(request.param, device="cpu")


@pytest.mark.parametrize("folder", SHIPPED.values(), ids=SHIPPED)
def test_it_is_small_and_without_pickle(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", FILE, "tokenizer.json", "README.md"} <= sizes.keys()
    assert max(sizes.values()) < 95e6
    assert sum(size for name, size in sizes.items() if name != FILE) < 95e6
    assert not any(name.endswith((".bin", ".pt", ".pkl", ".py")) for name in sizes)
    assert "/" not in json.loads((folder / "config.json").read_text())["encoder"].get("_name_or_path", "")


@pytest.mark.parametrize("folder", SHIPPED.values(), ids=SHIPPED)
def test_the_graph_was_made_of_the_weights(folder: Path) -> None:
    assert find_graph(folder) == folder / FILE


def test_the_default_is_the_first_and_a_name_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fast").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_folder(None) == SHIPPED["base"]
    assert find_folder("fast") == SHIPPED["fast"]
    with pytest.raises(DataError, match="no model here"):
        find_folder("./fast")


def test_it_reads_a_plain_sentence(shipped: Tagger) -> None:
    text = "قصفت قوات النظام مدينة سرمين بريف إدلب، ما أدى إلى مقتل ثلاثة مدنيين."
    article = shipped.tag([text])[0]
    found = {(article.surface(m), m.label) for m in article.mentions}
    assert {("قوات النظام", "ACTOR"), ("سرمين", "LOCATION"), ("ريف إدلب", "LOCATION"), ("مدنيين", "ACTOR")} <= found
    names = {m.entity: article.surface(m) for m in article.mentions}
    (roles,) = {e.roles for e in article.events if e.type == "ASSAULT"}  # of two modes, should it find more than one
    sources, targets, _ = roles
    assert [names[e] for e in sources] == ["قوات النظام"]
    assert "مدنيين" in [names[e] for e in targets]


def test_it_scores_on_held_out_articles(shipped: Tagger) -> None:
    gold = load_labelled([TEST_SPLIT])[:12]
    scores = score(gold, shipped.tag(gold))
    assert scores.counts["ACTOR"].f1 > 0.7
    assert scores.counts["LOCATION"].f1 > 0.7
    assert scores.counts["event type"].f1 > 0.6


def test_the_sample_command_shows_every_sample() -> None:
    result = CliRunner().invoke(main, ["tag", "--sample", "--device", "cpu"])
    assert result.exit_code == 0
    assert len(sample_files()) == 3
    for path in sample_files():
        assert path.name in result.stdout
        assert path.read_text(encoding="utf-8").strip().splitlines()[0] in result.stdout
    assert "ASSAULT" in result.stdout
