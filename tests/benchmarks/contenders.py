"""What is compared: each is loaded in a process of its own and given the same articles.

Nothing here imports rasid or another package before it is needed, for a contender may run in an environment that has
only what it needs itself.
"""

from __future__ import annotations

import importlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from tests.benchmarks.texts import Text

# Batch sizes among which the best is sought for the contenders that have one.
BATCH_SIZES: Final = (1, 8, 16)


class Contender(ABC):
    """A tool that tags articles.

    Args:
        job: what the worker was asked for: `model`, `precision`, `batch`, `base` and the like.
    """

    batched: ClassVar[bool] = True

    def __init__(self, job: dict[str, Any]) -> None:
        """Load the tool."""
        self.batch = int(job.get("batch") or 1)

    @abstractmethod
    def run(self, texts: Sequence[Text]) -> None:
        """Tag the articles."""

    def words_read(self, texts: Sequence[Text]) -> int:
        """Return how many words of the articles the tool reads; the rest it cuts off."""
        return sum(text.words for text in texts)


class Rasid(Contender):
    """rasid as a program would use it."""

    batched = False

    def __init__(self, job: dict[str, Any]) -> None:
        """Load the model."""
        from rasid.inference.tagger import Tagger

        super().__init__(job)
        self._tagger = Tagger.from_pretrained(job["model"], precision=job["precision"])

    def run(self, texts: Sequence[Text]) -> None:
        """Tag the articles as one stream."""
        for _ in self._tagger.stream(text.text for text in texts):
            pass


class _Pipeline(Contender):
    """A pipeline of transformers."""

    def __init__(self, job: dict[str, Any]) -> None:
        """Load the model."""
        from transformers import pipeline
        from transformers.utils import logging

        super().__init__(job)
        logging.set_verbosity_error()
        make: Any = pipeline
        self._pipeline = self._make(make, Path(job["base"]))

    @abstractmethod
    def _make(self, make: Any, base: Path) -> Any:  # noqa: ANN401 - a pipeline of either kind
        """Build the pipeline."""

    @abstractmethod
    def _inputs(self, text: Text) -> list[str]:
        """Return what the pipeline is given of an article."""

    def words_read(self, texts: Sequence[Text]) -> int:
        """Return how many words lie, whole or in part, within the 512 tokens of each input."""
        return sum(min(text.words, sum(map(self._words_read, self._inputs(text)))) for text in texts)

    def _words_read(self, text: str) -> int:
        offsets = self._pipeline.tokenizer(text, truncation=True, return_offsets_mapping=True)["offset_mapping"]
        return len(text[: max(end for _, end in offsets)].split())


class HfTokens(_Pipeline):
    """Mentions by `pipeline("token-classification")`, an article at a time; what is over 512 tokens is cut off."""

    def _make(self, make: Any, base: Path) -> Any:  # noqa: ANN401
        return make("token-classification", str(base / "tokens"), aggregation_strategy="simple", device="cpu")

    def _inputs(self, text: Text) -> list[str]:
        return [text.text]

    def run(self, texts: Sequence[Text]) -> None:
        """Label the tokens of the articles."""
        found = list(self._pipeline([text.text for text in texts], batch_size=self.batch))
        assert len(found) == len(texts)


class HfTexts(_Pipeline):
    """Event types by `pipeline("text-classification")`, a sentence at a time, several types allowed."""

    def _make(self, make: Any, base: Path) -> Any:  # noqa: ANN401
        return make("text-classification", str(base / "texts"), function_to_apply="sigmoid", top_k=None, device="cpu")

    def _inputs(self, text: Text) -> list[str]:
        return text.sentences

    def run(self, texts: Sequence[Text]) -> None:
        """Classify the sentences of the articles, which were found beforehand."""
        sentences = [sentence for text in texts for sentence in text.sentences]
        found = list(self._pipeline(sentences, batch_size=self.batch, truncation=True))
        assert len(found) == len(sentences)


class Camel(Contender):
    """CAMeL Tools' named-entity recogniser with its own word tokenizer, a sentence at a time."""

    def __init__(self, job: dict[str, Any]) -> None:
        """Load the model. The list of its data sets, which it would fetch, is given to it empty."""
        super().__init__(job)
        data = Path(job["base"]) / "camel-data"
        data.mkdir(exist_ok=True)
        (data / "catalogue.json").write_text(json.dumps({"version": "", "packages": {}, "components": {}}))
        os.environ["CAMELTOOLS_DATA"] = str(data)
        self._split = importlib.import_module("camel_tools.tokenizers.word").simple_word_tokenize
        recogniser = importlib.import_module("camel_tools.ner").NERecognizer
        self._recogniser = recogniser(str(Path(job["base"]) / "tokens"), use_gpu=False)

    def run(self, texts: Sequence[Text]) -> None:
        """Label the words of the sentences, which were found beforehand."""
        sentences = [self._split(sentence) for text in texts for sentence in text.sentences]
        found = self._recogniser.predict(sentences, batch_size=self.batch)
        assert len(found) == len(sentences)


CONTENDERS: Final[dict[str, type[Contender]]] = {
    "rasid": Rasid,
    "rasid-fast": Rasid,
    "rasid-int8": Rasid,
    "rasid-fp32": Rasid,
    "hf-tokens": HfTokens,
    "hf-texts": HfTexts,
    "camel": Camel,
}
