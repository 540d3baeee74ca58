"""Checks a wheel before it is given to others: size, platform tag by auditwheel, contents, paths."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from third_party_licenses import NAME as LICENCES, linked_crates, named_crates

MAX_BYTES = 25 * 2**20
# Everything that a user gets; whatever else is in the wheel got there by accident.
EXPECTED = re.compile(
    r"llmfast/(_?\w+/)*\w+\.pyi?"
    r"|llmfast/py\.typed"
    r"|llmfast/_llmfast\.abi3\.so"
    r"|llmfast/(_\w+/)+[\w.-]+\.(gz|json|jsonl|toml|txt|html|css|js|svg)"
    r"|llmfast-[\w.]+\.dist-info/.+"
    r"|llmfast\.libs/.+"
)
REQUIRED = ("llmfast/__init__.py", "llmfast/_llmfast.abi3.so", "llmfast/_llmfast.pyi", "llmfast/py.typed")


def size_problems(size: int) -> list[str]:
    """Return a complaint when a wheel of `size` bytes is too large."""
    return [f"{size / 2**20:.1f} MiB, at most {MAX_BYTES / 2**20:.0f} MiB"] if size > MAX_BYTES else []


def content_problems(names: list[str]) -> list[str]:
    """Return a complaint for every file that does not belong into the wheel and for every one that lacks."""
    files = [name for name in names if not name.endswith("/")]
    strange = [f"unexpected file {name}" for name in files if not EXPECTED.fullmatch(name)]
    missing = [f"no {name}" for name in REQUIRED if name not in files]
    for file, what in (("LICENSE", "no licence"), (LICENCES, "no licences of third parties")):
        if not any(re.search(rf"\.dist-info/(licenses/)?{file}$", name) for name in files):
            missing.append(what)
    return strange + missing


def licence_problems(text: str, linked: set[tuple[str, str]]) -> list[str]:
    """Return a complaint for every crate in the extension that the licences of third parties do not name."""
    unnamed = sorted(linked - named_crates(text))
    return [f"{LICENCES} does not name {name} {version}" for name, version in unnamed]


def tag_problems(wheel_name: str, shown: str) -> list[str]:
    """Return a complaint unless the tag in the wheel's name is a manylinux tag that `auditwheel show` agrees with."""
    tag = wheel_name.removesuffix(".whl").rsplit("-", 1)[-1]
    match = re.search(r'consistent\s+with\s+the\s+following\s+platform\s+tag:\s+"([^"]+)"', shown)
    if match is None:
        return [f"auditwheel says: {shown.strip()}"]
    found = match.group(1)
    if not re.fullmatch(r"manylinux_\d+_\d+_\w+", found):
        return [f"auditwheel finds {found}, not a manylinux tag"]
    if found not in tag.split("."):
        return [f"the name says {tag}, auditwheel {found}"]
    return []


def path_problems(files: dict[str, bytes], folders: list[str]) -> list[str]:
    """Return a complaint for every file that names one of the builder's `folders`."""
    return [f"{name} names {folder}" for name, data in files.items() for folder in folders if folder.encode() in data]


def main(wheel: Path) -> int:
    """Check one wheel and print its figures or what is wrong with it."""
    problems = size_problems(wheel.stat().st_size)
    with zipfile.ZipFile(wheel) as archive:
        problems += content_problems(archive.namelist())
        files = {name: archive.read(name) for name in archive.namelist()}
    licences = [data.decode() for name, data in files.items() if name.endswith(f"/{LICENCES}")]
    problems += licence_problems("".join(licences), linked_crates())
    problems += path_problems(files, [str(Path(__file__).resolve().parents[1]), str(Path.home() / ".cargo")])
    if sys.platform == "linux":
        command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        shown = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        problems += tag_problems(wheel.name, shown.stdout + shown.stderr)
    for problem in problems:
        print(f"{wheel.name}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MiB, tag confirmed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(max(map(main, map(Path, sys.argv[1:])), default=2))
