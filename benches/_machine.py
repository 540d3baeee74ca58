"""What a record says about where it was made: processor, versions, commit."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benches/results"

# The instructions that the kernels or the peers choose between.
_FEATURES = ("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni")
_MORE_FEATURES = ("amx_tile", "amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve")


def describe(libraries: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return machine, commit, compiler and versions; `libraries` are distribution names beside llmfast and numpy."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "features": cpu_features(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "load": os.getloadavg()[0],
        "commit": commit(),
        "rustc": _output("rustc", "--version"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: version(name) for name in ("llmfast", "numpy", *libraries)},
        "command": _command(),
        "date": today(),
    }


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """Return the processor's name, with family and model where the name alone says little."""
    fields = _cpuinfo()
    name = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields and "model" in fields:
        return f"{name} (family {fields['cpu family']}, model {fields['model']})"
    return name


def cpu_features() -> list[str]:
    """Return the instruction sets that matter here and that the processor has."""
    fields = _cpuinfo()
    present = set((fields.get("flags") or fields.get("Features") or "").split())
    return [name for name in _FEATURES + _MORE_FEATURES if name in present]


def cpu_slug() -> str:
    """Return the processor as it stands in the name of a record: `amd-epyc-25-1`."""
    words = re.sub(r"\(r\)|\(tm\)|\bcpu\b|@.*?(?=\(|$)|family|model|\bprocessor\b", " ", cpu_model().lower())
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def commit() -> str:
    """Return the commit, with `+changes` when the tree differs from it; `unknown` outside a repository."""
    head = _output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    if head == "unknown":
        return head
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--", ":!benches/results")
    return head if changed == "" else f"{head}+changes"


def version(distribution: str) -> str:
    """Return the installed version of `distribution`, or `absent`."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"


def record_stem(name: str) -> Path:
    """Return the path of a record without its ending: `benches/results/2026-11-25-amd-epyc-25-1-router`."""
    return RESULTS / f"{today()}-{cpu_slug()}-{name}"


def today() -> str:
    """Return the day in UTC: `2026-11-25`."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def resident_bytes() -> int:
    """Return the resident memory of this process, anonymous and of files; Linux alone tells."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def _command() -> str:
    """Return the command of this process, without the folders of this machine."""
    words = [word.replace(f"{Path.cwd()}/", "") for word in sys.argv]
    return " ".join([Path(sys.executable).name, *words])


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


if __name__ == "__main__":
    print(record_stem(sys.argv[1]))
