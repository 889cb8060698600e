"""What works where rasid is installed without any extra."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rasid.data.jsonl import read_articles, write_articles
from rasid.data.schema import Article

TEXT = "انسحبت قوات النظام من مدينة جاسم.\nقصف الجيش بلدة سرمين، ما أدى لمقتل 3 مدنيين."
# As in an environment of the core alone: what extras bring cannot be imported.
WITHOUT = """
import sys
MISSING = {"torch", "transformers", "datasets", "evaluate", "accelerate", "onnx", "safetensors", "sklearn",
           "sklearn_crfsuite", "scipy", "ray", "pyspark"}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
COMMAND = "from rasid.train.cli import main\nmain(prog_name='rasid')\n"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def python(program: str, *args: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", program, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env)


def core(*args: object) -> subprocess.CompletedProcess[str]:
    return python(WITHOUT + COMMAND, *args)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_cpu_tags_without_torch(exported: Path) -> None:
    """Not for want of it: it is there, and left alone."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "import rasid.inference.tagger\n"
        f"article, = rasid.inference.tagger.Tagger.from_pretrained(Path({str(exported)!r})).tag([{TEXT!r}])\n"
        "assert article.mentions\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'onnx', 'scipy'} & set(sys.modules)))\n"
    )
    done = python(program)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_tagging_reaches_no_network(exported: Path) -> None:
    """OpenVINO would tell its makers of every import."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "events = []\n"
        "sys.addaudithook(lambda name, _: events.append(name) if name.startswith('socket.') else None)\n"
        "from rasid.inference.tagger import Tagger\n"
        f"assert Tagger.from_pretrained(Path({str(exported)!r})).tag([{TEXT!r}])[0].mentions\n"
        "assert 'openvino' in sys.modules\n"
        "print(events, [name for name in sys.modules if name.startswith('openvino_telemetry')])\n"
    )
    done = python(program)
    assert (done.returncode, done.stdout.strip()) == (0, "[] []"), done.stderr


@pytest.mark.parametrize("command", ["", "tag", "evaluate", "data", "train", "export"])
def test_help_is_there(command: str) -> None:
    done = core(*command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: rasid" in done.stdout


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "folder"])
def test_tagging(exported: Path, text: Path, tmp_path: Path, name: str) -> None:
    done = core("tag", text, "-o", tmp_path / name, "--model", exported)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("1 articles, ")


def test_tagging_to_the_terminal(exported: Path, text: Path) -> None:
    done = core("tag", text, "--model", exported)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mentions"]


def test_scoring(exported: Path, gold_file: Path) -> None:
    done = core("evaluate", "--gold", gold_file, "--model", exported, "--resamples", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert "ACTOR" in json.loads(done.stdout)["layers"]


def test_data(gold_file: Path, gold: list[Article], tmp_path: Path) -> None:
    assert core("data", "check", gold_file, "--lint").returncode == 0
    assert core("data", "convert", gold_file, "-o", tmp_path / "markup.txt").returncode == 0
    assert core("data", "convert", tmp_path / "markup.txt", "-o", tmp_path / "again.jsonl").returncode == 0
    assert [a.events for a in read_articles(tmp_path / "again.jsonl")] == [a.events for a in gold]


def test_what_needs_an_extra_names_it_in_one_line(
    exported: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RASID_CACHE", str(tmp_path / "cache"))
    bare = shutil.copytree(exported, tmp_path / "bare", ignore=shutil.ignore_patterns("*.onnx"))
    write_articles(tmp_path / "gold.jsonl", [Article("a", TEXT, sentences=((0, len(TEXT)),))])
    gold = ("evaluate", "--gold", tmp_path / "gold.jsonl", "--model", exported, "--resamples", "0")
    for args, extra in (
        (("tag", text, "--model", bare), "train"),
        (("tag", text, "--model", exported, "--precision", "fp32"), "train"),
        (("tag", text, "--model", exported, "--device", "cuda"), "train"),
        (("tag", text, "--model", exported, "-o", tmp_path / "tagged", "--engine", "ray"), "ray"),
        (("export", exported), "train"),
        (("train", "config.toml"), "train"),
        (("train", "card", exported, "--gold", tmp_path / "gold.jsonl"), "train"),
        ((*gold, "--entities"), "evaluation"),
        ((*gold, "--baselines", tmp_path / "gold.jsonl"), "evaluation"),
    ):
        done = core(*args)
        assert done.returncode == 1, args
        assert f"pip install 'rasid[{extra}]'" in done.stderr.splitlines()[-1], (args, done.stderr)
        assert "Traceback" not in done.stderr


def test_libraries_that_need_an_extra_name_it() -> None:
    done = python(WITHOUT + "import rasid.inference.evaluation.metrics")
    assert "ImportError: metrics need datasets: pip install 'rasid[train]'" in done.stderr
    program = "from pathlib import Path\nfrom rasid.data.public import load_public\nload_public('anercorp', Path())"
    done = python(WITHOUT + program)
    assert "a datasets.Dataset needs datasets, which is not installed: pip install 'rasid[train]'" in done.stderr
