"""How the encoder bench asks other processes: `_encoder_probe.py`, started for one figure or kept and asked in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import llmfast

if TYPE_CHECKING:
    from typing import Self

PROBE = str(Path(__file__).with_name("_encoder_probe.py"))


def probe(what: str, *arguments: str, kernel: str | None = None) -> dict[str, Any]:
    """Run `_encoder_probe.py` and return what it prints; ConfigError where there is no such precision or kernel."""
    done = subprocess.run([sys.executable, PROBE, what, *arguments], env=environment(kernel), check=True, stdout=PIPE)
    return accepted(done.stdout)


def environment(kernel: str | None) -> dict[str, str]:
    return {**os.environ, **({} if kernel is None else {"LLMFAST_KERNEL": kernel})}


def accepted(line: str | bytes) -> dict[str, Any]:
    found = json.loads(line)
    if "refused" in found:
        raise llmfast.ConfigError(found["refused"])
    return found


class Other:
    """An encoder in a process of its own, which measures when it is told to and waits else."""

    def __init__(self, precision: str, texts: str, kernel: str | None = None) -> None:
        command = [sys.executable, PROBE, "serve", precision, texts]
        self._process = subprocess.Popen(command, env=environment(kernel), stdin=PIPE, stdout=PIPE, text=True)
        try:
            self.kernel = self._read()["kernel"]
        except llmfast.ConfigError:
            self._process.communicate()
            raise

    def tell(self, what: str, part: int) -> None:
        print(what, part, file=self._process.stdin, flush=True)

    def figure(self) -> float:
        return self._read()["figure"]

    def ask(self, what: str, part: int) -> float:
        self.tell(what, part)
        return self.figure()

    def _read(self) -> dict[str, Any]:
        return accepted(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The process ends with its input.
        self._process.communicate()
