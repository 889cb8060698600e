from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from rasid.data.jsonl import read_articles, write_articles
from rasid.data.schema import Article
from rasid.train.cli import main

Run = Callable[..., Result]

ARABIC = "انسحبت قوات النظام من مدينة جاسم."


@pytest.fixture
def rasid(model_folder: Path) -> Run:
    def call(*args: object, stdin: str | bytes | None = None) -> Result:
        extra = ["--model", str(model_folder)] if args[0] in ("tag", "evaluate") and "--predictions" not in args else []
        return CliRunner().invoke(main, [*map(str, args), *extra], input=stdin)

    return call


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_text_file_becomes_one_record(rasid: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(ARABIC, encoding="utf-8")
    result = rasid("tag", path)
    assert result.exit_code == 0
    (record,) = records(result.stdout)
    assert (record["id"], record["text"]) == ("a.txt", ARABIC)
    assert record["sentences"] == [[0, len(ARABIC)]]


def test_jsonl_keeps_other_keys_and_order(rasid: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = [{"id": str(i), "text": ARABIC, "url": f"u{i}", "nested": {"a": [i]}} for i in range(20)]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    assert rasid("tag", path, "-o", out).exit_code == 0
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(r["id"], r["url"], r["nested"]) for r in found] == [(r["id"], r["url"], r["nested"]) for r in lines]


BAD_LINES = [
    (b'{"id": "x"}', "has no `text`"),
    (b'{"id": "x", "text": 5}', "is a int"),
    (b'{"id": "x", "text": "abc"', "broken JSON"),
    (b'{"id": "x", "text": ""}', "empty"),
    (b'{"id": "x", "text": "Hello 123"}', "no Arabic"),
    ('{"id": "x", "text": "\u064b\u064c\u0652"}'.encode(), "no Arabic"),
    (b'{"id": "x", "text": "\\u0642\\u0000"}', "NUL"),
    (b'{"id": "x", "text": "\xff"}', "not UTF-8"),
    (b"[1, 2]", "JSON object was expected"),
    ('{"id": "x", "text": "قصف", "sentences": [[0, 99]]}'.encode(), "sentence [0, 99)"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES, ids=[m for _, m in BAD_LINES])
def test_a_bad_line_gets_an_error_key_and_the_others_are_tagged(
    rasid: Run, tmp_path: Path, line: bytes, message: str
) -> None:
    path = tmp_path / "in.jsonl"
    good = json.dumps({"id": "good", "text": ARABIC}).encode()
    path.write_bytes(b"\n".join([good, line, good.replace(b"good", b"last")]))
    result = rasid("tag", path)
    assert result.exit_code == 3
    assert "Traceback" not in result.output
    first, bad, last = records(result.stdout)
    assert (first["id"], last["id"]) == ("good", "last")
    assert "error" not in first and "mentions" in last
    assert message in str(bad["error"]) and f"{path}:2" in str(bad["error"])


BAD_FILES = [
    ("empty.txt", b"", "empty"),
    ("latin.txt", b"only English here", "no Arabic"),
    ("bytes.txt", b"\xd9\x82\n\xff\xfe", ":2: not UTF-8"),
    ("nul.txt", "قصف\0".encode(), "NUL"),
    ("marks.txt", "\u064b\u0652".encode(), "no Arabic"),
    ("empty.jsonl", b"", "the file is empty"),
    ("not.parquet", b"PAR0", "not a Parquet file"),
    ("image.png", b"\x89PNG", "unknown kind of file"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES, ids=[n for n, _, _ in BAD_FILES])
def test_a_bad_file_is_named_and_the_others_are_tagged(
    rasid: Run, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    bad, good = tmp_path / name, tmp_path / "good.txt"
    bad.write_bytes(content)
    good.write_text(ARABIC, encoding="utf-8")
    result = rasid("tag", bad, good)
    assert result.exit_code == 3
    first, second = records(result.stdout)
    assert message in str(first["error"]) and name in str(first["error"])
    assert second["id"] == "good.txt" and "error" not in second


def test_a_missing_file_is_one_clear_error(rasid: Run, tmp_path: Path) -> None:
    result = rasid("tag", tmp_path / "nowhere.txt")
    assert result.exit_code == 3
    assert "nowhere.txt" in result.stderr and "Traceback" not in result.output


def test_parquet_in_and_out(rasid: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    rows = {"id": ["1", "2", "3"], "text": [ARABIC, None, ARABIC], "url": ["u", "v", "w"]}
    pq.write_table(pa.table(rows), source)
    result = rasid("tag", source, "-o", out)
    assert result.exit_code == 3
    found = pq.read_table(out).to_pylist()
    assert [row["id"] for row in found] == ["1", "2", "3"]
    assert [row["text"] for row in found] == [ARABIC, None, ARABIC]
    assert found[1]["error"] and found[1]["mentions"] is None
    assert [json.loads(row["meta"])["url"] for row in found] == ["u", "v", "w"]
    assert all({"start", "end", "label", "entity", "sector", "score"} == m.keys() for m in found[0]["mentions"])


def test_standard_input_takes_json_lines_or_a_text(rasid: Run) -> None:
    assert records(rasid("tag", "-", stdin=ARABIC).stdout)[0]["text"] == ARABIC
    lines = json.dumps({"id": "7", "text": ARABIC}) + "\n"
    assert records(rasid("tag", "-", stdin=lines).stdout)[0]["id"] == "7"


def test_text_format_shows_the_sentence_and_its_labels(rasid: Run) -> None:
    result = rasid("tag", "-", "--format", "text", stdin=ARABIC)
    assert result.exit_code == 0
    assert ARABIC in result.stdout
    assert "ACTOR" in result.stdout or "LOCATION" in result.stdout
    assert "\x1b[" not in result.stdout
    assert "\x1b[" in rasid("tag", "-", "--format", "text", "--color", stdin=ARABIC).stdout


def test_a_failed_job_leaves_no_half_written_output(rasid: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = rasid("tag", "-", "-o", out, stdin=ARABIC)
    assert result.exit_code == 1 and "--format" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_tag_is_a_usage_error(rasid: Run) -> None:
    result = rasid("tag")
    assert result.exit_code == 2 and "--sample" in result.stderr


def test_evaluate_scores_predictions_and_prints_json(
    rasid: Run, gold_file: Path, gold: list[Article], tmp_path: Path
) -> None:
    perfect = rasid("evaluate", "--gold", gold_file, "--predictions", gold_file, "--json", "--resamples", "20")
    assert perfect.exit_code == 0
    assert json.loads(perfect.stdout)["layers"]["ACTOR"]["f1"] == 1.0
    fewer = tmp_path / "pred.jsonl"
    write_articles(fewer, [Article(a.id, a.text, sentences=a.sentences) for a in gold])
    nothing = rasid("evaluate", "--gold", gold_file, "--predictions", fewer, "--json", "--resamples", "0")
    assert json.loads(nothing.stdout)["layers"]["ACTOR"]["f1"] == 0.0


def test_evaluate_runs_a_model_and_prints_a_table(rasid: Run, gold_file: Path) -> None:
    result = rasid("evaluate", "--gold", gold_file, "--resamples", "10")
    assert result.exit_code == 0
    assert "event macro" in result.stdout and "2 articles" in result.stdout


def test_evaluate_names_a_gold_article_without_prediction(
    rasid: Run, gold_file: Path, gold: list[Article], tmp_path: Path
) -> None:
    path = tmp_path / "pred.jsonl"
    write_articles(path, gold[:1])
    result = rasid("evaluate", "--gold", gold_file, "--predictions", path)
    assert result.exit_code == 1
    assert gold[1].id in result.stderr


def test_data_commands_convert_and_join(rasid: Run, gold_file: Path, gold: list[Article], tmp_path: Path) -> None:
    markup, labels, joined = tmp_path / "m.txt", tmp_path / "labels.jsonl", tmp_path / "joined.jsonl"
    assert rasid("data", "convert", gold_file, "-o", markup).exit_code == 0
    assert rasid("data", "check", markup, "--lint").exit_code == 0
    assert rasid("data", "convert", markup, "--standoff", "-o", labels).exit_code == 0
    assert gold[0].text[:20] not in labels.read_text(encoding="utf-8")
    assert rasid("data", "join", labels, "--texts", gold_file, "-o", joined).exit_code == 0
    assert [(a.id, a.text, a.mentions, a.events) for a in read_articles(joined)] == [
        (a.id, a.text, a.mentions, a.events) for a in gold
    ]
    twice = rasid("data", "join", labels, labels, "--texts", gold_file, "-o", joined)
    assert twice.exit_code == 1 and "stands twice" in twice.output
    alone = rasid("data", "check", labels)
    assert alone.exit_code == 1 and "not among the texts given" in alone.output


def test_data_stats_counts(rasid: Run, gold_file: Path) -> None:
    found = json.loads(rasid("data", "stats", gold_file, "--json").stdout)
    assert found["size"]["articles"] == 2
    assert found["size"]["sentences"] == 5
    assert found["modes"]["ASSAULT.heavy-weapons"] == 1
    assert found["roles"] == {"source": 5, "target": 2, "location": 3}


def test_text_format_never_sends_control_characters_of_the_article_to_the_terminal(rasid, tmp_path: Path) -> None:  # noqa: ANN001
    path = tmp_path / "a.txt"
    path.write_text(f"\x1b[31m{ARABIC}\x07", encoding="utf-8")
    result = rasid("tag", path, "--format", "text", "--no-color")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout and "\x07" not in result.stdout
