from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from rasid.data.jsonl import write_articles
from rasid.data.prose import prose, prose_by, shared_ngrams, words_of
from rasid.data.schema import Article
from rasid.train.cli import main


def article(identifier: str, text: str, **meta: str) -> Article:
    return Article(identifier, text, meta=meta)


def test_words_have_no_marks_and_no_punctuation() -> None:
    assert words_of("قُتِلَ 3 مدنيّين، في «حـــلب».") == ["قتل", "3", "مدنيين", "في", "حلب"]


def test_types_are_counted_in_whole_stretches_only() -> None:
    varied = article("a", " ".join(f"w{n}" for n in range(1500)))
    dull = article("b", " ".join(["one", "two"] * 1000))
    assert prose([varied]).types_per_1000 == 1000
    assert prose([dull]).types_per_1000 == 2
    assert prose([article("c", "few words")]).types_per_1000 == 0


def test_figures_of_a_small_text() -> None:
    found = prose([article("a", "«aa» bb bb 10 «cc»"), article("b", "dd")])
    assert (found.articles, found.words) == (2, 6)
    assert found.once == pytest.approx(4 / 5)
    assert found.word_length == 2
    assert found.numbers_per_1000 == pytest.approx(1000 / 6)
    assert found.quotes_per_1000 == pytest.approx(4000 / 6)


def test_an_empty_set_has_zeros() -> None:
    assert prose([]).word_length == 0
    assert prose([article("a", "…")]).once == 0


def test_groups_come_by_size() -> None:
    found = prose_by([article("a", "x", manner="wire"), *(article(i, "y", manner="post") for i in "bc")], "manner")
    assert list(found) == ["post", "wire"]
    assert found["post"].articles == 2


def test_the_share_is_that_of_the_shorter_article() -> None:
    long = article("long", "a b c d e f g h i j")
    short = article("short", "x c d e f g")
    other = article("other", "p q r s t u")
    assert list(shared_ngrams([long, short, other])) == [(0.5, "long", "short")]


def test_the_command_fails_where_two_articles_have_too_much_in_common(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    write_articles(path, [article("one", "a b c d e f g h"), article("two", "a b c d e f g x")])
    runner = CliRunner()
    strict = runner.invoke(main, ["data", "prose", str(path)])
    assert strict.exit_code == 1
    assert "one and two, share 75.0%" in strict.output
    assert runner.invoke(main, ["data", "prose", str(path), "--most", "80", "--beside", str(path)]).exit_code == 0
