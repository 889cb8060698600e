"""A measurement in a fresh process: a job as JSON on standard input, a line of JSON as the last of standard output.

Only the standard library is imported before the job is known, so that memory and start are those of what is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Final

_PACKAGES: Final = ("torch", "transformers", "tokenizers", "openvino", "numpy", "camel-tools")
# Articles tagged before the clock starts, and articles on which batch sizes are tried.
_WARM_UP: Final = 3
_TRIAL: Final = 16


def throughput(job: dict[str, Any]) -> dict[str, Any]:
    """Load a contender, warm it up, and time it on the texts."""
    from tests.benchmarks.contenders import CONTENDERS
    from tests.benchmarks.texts import load_texts

    texts = load_texts(job["texts"])
    contender = CONTENDERS[job["contender"]](job)
    contender.run(texts[:1])
    first = time.time() - job["asked"]
    contender.run(texts[:_WARM_UP])
    start = time.perf_counter()
    contender.run(texts)
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    return {
        **{"seconds": seconds, "words": contender.words_read(texts), "words_given": sum(text.words for text in texts)},
        **{"first_seconds": first, "peak_bytes": peak, "batch": contender.batch if contender.batched else None},
        "packages": versions(),
    }


def trial(job: dict[str, Any]) -> dict[str, Any]:
    """Load a contender and time each batch size on a few articles."""
    from tests.benchmarks.contenders import BATCH_SIZES, CONTENDERS
    from tests.benchmarks.texts import load_texts

    texts = load_texts(job["texts"])[:_TRIAL]
    contender = CONTENDERS[job["contender"]](job)
    contender.run(texts[:1])
    if not contender.batched:
        return {"seconds": {}, "best": None}
    found = {}
    for size in BATCH_SIZES:
        contender.batch = size
        start = time.perf_counter()
        contender.run(texts)
        found[size] = time.perf_counter() - start
    return {"seconds": found, "best": min(found, key=found.__getitem__)}


def length(job: dict[str, Any]) -> dict[str, Any]:
    """Tag articles of one length: all of them as one stream, and before that each in a call of its own."""
    from rasid.inference.tagger import Tagger

    articles = json.loads(Path(job["articles"]).read_text(encoding="utf-8"))
    tagger = Tagger.from_pretrained(job["model"], precision=job["precision"])
    tagger.tag(articles[0].split("\n")[:5])
    start = time.perf_counter()
    for article in articles:
        tagger.tag([article])
    middle = time.perf_counter()
    for _ in tagger.stream(articles):
        pass
    return {
        **{"seconds": time.perf_counter() - middle, "alone_seconds": middle - start},
        **{"words": sum(len(a.split()) for a in articles), "peak_bytes": peak_bytes()},
    }


def command(job: dict[str, Any]) -> dict[str, Any]:
    """Run a program and return its seconds, its peak memory and that of its children, and how it ended.

    It is started from this small process because a child's peak on Linux is never below its parent's size.
    """
    start = time.perf_counter()
    with Path(job["errors"]).open("wb") as errors:
        child = subprocess.Popen(job["command"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return {"seconds": seconds, "peak_bytes": _in_bytes(usage.ru_maxrss), "exit": child.returncode}


def modules(job: dict[str, Any]) -> dict[str, Any]:
    """Run the command line of rasid in this process and return which of the named packages it has imported."""
    from contextlib import redirect_stdout

    from rasid.train.cli import main

    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        main(job["arguments"], standalone_mode=False)
    return {"loaded": sorted(set(job["packages"]) & set(sys.modules))}


def prepare(job: dict[str, Any]) -> dict[str, Any]:
    """Write the models of the contenders that need one."""
    from tests.benchmarks.base_model import make_base_models
    from tests.benchmarks.texts import load_texts

    make_base_models(Path(job["base"]), load_texts(job["texts"]), **job["sizes"])
    return {}


def peak_bytes() -> int:
    """Return the peak memory of this process, without that of the process it was forked from."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    return _in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _in_bytes(peak: int) -> int:
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Return the versions of the packages that matter, as far as they are installed."""
    found = {"python": sys.version.split()[0]}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


_KINDS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    kind.__name__: kind for kind in (throughput, trial, length, command, modules, prepare)
}


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    sys.stdout.write("\n" + json.dumps(_KINDS[job["kind"]](job)) + "\n")


if __name__ == "__main__":
    main()
