from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasid.data.errors import DataError
from rasid.data.jsonl import write_articles
from rasid.data.markup import read_markup
from rasid.data.schema import Article, Event, Mention
from rasid.inference.evaluation.errors import Mistake, costliest, find_mistakes, known_names, summarise
from rasid.inference.report.errors import write_errors
from rasid.train.cli import main

GOLD = """\
# id: one
# manner: wire
قصف [الجيش السوري|A1:MIL] بلدة [سرمين|L1] وقتل [مدنيين|A2:CVL].
@ ASSAULT.heavy-weapons ; A1 ; A2 ; L1
وأدان [الأهالي|A3:CVL] [الجيش|A1:MIL].
@ ACCUSE.disapprove ; A3 ; A1 ;
"""


def article(markup: str) -> Article:
    (found,) = read_markup(markup.splitlines(), "fixture")
    return found


@pytest.fixture
def gold() -> Article:
    return article(GOLD)


def said(gold: Article, predicted: str) -> list[tuple[int, str, str, str, str]]:
    found = find_mistakes(gold, article(predicted))
    return sorted((m.sentence, m.layer, m.kind, m.gold, m.predicted) for m in found)


def test_a_perfect_prediction_has_no_mistakes(gold: Article) -> None:
    assert find_mistakes(gold, gold) == []


def test_boundaries_labels_sectors_missed_and_spurious_are_told_apart(gold: Article) -> None:
    predicted = (
        GOLD.replace("[الجيش السوري|A1:MIL]", "[الجيش|A1:MIL] السوري")
        .replace("[سرمين|L1]", "[سرمين|A9:UNK]")
        .replace("; L1", ";")
        .replace("[مدنيين|A2:CVL]", "[مدنيين|A2:UNK]")
        .replace("[الأهالي|A3:CVL]", "الأهالي")
        .replace("; A3 ;", "; ;")
        .replace("وأدان", "و[أدان|A8:UNK]")
    )
    assert said(gold, predicted) == [
        (0, "ACTOR", "boundary", "الجيش السوري", "الجيش"),
        (0, "LOCATION", "type", "سرمين", "سرمين ACTOR"),
        (0, "location", "missed", "ASSAULT: سرمين", ""),
        (0, "sector", "type", "مدنيين CVL", "مدنيين UNK"),
        (1, "ACTOR", "missed", "الأهالي", ""),
        (1, "ACTOR", "spurious", "", "أدان"),
        (1, "source", "missed", "ACCUSE: الأهالي", ""),
    ]


def test_events_and_roles(gold: Article) -> None:
    predicted = GOLD.replace("ASSAULT.heavy-weapons ; A1 ; A2", "ASSAULT.aerial ; A2 ; A1").replace(
        "ACCUSE.disapprove", "REQUEST"
    )
    assert said(gold, predicted) == [
        (0, "mode", "type", "ASSAULT.heavy-weapons", "ASSAULT.aerial"),
        (0, "source", "type", "ASSAULT: الجيش السوري", "ASSAULT: target"),
        (0, "target", "type", "ASSAULT: مدنيين", "ASSAULT: source"),
        (1, "event type", "type", "ACCUSE", "REQUEST"),
    ]


def test_missed_and_spurious_events(gold: Article) -> None:
    bare = replace(gold, events=())
    assert [(m.kind, m.gold) for m in find_mistakes(gold, bare)] == [("missed", "ASSAULT"), ("missed", "ACCUSE")]
    assert [(m.kind, m.predicted) for m in find_mistakes(bare, gold)] == [
        ("spurious", "ASSAULT"),
        ("spurious", "ACCUSE"),
    ]


def test_a_spurious_role(gold: Article) -> None:
    predicted = replace(gold, events=(gold.events[0], replace(gold.events[1], locations=("L1",))))
    assert [(m.sentence, m.layer, m.kind, m.predicted) for m in find_mistakes(gold, predicted)] == [
        (1, "location", "spurious", "ACCUSE: سرمين")
    ]


def test_unseen_names_are_told_by_the_names_learnt(gold: Article) -> None:
    known = known_names([Article("t", "الأهالى", "", ((0, 7),), (Mention(0, 7, "ACTOR", "A1", "CVL"),))])
    found = {m.gold: m.unseen for m in find_mistakes(gold, replace(gold, mentions=(), events=()), known)}
    assert found["الأهالي"] is False
    assert found["سرمين"] is True


def test_another_text_is_an_error(gold: Article) -> None:
    with pytest.raises(DataError, match="one"):
        find_mistakes(gold, Article("one", "something else"))


def test_the_summary_counts_by_what_may_explain(gold: Article) -> None:
    found = summarise({"one": gold}, find_mistakes(gold, replace(gold, events=())))
    assert found["layer"] == {"event type": {"missed": 2}}
    assert found["outlet"] == {"wire": {"event type": 2}}
    assert found["length"] == {"up to 100 words": {"event type": 2}}
    assert found["position"] == {"first sentence": {"event type": 1}, "later": {"event type": 1}}
    assert found["name"] == {}


def test_the_worst_sentences_come_first() -> None:
    def mistake(sentence: int) -> Mistake:
        return Mistake("a", sentence, "ACTOR", "missed")

    found = costliest([mistake(0), mistake(1), mistake(1), mistake(2)], most=2)
    assert [(sentence, len(mistakes)) for _, sentence, mistakes in found] == [(1, 2), (0, 1)]


def test_the_page_escapes_the_text_and_shows_crossing_mentions(tmp_path: Path) -> None:
    text = "<b> وادي بردى"
    gold = Article("<i>", text, "", ((0, len(text)),), (Mention(4, 13, "LOCATION", "L1"),))
    crossing = (Mention(4, 8, "LOCATION", "L1"), Mention(6, 13, "ACTOR", "A1", "UNK"))
    predicted = replace(gold, mentions=crossing, events=(Event("ASSAULT", 0),))
    page = tmp_path / "errors.html"
    write_errors(page, [gold], [predicted], find_mistakes(gold, predicted))
    shown = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert shown.count("<span") == shown.count("</span>") == 2


def test_the_command_writes_pages_and_lines(tmp_path: Path, gold: Article) -> None:
    write_articles(tmp_path / "gold.jsonl", [gold])
    write_articles(tmp_path / "predicted.jsonl", [replace(gold, events=())])
    base = ["evaluate", "--gold", tmp_path / "gold.jsonl", "--predictions", tmp_path / "predicted.jsonl"]
    for name in ("errors.html", "errors.jsonl"):
        options = ["--errors", tmp_path / name, "--seen", tmp_path / "gold.jsonl"]
        result = CliRunner().invoke(main, [*map(str, base), *map(str, options)])
        assert result.exit_code == 0, result.output
        assert "2 mistakes" in result.output
    lines = [json.loads(line) for line in (tmp_path / "errors.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["layer"], line["kind"]) for line in lines] == [("event type", "missed")] * 2
    wrong = CliRunner().invoke(main, [*map(str, base), "--errors", str(tmp_path / "errors.txt")])
    assert wrong.exit_code == 1
    assert "errors.txt" in wrong.output
