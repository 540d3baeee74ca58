"""Modules of the benches, for the tests of what they compute."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).resolve().parents[1] / "benches"


def bench_modules(*names):
    """Import modules of the benches, or skip the test, or all of its file, where there is no source tree."""
    if not (BENCHES / f"{names[0]}.py").exists():
        pytest.skip("needs the source tree: it tests a bench", allow_module_level=True)
    sys.path.insert(0, str(BENCHES))
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(BENCHES))
