"""A tiny random model and a few labelled sentences, built in memory for the tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from rasid.data.jsonl import write_articles
from rasid.data.markup import read_markup
from rasid.data.schema import Article
from rasid.inference.export import export_onnx
from rasid.inference.loading import load_network, open_folder
from rasid.inference.model import RasidConfig, RasidModel
from rasid.inference.runtime.graph import FILE
from rasid.inference.runtime.torch import TorchRuntime
from rasid.inference.tagger import Tagger

MARKUP = """\
# id: jasim
# date: 2022-12-05
# fiction: true
انسحبت [قوات النظام|A1:MIL] من مدينة [جاسم|L1] بعد اتفاق مع [وجهاء المدينة|A2:ELI].
@ RETREAT.withdraw ; A1 ; ; L1
@ AGREE ; A1,A2 ; ;
وقال [مصدر محلي|A3:UNK] إن [الأهالي|A4:CVL] عادوا إلى منازلهم.

# id: idlib
# fiction: true
قصف [الجيش|A1:MIL] بلدة [سرمين|L1] ب[ريف إدلب|L2]، ما أدى لمقتل 3 [مدنيين|A2:CVL].
@ ASSAULT.heavy-weapons ; A1 ; A2 ; L1,L2
و[سرمين|L1] بلدة قريبة من [إدلب|L3].
طالب [أهالي [سرمين|L1]|A3:CVL] ب[الأمم المتحدة|A4:IGO] بالتدخل.
@ REQUEST.assist ; A3 ; A4 ;
"""


def gold_articles() -> list[Article]:
    return list(read_markup(MARKUP.splitlines(), "fixture"))


def wordpiece_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    words = sorted({word for text in texts for word in text.split()})
    letters = sorted({char for word in words for char in word})
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{char}" for char in letters)]
    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(dict.fromkeys(vocab))}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"},
        **{"sep_token": "[SEP]", "mask_token": "[MASK]"},
    )


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Graphs that are exported when a model is first used are kept for one session of tests, and out of the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASID_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT with a WordPiece vocabulary: it stands for AraBERT, by the same `from_pretrained`."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = wordpiece_tokenizer([article.text for article in gold_articles()])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger folder with random weights, scaled up so that it predicts spans and events of every kind."""
    folder = tmp_path_factory.mktemp("model")
    config = BertConfig.from_pretrained(encoder_folder)
    torch.manual_seed(1)
    model = RasidModel(RasidConfig(config.to_dict(), window=24, role_size=8))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("encoder.") and parameter.dim() > 1:
                parameter.mul_(40.0)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(encoder_folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def exported(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tagger folder with its 8-bit graph beside the weights."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    shutil.copytree(model_folder, folder)
    export_onnx(folder, folder / FILE)
    return folder


@pytest.fixture(scope="session")
def tagger(model_folder: Path) -> Tagger:
    found = open_folder(model_folder)
    runtime = TorchRuntime(load_network(model_folder), "cpu")
    return Tagger(runtime, found.tokenizer, found.special, window=24, event_threshold=0.5)


@pytest.fixture
def gold() -> list[Article]:
    return gold_articles()


@pytest.fixture
def gold_file(tmp_path: Path, gold: list[Article]) -> Path:
    path = tmp_path / "gold.jsonl"
    write_articles(path, gold)
    return path
