"""Writes `THIRD_PARTY_LICENSES`: the crates that are linked into the extension, and the texts of their licences.

`python scripts/third_party_licenses.py` after a change of `Cargo.lock`. With `--check` it writes nothing, and exits 1
if the file is not what it would write. Needs cargo, and the sources of the crates, which cargo fetches.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAME = "THIRD_PARTY_LICENSES"
# `loom` stands in for the atomics in one test and is in no wheel, but cargo counts it among the dependencies.
TREE = ("-p", "llmfast-python", "-e", "normal,no-proc-macro", "--target", "all", "--prune", "loom", "--prefix", "none")
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense).*", re.IGNORECASE)
# It stands in the file once, as ours does: every crate's copy of it is the same but for white space and a last line.
APACHE = re.compile(r"\s*Apache License\s+Version 2\.0, January 2004")
HEAD = """\
llmfast contains the Rust crates below, on one platform or another, and parts of Rust's standard library (MIT OR
Apache-2.0). Each crate is named with its licence. The texts follow, each with the crates that come with it; a crate
without one is used under the Apache License.
"""
RULE = "-" * 100


def linked_crates() -> set[tuple[str, str]]:
    """Return name and version of every crate of others that is linked into the extension, on whatever platform."""
    lines = _cargo("tree", *TREE, "--locked", "--format", "{p}").splitlines()
    crates = {(name, version) for name, version in (line.split()[:2] for line in lines if line)}
    return {(name, version.removeprefix("v")) for name, version in crates if not name.startswith("llmfast-")}


def named_crates(text: str) -> set[tuple[str, str]]:
    """Return name and version of every crate that the text of `THIRD_PARTY_LICENSES` lists."""
    return set(re.findall(r"^  (\S+) (\d\S*): ", text, re.MULTILINE))


def licences(packages: list[dict[str, Any]]) -> str:
    """Return the text of `THIRD_PARTY_LICENSES` for packages as `cargo metadata` describes them."""
    listed = [f"  {_title(package)}: {package['license']}" for package in packages]
    crates_of: dict[str, list[str]] = defaultdict(list)
    for package in packages:
        for text in _texts(Path(package["manifest_path"]).parent):
            crates_of[text].append(_title(package))
    with_text = {crate for crates in crates_of.values() for crate in crates}
    for package in packages:
        if _title(package) not in with_text and "Apache-2.0" not in package["license"]:
            raise SystemExit(f"no text of its licence comes with {_title(package)}")
    parts = [HEAD, "\n".join(listed) + "\n"]
    for text, crates in sorted(crates_of.items(), key=lambda found: (found[1], found[0])):
        parts.append(f"{RULE}\n{textwrap.fill(', '.join(crates), len(RULE))}\n{RULE}\n\n{text}\n")
    return "\n".join(parts)


def _title(package: dict[str, Any]) -> str:
    return f"{package['name']} {package['version']}"


def _texts(folder: Path) -> list[str]:
    """Return the texts of licences that come with a crate, without trailing white space, Apache's as our own file."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and LICENCE_FILE.fullmatch(file.name))
    texts = [file.read_text(encoding="utf-8") for file in files]
    apache = (ROOT / "LICENSE").read_text(encoding="utf-8")
    return list(dict.fromkeys(_tidy(apache if APACHE.match(text) else text) for text in texts))


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\ufeff \r\n").splitlines())


def _cargo(*arguments: str) -> str:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise SystemExit("cargo is not on the PATH: install Rust, see rustup.rs")
    command = [cargo, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"cargo {arguments[0]} failed: {done.stderr}")
    return done.stdout


def main(arguments: list[str]) -> int:
    """Write the file, or compare it."""
    linked = linked_crates()
    packages = json.loads(_cargo("metadata", "--locked", "--format-version", "1"))["packages"]
    packages = [package for package in packages if (package["name"], package["version"]) in linked]
    text = licences(sorted(packages, key=lambda package: (package["name"].lower(), package["version"])))
    file = ROOT / NAME
    if arguments != ["--check"]:
        file.write_text(text, encoding="utf-8")
        print(f"{NAME}: {len(packages)} crates, {len(text.encode()) / 1000:.0f} kB")
        return 0
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return 0
    print(f"{NAME} is out of date: run python scripts/third_party_licenses.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
