"""Models of AraBERT-base's size with random weights: how fast they are does not depend on what they have learnt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.texts import Text

VOCABULARY: Final = 64_000
LENGTH: Final = 512
_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Those of CAMeL Tools' recogniser; the last is "no name".
_NAMES: Final = ("B-LOC", "B-ORG", "B-PERS", "B-MISC", "I-LOC", "I-ORG", "I-PERS", "I-MISC", "O")
_EVENT_TYPES: Final = 16


def make_base_models(folder: Path, texts: Sequence[Text], *, layers: int = 12, hidden: int = 768) -> None:
    """Write `tokens` and `texts`, a model for either kind of classification, each with the same tokenizer.

    Args:
        folder: to write them into.
        texts: the WordPiece vocabulary is learnt from.
        layers: of the encoder.
        hidden: size of its states, a multiple of 64.
    """
    import torch
    import transformers

    hub: Any = transformers

    vocabulary = learn_vocabulary(text.text for text in texts)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": len(vocabulary),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": LENGTH,
    }
    labels = {"id2label": dict(enumerate(_NAMES)), "label2id": {name: i for i, name in enumerate(_NAMES)}}
    tokens = hub.BertForTokenClassification(hub.BertConfig(**sizes, **labels))
    with torch.no_grad():  # most words of a text are no name; without this, most would be, and cost more afterwards
        tokens.classifier.bias[_NAMES.index("O")] += 1.0
    kinds = {
        "tokens": tokens,
        "texts": hub.BertForSequenceClassification(hub.BertConfig(**sizes, num_labels=_EVENT_TYPES)),
    }
    for name, model in kinds.items():
        place = folder / name
        model.save_pretrained(place)
        (place / "vocab.txt").write_text("".join(f"{piece}\n" for piece in vocabulary), encoding="utf-8")
        tokenizer = hub.BertTokenizerFast.from_pretrained(place, do_lower_case=False, model_max_length=LENGTH)
        tokenizer.save_pretrained(place)


def learn_vocabulary(texts: Iterable[str], size: int = VOCABULARY) -> list[str]:
    """Return the pieces of a WordPiece vocabulary, filled up to its size where the texts give fewer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=list(_SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    found: dict[str, int] = tokenizer.get_vocab()
    pieces = sorted(found, key=found.__getitem__)
    return [*pieces, *_fillers(size - len(pieces))]


def _fillers(count: int) -> Iterator[str]:
    return (f"[unused{number}]" for number in range(count))
