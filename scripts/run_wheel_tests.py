"""Runs the tests against a built wheel as a user has it: a new environment, no source tree, no Rust.

`python scripts/run_wheel_tests.py dist/llmfast-….whl [pytest arguments]`
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from requirements import requirements

ROOT = Path(__file__).resolve().parents[1]


def path_without_rust(path: str) -> str:
    """Return `path` without the folders that hold cargo or rustc."""
    folders = [folder for folder in path.split(os.pathsep) if folder]
    return os.pathsep.join(f for f in folders if not any(Path(f, tool).exists() for tool in ("cargo", "rustc")))


def main(wheel: Path, pytest_arguments: list[str]) -> int:
    """Install the wheel and the tests' requirements, copy `tests/`, run pytest there and return its exit code."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="llmfast-wheel-") as folder:
        home = Path(folder)
        python = home / "venv/bin/python"
        run([sys.executable, "-m", "venv", str(home / "venv")], home)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, str(wheel), *requirements(pyproject, ["test", "rich"])], home)
        run([*pip, "--no-deps", *requirements(pyproject, ["minilm"])], home)
        shutil.copytree(ROOT / "tests", home / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", home)  # pytest's settings; nothing is built from it
        environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        environment["PATH"] = os.pathsep.join([str(python.parent), path_without_rust(os.environ["PATH"])])
        tests = [str(python), "-P", "-m", "pytest", *pytest_arguments]
        return subprocess.run(tests, cwd=home, env=environment, check=False).returncode


def run(command: list[str], folder: Path) -> None:
    """Run one step outside the source tree; an error ends the script with the step's exit code."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {done.returncode}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
