from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import gold_articles, wordpiece_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from rasid.data.errors import DataError
from rasid.data.jsonl import write_articles
from rasid.data.schema import Article
from rasid.inference.batches import Special
from rasid.inference.loading import load_network, open_folder
from rasid.inference.model import Logits, RasidConfig, RasidModel
from rasid.inference.pieces import Pieces, to_pieces
from rasid.inference.segment import segment
from rasid.inference.windows import plan_windows
from rasid.train.config import load_config
from rasid.train.distil import soft_losses, state_loss
from rasid.train.features import IGNORE, TrainingBatch, collate, to_features
from rasid.train.teaching import Reader, Teaching, to_tensors
from rasid.train.trainer import Training
from rasid.train.views import View, fitting, translate, view_of

SPECIAL = Special(first=2, last=3, pad=0)
LONGEST = 60


def fine() -> Tokenizer:
    """Every word letter by letter."""
    letters = " ".join(sorted({char for article in gold_articles() for char in article.text if not char.isspace()}))
    backend: Tokenizer = wordpiece_tokenizer([letters]).backend_tokenizer
    return backend


def coarse() -> Tokenizer:
    """Every other word whole, the others letter by letter."""
    words = sorted({word for article in gold_articles() for word in article.text.split()})
    letters = " ".join(sorted({char for word in words for char in word}))
    backend: Tokenizer = wordpiece_tokenizer([letters, *words[::2]]).backend_tokenizer
    return backend


def batch_of(own: Tokenizer, other: Tokenizer, size: int) -> tuple[TrainingBatch, View, list[Pieces], list[Pieces]]:
    articles = gold_articles()
    features = [[to_features(article, tokenizer) for article in articles] for tokenizer in (own, other)]
    windows = [(i, w) for i, f in enumerate(features[0]) for w in plan_windows(f.pieces.lengths.tolist(), size, 0.0)]
    labels = collate(features[0], windows, SPECIAL)
    view = view_of(features[0], features[1], windows, labels, SPECIAL)
    return labels, view, *([f.pieces for f in part] for part in features)


@pytest.mark.parametrize("size", [7, 20, 60])
@pytest.mark.parametrize("swap", [False, True])
def test_every_token_is_found_where_its_word_begins(size: int, swap: bool) -> None:
    tokenizers = (fine(), coarse()) if swap else (coarse(), fine())
    labels, view, *_ = batch_of(*tokenizers, size)
    assert view.words is not None
    own, other = tokenizers
    inside = labels.actor != IGNORE
    for row, token in zip(*np.nonzero(inside), strict=True):
        mine = own.id_to_token(int(labels.batch.input_ids[row, token]))
        theirs = other.id_to_token(int(view.batch.input_ids[row, view.words.tokens[row, token]]))
        assert not theirs.startswith("##")
        assert view.words.firsts[row, token] == (not mine.startswith("##"))
        if view.words.firsts[row, token]:
            assert mine.startswith(theirs) or theirs.startswith(mine)
    assert not view.words.tokens[~inside].any()
    assert not view.words.firsts[~inside].any()


@pytest.mark.parametrize("size", [7, 20, 60])
def test_mentions_and_sentences_are_the_same_in_both(size: int) -> None:
    labels, view, own, other = batch_of(coarse(), fine(), size)
    assert len(view.spans) == len(labels.spans) == len(labels.mentions)
    assert view.batch.sentence_mask.shape[:2] == labels.batch.sentence_mask.shape[:2]
    assert np.array_equal(view.batch.sentence_mask.any(-1), labels.event_mask)
    tokenizers = (coarse(), fine())
    for mine, theirs in zip(labels.spans.tolist(), view.spans.tolist(), strict=True):
        texts = [
            "".join(t.id_to_token(i).removeprefix("##") for i in b.input_ids[row, first:last].tolist())
            for t, b, (row, first, last) in zip(tokenizers, (labels.batch, view.batch), (mine, theirs), strict=True)
        ]
        assert texts[0] == texts[1]


@settings(deadline=None, max_examples=50)
@given(st.text("جاسم من 12.، \n", max_size=120), st.integers(2, 30), st.booleans())
def test_no_window_is_longer_than_its_reader_reads(text: str, size: int, swap: bool) -> None:
    tokenizers = (coarse(), fine()) if swap else (fine(), coarse())
    own, other = (to_pieces(text, segment(text), t) for t in tokenizers)
    try:
        most = fitting(own, other, size, LONGEST)
    except DataError:
        assert np.bincount(other.words).max() > 1
        return
    assert most <= size
    for window in plan_windows(own.lengths.tolist(), most, 0.0):
        their = translate(window, own, other)
        assert 0 < len(their) <= LONGEST
        assert own.words[window.start] == other.words[their.start]
        assert own.words[window.end - 1] == other.words[their.end - 1]


def renumbered(model_folder: Path, out: Path) -> Path:
    """The same tagger, whose pieces have other ids."""
    folder = open_folder(model_folder)
    size = folder.tokenizer.get_vocab_size()
    order = np.r_[0:5, np.random.default_rng(0).permutation(np.arange(5, size))]
    tokens = [str(folder.tokenizer.id_to_token(int(i))) for i in order]
    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = folder.tokenizer.normalizer, folder.tokenizer.pre_tokenizer
    model = load_network(model_folder)
    table = model.encoder.get_input_embeddings().weight
    assert isinstance(table, torch.Tensor)
    with torch.no_grad():
        table.copy_(table[torch.from_numpy(order)].clone())
    model.save_pretrained(out)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(out)
    return out


