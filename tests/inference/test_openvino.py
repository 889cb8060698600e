from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rasid.inference.batches import Batch
from rasid.inference.runtime.graph import FILE
from rasid.inference.runtime.openvino import OpenVinoRuntime
from rasid.inference.tagger import Tagger
from tests.inference.test_export import batch

# In a process of its own, for what the binding prepares in its first call is ready in this one.
FIRST_CALLS = """
import sys
from pathlib import Path
from threading import Barrier, Thread
import numpy as np
from rasid.inference.batches import Batch
from rasid.inference.runtime.openvino import OpenVinoRuntime

def call(tokens):
    ids = np.ones((1, tokens), np.int64)
    given = Batch(ids, ids, np.ones((1, 1, tokens), np.bool_))
    together.wait()
    runtime(given)

sys.setswitchinterval(1e-6)
runtime, together = OpenVinoRuntime(Path(sys.argv[1]), threads=4), Barrier(4)
threads = [Thread(target=call, args=(tokens,)) for tokens in (3, 4, 5, 6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_batches_side_by_side_get_what_they_get_alone(exported: Path) -> None:
    batches = [batch(1 + number % 3, 8 + number, 1 + number % 4) for number in range(14)] * 3
    runtime, alone = OpenVinoRuntime(exported / FILE, threads=3), OpenVinoRuntime(exported / FILE, threads=1)
    assert (runtime.parallel, alone.parallel) == (3, 1)
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(runtime, batches))
    for given, found in zip(batches, results, strict=True):
        for name, wanted in alone(given).items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)


def test_an_article_is_tagged_the_same_in_any_company(exported: Path) -> None:
    """To the last digit of its scores: alone, in a shard, on a cluster."""
    line = "انسحبت قوات النظام من مدينة جاسم. قصف الجيش بلدة سرمين ثم عاد الأهالي إلى منازلهم!\n"
    texts = [line[:cut] + line * (cut % 5) for cut in range(3, len(line), 2)]
    together = Tagger.from_pretrained(exported, threads=2).tag(texts)
    tagger = Tagger.from_pretrained(exported, threads=1)
    assert sum(len(article.mentions) for article in together) > len(texts)
    for text, found in zip(texts, together, strict=True):
        (alone,) = tagger.tag([text])
        assert (alone.mentions, alone.events) == (found.mentions, found.events)


def test_a_result_outlives_the_next_batch(exported: Path) -> None:
    """The memory of a request is used again, by whichever thread comes next."""
    runtime = OpenVinoRuntime(exported / FILE, threads=1)
    first = runtime(batch(2, 9, 2))
    kept = {name: array.copy() for name, array in first.items()}
    other: Batch = batch(2, 9, 2)
    other.input_ids[:] = 7
    assert not np.array_equal(runtime(other)["event"], kept["event"])
    for name, array in kept.items():
        np.testing.assert_array_equal(first[name], array, err_msg=name)


@pytest.mark.parametrize("attempt", range(3))
def test_first_batches_at_once_do_not_hang(exported: Path, attempt: int) -> None:
    subprocess.run([sys.executable, "-c", FIRST_CALLS, str(exported / FILE)], check=True, timeout=60)


# In a process of its own, which it would take down.
SIGNAL_AFTERWARDS = """
import os, signal, sys
from pathlib import Path
from rasid.inference.tagger import Tagger

signal.signal(signal.SIGINT, lambda *_: print("asked to stop"))
taggers = [Tagger.from_pretrained(Path(sys.argv[1]), threads=count) for count in (1, 2, 3)]
for tagger in taggers:
    tagger.tag(["قصف الجيش بلدة سرمين."])
del tagger
while taggers:
    del taggers[0]
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_signals_are_answered_when_runtimes_are_gone(exported: Path) -> None:
    command = [sys.executable, "-c", SIGNAL_AFTERWARDS, str(exported)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split("\n") == ["asked to stop"] * 3 + [""]
