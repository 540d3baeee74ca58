"""Say what is installed, what this machine can do, what is missing, and the command that mends it.

Exit code 1 when something that llmfast needs for its main job is missing.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from . import INCOMPLETE
from .sheet import Sheet, Table, show

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

HELP = "what is installed, what is missing, and the command that mends it"

_TEXT = "What can I do if my card still has not arrived after two weeks?"
_ROUNDS = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `ok` is None for what is only worth knowing; `fix` says what mends it."""

    name: str
    ok: bool | None
    detail: str
    fix: str | None = None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command takes no arguments of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Look, print and return the exit code."""
    numpy = _numpy()
    # Without numpy nothing else can be tried.
    tried = [*_tried("core", _core), *_tried("MiniLM weights", _weights)] if numpy.ok else []
    checks = [_versions(), _machine(), numpy, *tried, _rich()]
    healthy = all(check.ok is not False for check in checks)
    if arguments.json:
        json.dump({"healthy": healthy, "checks": [asdict(check) for check in checks]}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        show(sheet(checks, healthy=healthy))
    return 0 if healthy else INCOMPLETE


def sheet(checks: list[Check], *, healthy: bool) -> Sheet:
    """Return what is printed."""
    words = {True: "ok", False: "MISSING", None: "-"}
    table = Table("Checks", ["", "", "found"])
    for check in checks:
        first, *more = check.detail.splitlines() or [""]
        table.rows.append([words[check.ok], check.name, first])
        table.rows += [["", "", line] for line in more]
    fixes = [f"{check.name}: {check.fix}" for check in checks if check.fix]
    return Sheet("llmfast doctor", ["everything is there" if healthy else "something is missing"], [table], fixes)


def _versions() -> Check:
    from .. import __version__

    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Check("llmfast", True, f"{__version__} on {python}")


def _machine() -> Check:
    return Check("machine", None, f"{platform.machine()}, {platform.system()} {platform.release()}")


def _numpy() -> Check:
    fix = "pip install numpy"
    try:
        import numpy as np
    except ModuleNotFoundError:
        return Check("numpy", False, "not installed; without it neither core nor encoder can be tried", fix)
    except ImportError as error:
        first, *_ = str(error).splitlines() or [""]
        return Check("numpy", False, f"cannot be imported: {first}", f"{fix} --force-reinstall")
    return Check("numpy", True, np.__version__)


def _tried(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    """Return what `look` finds; what stops it is what is wrong with the part of this name."""
    from .._errors import LlmfastError

    try:
        return look()
    except LlmfastError as error:
        return [Check(name, False, str(error))]
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what is asked for
        return [Check(name, False, f"{type(error).__name__}: {error}")]


def _core() -> list[Check]:
    """Do one thing with every part that needs no weights."""
    import numpy as np

    from .._llmfast import FlatIndex, kernel_name
    from .._router import Router

    index = FlatIndex(4)
    index.add(1, np.array([1, 0, 0, 0], dtype=np.float32))
    score = index.search(np.array([1, 0, 0, 0], dtype=np.float32), 1)[0].score
    model = Router.default().route(_TEXT).model
    return [Check("core", score == 1.0 and bool(model), f"index and router answer; kernel {kernel_name()}")]


def _weights() -> list[Check]:
    from .._encoder import CURE, MiniLM
    from .._errors import EncoderNotFoundError

    try:
        encoder = MiniLM()
    except EncoderNotFoundError as error:
        return [Check("MiniLM weights", False, str(error).removesuffix(f"\n{CURE}"), CURE)]
    encoder.encode([_TEXT])
    started = time.perf_counter()
    for _ in range(_ROUNDS):
        encoder.encode([_TEXT])
    each = (time.perf_counter() - started) / _ROUNDS
    return [
        Check("MiniLM weights", True, str(encoder.path)),
        Check("encoder", True, f"{encoder.fingerprint}, {each * 1000:.2f} ms for a question of 15 words"),
    ]


def _rich() -> Check:
    try:
        return Check("rich (optional)", None, f"{metadata.version('rich')}: tables in colour")
    except metadata.PackageNotFoundError:
        return Check("rich (optional)", None, "not installed: tables are plain text")
