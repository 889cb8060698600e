"""The encoder as a plain tagger of named entities, trained and scored as published work on ANERcorp is.

ANERcorp, CAMeL Lab splits (O. Obeid and others, CAMeL Tools, 2020): train on the training part, score exact spans of
PERS, ORG, LOC and MISC on the test part. There is no dev part and nothing is chosen: the last epoch is scored, by the
likeliest tags that make sense together. The weights are never shipped; the corpora are for benchmarks only.

A tagger that is kept can teach another what it says of the training part and of texts without labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from accelerate.utils import set_seed

from rasid.data.errors import DataError
from rasid.data.public import PUBLIC_CORPORA, TaggedSentence, read_tagged
from rasid.inference.evaluation.counts import Counts, of_sets
from rasid.inference.loading import backend, special_tokens
from rasid.train.config import OptimConfig
from rasid.train.ner.bio import KINDS, TAGS, Span, likeliest, spans_of
from rasid.train.ner.tagger import Noise, SharedTagger, fit
from rasid.train.ner.teachers import RESULT, ask, keep_tagger, open_teacher, read_unlabelled
from rasid.train.ner.texts import FloatArray, passages_of, predict, to_example, to_texts
from rasid.train.setup import load_tokenizer, open_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Test parts by corpus; the released ANERcorp test has wrong first tokens, which the restored one puts back.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {"anercorp": ("test", "test-restored"), "cleananercorp": ("test",)}
_TRAIN: Final = "train"
_UNLABELLED: Final = "unlabelled"


def run_benchmark(
    name: str,
    folder: Path,
    encoder: str,
    optim: OptimConfig,
    out: Path,
    *,
    window: int = 254,
    context: bool = False,
    rdrop: float = 0.0,
    hide: float = 0.0,
    teachers: Sequence[Path] = (),
    unlabelled: Sequence[Path] = (),
    limit: int = 30_000,
    keep: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train on a corpus's training part and score its test parts.

    With teachers, what it should say of a token of the training part is half the label, half the mean of what they
    say; of sentences without labels it is that mean. Each epoch has as many windows of the latter as of the former,
    drawn anew.

    Args:
        name: `anercorp` or `cleananercorp`.
        folder: with the corpus's files.
        encoder: a folder or a hub name.
        optim: how to train; `batch_tokens`, rates, epochs, `average` and seed are used.
        out: a folder for `benchmark.json`.
        window: the most pieces that are read at once; longer sentences are read in parts.
        context: read sentences with their neighbours in the file, as many as a window holds, not each alone; in
            training, windows begin at other sentences in each epoch.
        rdrop: weight of how far apart two passes with other dropout are, as `Noise` has it.
        hide: probability that a piece is hidden in training, behind the mask token or, for want of one, the unknown.
        teachers: folders of earlier runs that kept their taggers, of this corpus and this encoder's vocabulary.
        unlabelled: folders and files with texts, as for stand-off labels, that teachers tell about.
        limit: the most sentences to take from them; none that the corpus has in any of its parts is taken.
        keep: keep the tagger in `out` to teach others.
        quiet: without a progress bar.

    Returns:
        How it was made, and by test part the scores, and those of the teachers' mean under `ensemble-PART`: F1 micro
        and macro (the mean over types) and by type, in [0, 1].

    Raises:
        DataError: where the corpus, the encoder or the texts cannot be had, a teacher does not fit, or there are texts
            without labels but no teachers.
    """
    if name not in TESTS:
        raise DataError(f"no such benchmark; one of {', '.join(TESTS)}", source=name)
    if unlabelled and not teachers:
        raise DataError("texts without labels need teachers", source=", ".join(map(str, unlabelled)))
    parts = _read_parts(name, folder)
    whole = load_tokenizer(encoder)
    tokenizer, special = backend(whole), special_tokens(whole)
    noise = Noise(rdrop, hide, _hidden(whole) if hide else 0)
    known = [open_teacher(teacher, name, tokenizer.get_vocab()) for teacher in teachers]
    examples = {split: [[to_example(s, tokenizer) for s in own]] for split, own in parts.items()}
    taken = read_unlabelled(unlabelled, limit, chain(*parts.values())) if unlabelled else []
    examples[_UNLABELLED] = [[to_example(s, tokenizer, labelled=False) for s in group] for group in taken]
    said = ask(known, name, examples, special, optim.batch_tokens, quiet=quiet) if known else {}
    # only now, so that a student begins and goes on as its seed has it, however many teach it
    set_seed(optim.seed)
    model = SharedTagger(open_encoder(encoder), {name: len(TAGS)})
    texts = {split: to_texts(own, context=context, probabilities=said.get(split)) for split, own in examples.items()}
    out.mkdir(parents=True, exist_ok=True)
    source = passages_of(name, texts[_TRAIN], texts[_UNLABELLED], window)
    fit(model, source, special, optim, out / "log.jsonl", noise=noise, quiet=quiet)
    found: dict[str, Any] = {
        "corpus": name,
        "encoder": encoder,
        **{key: getattr(optim, key) for key in ("seed", "epochs", "lr", "head_lr", "batch_tokens", "average")},
        **{"window": window, "context": context, "rdrop": rdrop, "hide": hide, "kept": keep},
        "teachers": [str(teacher) for teacher in teachers],
        "unlabelled": sum(map(len, taken)),
    }
    for split in TESTS[name]:
        own = predict(model, name, texts[split], special, optim.batch_tokens, window, label=split, quiet=quiet)
        found[split] = _score(parts[split], own)
        if known:
            found[f"ensemble-{split}"] = _score(parts[split], said[split])
    if keep:
        keep_tagger(model, whole, name, encoder, teachers, out)
    (out / RESULT).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def _read_parts(name: str, folder: Path) -> dict[str, list[TaggedSentence]]:
    """Return the sentences of the training part and of all test parts."""
    parts: dict[str, list[TaggedSentence]] = {}
    for split in (_TRAIN, *TESTS[name]):
        path = folder / PUBLIC_CORPORA[name].files[split]
        if not path.is_file():
            raise DataError("there is no such file", source=str(path))
        parts[split] = list(read_tagged(path))
    return parts


def _hidden(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of what pieces are hidden behind."""
    for found in (tokenizer.mask_token_id, tokenizer.unk_token_id):
        if found is not None:
            return int(found)
    raise DataError("the tokenizer has no mask token to hide pieces behind", source=str(tokenizer.name_or_path))


def _score(sentences: Sequence[TaggedSentence], probabilities: FloatArray) -> dict[str, float]:
    """Return the scores of (tokens, tags) probabilities, the tokens being those of all sentences in order."""
    counts = [len(sentence.tokens) for sentence in sentences]
    tags = np.split(likeliest(probabilities, counts), np.cumsum(counts)[:-1])
    return scores_of([frozenset(s.spans) for s in sentences], [frozenset(spans_of(own.tolist())) for own in tags])


def scores_of(gold: Sequence[frozenset[Span]], predicted: Sequence[frozenset[Span]]) -> dict[str, float]:
    """Return F1 over exact spans: `micro`, `macro` (mean over types) and by type."""
    by_kind = {
        kind: sum(
            (
                of_sets([s for s in left if s[2] == kind], [s for s in right if s[2] == kind])
                for left, right in zip(gold, predicted, strict=True)
            ),
            Counts(),
        )
        for kind in KINDS
    }
    found = {kind: round(counts.f1, 4) for kind, counts in by_kind.items()}
    micro = sum(by_kind.values(), Counts()).f1
    return {"micro": round(micro, 4), "macro": round(sum(found.values()) / len(found), 4), **found}
