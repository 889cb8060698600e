"""Starting the workers: every figure comes from a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]


class ChildError(RuntimeError):
    """A worker did not end well; the message is the last line that it wrote."""


def ask(kind: str, python: str = sys.executable, **job: object) -> dict[str, Any]:
    """Have a fresh process do a job, and return its answer. It uses the CPU only and does not reach for the hub.

    Args:
        kind: a function of the worker.
        python: the interpreter that does it.
        job: what else it is told.

    Raises:
        ChildError: where it fails.
    """
    done = subprocess.run(
        [python, "-m", "tests.benchmarks.worker"],
        input=json.dumps({"kind": kind, "asked": time.time(), **job}, default=str),
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ChildError(lines[-1] if lines else f"exit status {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def has_package(name: str, python: str = sys.executable) -> bool:
    """Return whether an interpreter finds a package, without importing it."""
    program = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([python, "-c", program], capture_output=True).returncode == 0


def rasid_command() -> list[str]:
    """Return the command `rasid` of this environment."""
    script = Path(sys.executable).with_name("rasid")
    return [str(script)] if script.is_file() else [sys.executable, "-c", "from rasid.train.cli import main; main()"]
