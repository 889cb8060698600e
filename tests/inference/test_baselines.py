from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasid.data.errors import DataError
from rasid.data.jsonl import write_articles
from rasid.data.markup import read_markup
from rasid.data.schema import Article
from rasid.inference.evaluation.baselines import BASELINES, Baseline
from rasid.train.cli import main

NAMES = ("جاسم", "حلب", "إدلب", "حماة", "حمص", "الرقة")
TRAIN = "\n".join(
    f"# id: t{n}\nقصف [الجيش|A1:MIL] مدينة [{name}|L1].\n@ ASSAULT ; A1 ; ; L1\n"
    f"وأدان [الأهالي|A2:CVL] ذلك في [{name}|L1].\n@ ACCUSE ; A2 ; ;\nوكان الجو باردا أمس."
    for n, name in enumerate(NAMES)
)
NEW = "# id: new\nقصف الجيش مدينة حلب.\nوأدان الأهالي ذلك في حمص.\nوكان الجو حارا أمس."


@pytest.fixture(params=list(BASELINES))
def fitted(request: pytest.FixtureRequest) -> Baseline:
    baseline = BASELINES[request.param]()
    baseline.fit(list(read_markup(TRAIN.splitlines(), "train")))
    return baseline


def new() -> Article:
    (article,) = read_markup(NEW.splitlines(), "new")
    return article


def test_mentions_and_events_are_found(fitted: Baseline) -> None:
    (found,) = fitted.predict([new()])
    assert [(found.surface(m), m.label, m.sector) for m in found.mentions] == [
        ("الجيش", "ACTOR", "MIL"),
        ("حلب", "LOCATION", None),
        ("الأهالي", "ACTOR", "CVL"),
        ("حمص", "LOCATION", None),
    ]
    assert [(e.sentence, e.type) for e in found.events] == [(0, "ASSAULT"), (1, "ACCUSE")]


def test_labels_that_the_article_has_are_not_looked_at(fitted: Baseline) -> None:
    (labelled,) = read_markup(NEW.replace("حلب", "[حلب|L9]").splitlines(), "new")
    assert fitted.predict([labelled]) == fitted.predict([new()])


def test_an_actor_of_unknown_name_takes_the_sector_of_its_first_word(fitted: Baseline) -> None:
    assert fitted.sector("الجيش الحر") == "MIL"
    assert fitted.sector("شيء") == "UNK"


def test_an_empty_article_stays_empty(fitted: Baseline) -> None:
    assert fitted.predict([Article("empty", "")]) == [Article("empty", "")]


def test_the_command_prints_baselines_beside_the_model(tmp_path: Path, model_folder: Path) -> None:
    write_articles(tmp_path / "train.jsonl", read_markup(TRAIN.splitlines(), "train"))
    places = ["--gold", tmp_path / "train.jsonl", "--baselines", tmp_path / "train.jsonl", "--model", model_folder]
    result = CliRunner().invoke(main, ["evaluate", *map(str, places), "--resamples", "0"])
    assert result.exit_code == 0, result.output
    assert result.output.count("articles; F1") == 3
    assert "lists" in result.output
    assert "CRF+SVM" in result.output


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn_crfsuite", None)
    with pytest.raises(DataError, match="rasid\\[evaluation\\]"):
        BASELINES["CRF+SVM"]().fit([])
