"""AraBERT's configuration from end to end, on a tiny encoder with a WordPiece vocabulary in AraBERT's place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rasid.data.jsonl import write_articles
from rasid.data.schema import Article
from rasid.inference.evaluation.scores import score
from rasid.inference.tagger import Tagger
from rasid.train.config import TrainConfig, load_config
from rasid.train.trainer import Training

ARABERT = Path(__file__).parents[2] / "train" / "configs" / "arabert.toml"
# As writers type it: diacritics, tatweel and a zero-width joiner, which AraBERT's own preprocessor would take out.
MARKED = "اِنسحبتْ قوّات النظـــام من مدينة جاسم\u200d بعد اتفاق مع وجهاء المدينة."


@pytest.fixture
def config(tmp_path: Path, encoder_folder: Path, gold: list[Article]) -> TrainConfig:
    write_articles(tmp_path / "train.jsonl", gold)
    other = gold[1]
    dev = Article("dev", other.text + " ", "", other.sentences, other.mentions, other.events)
    write_articles(tmp_path / "dev.jsonl", [dev])
    return load_config(
        ARABERT,
        {
            "model.encoder": str(encoder_folder),
            "model.window": "60",
            "data.train": f'["{tmp_path / "train.jsonl"}"]',
            "data.dev": f'["{tmp_path / "dev.jsonl"}"]',
            "data.exclude": "[]",
            "optim.epochs": "40",
            "optim.lr": "3e-3",
            "optim.head_lr": "1e-2",
            "optim.patience": "0",
            "optim.evaluate_from": "40",
        },
    )


def test_it_trains_and_tags_the_text_as_given(config: TrainConfig, tmp_path: Path, gold: list[Article]) -> None:
    folder = Training(config, tmp_path / "run", "cpu").run(quiet=True)
    tagger = Tagger.from_pretrained(folder, "cpu")
    assert score(gold, tagger.tag(gold)).counts["ACTOR"].f1 > 0.7
    (article,) = tagger.tag([MARKED])
    assert article.text == MARKED
    assert {"قوّات النظـــام", "جاسم\u200d"} & {article.surface(m) for m in article.mentions}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_trains_in_bf16_on_a_gpu(config: TrainConfig, tmp_path: Path, gold: list[Article]) -> None:
    training = Training(config, tmp_path / "run")
    assert training.accelerator.mixed_precision == "bf16"
    tagger = Tagger.from_pretrained(training.run(quiet=True), "cuda")
    assert score(gold, tagger.tag(gold)).counts["ACTOR"].f1 > 0.7