def say(model: RasidModel, view: View) -> Logits:
    logits = model.eval()(*to_tensors(view.batch, torch.device("cpu")))
    return Logits(**{f.name: getattr(logits, f.name).detach() for f in fields(Logits)})


def test_a_teacher_says_the_same_whatever_numbers_its_pieces_have(model_folder: Path, tmp_path: Path) -> None:
    twin = renumbered(model_folder, tmp_path / "twin")
    own = open_folder(model_folder)
    teaching = Teaching(Reader(own.tokenizer, own.special, 60), [model_folder, twin])
    assert [teacher.reader for teacher in teaching.teachers] == [0, 1]
    articles = gold_articles()
    features = [reader.read(articles) for reader in teaching.readers]
    assert teaching.sizes(articles, features, 60) == [60, 60]
    windows = [(i, w) for i, f in enumerate(features[0]) for w in plan_windows(f.pieces.lengths.tolist(), 60, 0.0)]
    labels = collate(features[0], windows, own.special)
    views = teaching.views(features, windows, labels)
    assert not np.array_equal(views[0].batch.input_ids, views[1].batch.input_ids)
    same, twins = teaching.ask(views)
    student = load_network(model_folder)
    with torch.no_grad():
        student.encoder.encoder.layer[0].output.dense.weight.add_(0.05)
    logits = say(student, views[0])
    pieces_of_words = soft_losses(logits, [same], labels)
    for name, loss in soft_losses(logits, [twins], labels).items():
        if name not in ("mention", "proclitic"):  # those are taught by the word's first piece, not by each piece
            assert float(loss) == pytest.approx(float(pieces_of_words[name]), rel=1e-4), name


def test_a_piece_that_goes_on_with_a_word_is_taught_to_go_on(model_folder: Path) -> None:
    labels, view, *_ = batch_of(fine(), coarse(), 60)
    config = RasidConfig(load_network(model_folder).config.encoder, window=60, role_size=8)
    config.encoder["vocab_size"] = 400
    torch.manual_seed(0)
    teacher = RasidModel(config)
    logits = say(teacher, view)
    assert view.words is not None
    # a student of pure words' opinion: what is left between it and the teacher is the teacher's own doubt
    row = np.nonzero(labels.actor != IGNORE)[0]
    at = labels.actor != IGNORE
    probabilities = torch.softmax(logits.actor[row, view.words.tokens[at]], -1)
    firsts = torch.from_numpy(view.words.firsts[at])
    merged = torch.stack(
        [probabilities[:, 0], torch.full((len(probabilities),), 1e-9), probabilities[:, 1] + probabilities[:, 2]], -1
    )
    wanted = torch.where(firsts[:, None], probabilities, merged)
    student = say(teacher, View(labels.batch, labels.spans))
    student.actor[torch.from_numpy(at)] = torch.log(wanted)
    student.location[torch.from_numpy(at)] = torch.log(wanted)
    logits.location = logits.actor
    student.actor.requires_grad_()
    soft_losses(student, [(logits, view)], labels)["mention"].backward()
    assert student.actor.grad is not None
    assert float(student.actor.grad.abs().max()) < 1e-6


def test_states_are_compared_where_words_begin() -> None:
    labels, view, *_ = batch_of(coarse(), fine(), 20)
    assert view.words is not None
    teacher = torch.randn(*view.batch.input_ids.shape, 4, generator=torch.Generator().manual_seed(0))
    student = torch.zeros(*labels.batch.input_ids.shape, 4)
    rows, tokens = np.nonzero(view.words.firsts)
    student[rows, tokens] = teacher[rows, view.words.tokens[rows, tokens]]
    assert float(state_loss(student, teacher, labels.batch, view)) == 0.0
    student[rows, tokens] += 1.0
    assert float(state_loss(student, teacher, labels.batch, view)) > 0.5


def gold_with_space(articles: Iterable[Article]) -> list[Article]:
    return [Article(f"{a.id}-dev", a.text + " ", "", a.sentences, a.mentions, a.events) for a in articles]


@pytest.mark.parametrize("changed", ["0.0", "0.9"])
def test_a_teacher_with_another_vocabulary_teaches(model_folder: Path, tmp_path: Path, changed: str) -> None:
    twin = renumbered(model_folder, tmp_path / "twin")
    write_articles(tmp_path / "train.jsonl", gold_articles())
    write_articles(tmp_path / "dev.jsonl", gold_with_space(gold_articles()))
    path = tmp_path / "student.toml"
    path.write_text(
        f"""
        [model]
        encoder = "{model_folder}"
        heads = true
        window = 24
        role_size = 8
        [data]
        train = ["train.jsonl"]
        dev = ["dev.jsonl"]
        [optim]
        epochs = 2
        [augment]
        names = {changed}
        [distil]
        teachers = ["{twin}", "{model_folder}"]
        states = 0.5
        """,
        encoding="utf-8",
    )
    training = Training(load_config(path), tmp_path / "run", "cpu")
    assert len(training.features) == len(training.teaching.readers) == 2
    folder = training.run(quiet=True)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "begun from with its heads" in card
