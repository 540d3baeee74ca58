"""Prints what pyproject.toml asks for, one requirement a line: `requirements.py build project dev rich`.

`build` names the build system's requirements, `project` the package's own, any other word the extra of that name.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any


def requirements(pyproject: dict[str, Any], groups: list[str]) -> list[str]:
    """Return the requirements of `groups` in order, each once; raises KeyError for an unknown extra."""
    named = dict(pyproject["project"].get("optional-dependencies", {}))
    named |= {"build": pyproject["build-system"]["requires"], "project": pyproject["project"].get("dependencies", [])}
    return list(dict.fromkeys(requirement for group in groups for requirement in named[group]))


if __name__ == "__main__":
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    print("\n".join(requirements(tomllib.loads(text), sys.argv[1:])))
