"""Adds what every record says about the machine to pytest-benchmark's record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _machine


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info["llmfast"] = _machine.describe(("pytest-benchmark",))


def pytest_benchmark_update_json(config: Any, benchmarks: Any, output_json: dict[str, Any]) -> None:  # noqa: ARG001
    """Leave out every single measurement: the record says how they were spread."""
    for benchmark in output_json["benchmarks"]:
        benchmark["stats"].pop("data", None)
