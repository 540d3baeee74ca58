"""Measure this machine: how long a question and a batch take to encode, beside the libraries that are installed.

One thread each, in turn, on bundled questions. Takes some seconds.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ._types import positive
from .sheet import Sheet, Table, show

if TYPE_CHECKING:
    import argparse

    from ._bench_encoder import Report

HELP = "how fast the encoder is on this machine, beside other libraries"

_TEXTS = 64


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", choices=["encoder"], help="what is measured")
    parser.add_argument(
        "--texts", type=positive, default=_TEXTS, metavar="N", help=f"questions of each contender; default {_TEXTS}"
    )
    parser.add_argument("--alone", action="store_true", help="leave other libraries out")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and return the exit code."""
    from ._bench_encoder import measure

    report = measure(arguments.texts, alone=arguments.alone)
    if arguments.json:
        json.dump(document(report), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        show(sheet(report))
    return 0


def document(report: Report) -> dict[str, Any]:
    """Return the report as JSON data."""
    rows = [
        {
            "name": row.name,
            "p50_ms": row.p50_ms,
            "p90_ms": row.p90_ms,
            "texts_per_second": row.texts_per_second,
            "times_faster": report.times_faster(row),
        }
        for row in report.rows
    ]
    absent = [{"name": name, "why": why} for name, why in report.absent.items()]
    return {"kernel": report.kernel, "texts": report.texts, "batch": report.batch, "rows": rows, "absent": absent}


def sheet(report: Report) -> Sheet:
    """Return what is printed."""
    table = Table("One thread each", ["", ">p50 ms", ">p90 ms", ">texts/s in batches"])
    for row in report.rows:
        table.rows.append([row.name, f"{row.p50_ms:.2f}", f"{row.p90_ms:.2f}", f"{row.texts_per_second:.0f}"])
    table.notes.append(f"p50 and p90: of {report.texts} questions on their own; batches of {report.batch}.")
    lines = [f"kernel {report.kernel}"]
    ours = report.rows[0]
    lines += [
        f"a question {times['p50']:.1f} times as fast as {peer}, a batch {times['batch']:.1f} times"
        for peer, times in report.times_faster(ours).items()
    ]
    return Sheet("llmfast bench encoder", lines, [table], [f"{name}: {why}" for name, why in report.absent.items()])
