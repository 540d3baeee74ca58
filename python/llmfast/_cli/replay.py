"""Stream a request log through llmfast with a simulated model, and report what it would have saved.

Without LOG: the bundled traffic (Banking77). LOG is JSON lines of bodies for OpenAI's chat completions or Anthropic's
messages, {"messages": [...]} and maybe "model", "response", "finish_reason", "usage", "intent", "time", "user" (other
keys are parameters of the request, as far as the API counts them), or plain text with one question a line; "-" is
standard input, gzip is opened. Assistant turns at the end are the answer. Answers age by the log's times (without a
zone: UTC), else by one second a request. Requests are fed one after the other; nothing is sent anywhere.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import INCOMPLETE, INTERRUPTED
from ._types import cosine, positive, standard_input, text, threads
from .progress import Progress
from .sheet import Sheet, printable, show

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from .._replay.log import Log, Request, Skipped
    from .._replay.report import Curve, Source
    from .._replay.run import Replay, Settings

HELP = "what llmfast would have saved on a request log"
REQUESTS = 20_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from .._policy import POLICIES
    from .._replay.log import FORMATS

    add = parser.add_argument
    add("log", nargs="?", metavar="LOG", help="the log, - for standard input; default: the bundled traffic")
    add("--format", choices=FORMATS, default="auto", help="of LOG; auto: by its first lines")
    add("--requests", type=positive, metavar="N", help=f"stop after this many; bundled traffic: default {REQUESTS:,}")
    add("--seed", type=int, metavar="N", default=1, help="of the bundled traffic; default 1")
    add("--threshold", type=cosine, metavar="X", help="cosine for a hit by meaning, -1 to 1; default: that of --kind")
    add("--kind", choices=sorted(POLICIES), default="general", help="which policy applies; default general")
    add("--mode", choices=("guarded", "static"), default="guarded", help="static: the threshold alone; default guarded")
    add("--capacity", type=positive, metavar="N", default=100_000, help="answers held; default 100,000")
    add("--baseline", default="gpt-4o", metavar="MODEL", help="asked for where the log names none; default gpt-4o")
    add("--no-semantic", action="store_true", help="exact hits only; needs no weights")
    add("--threads", type=threads, default=min(2, os.cpu_count() or 1), metavar="N", help="of the encoder; default 2")
    add("--no-router", action="store_true", help="call the model that was asked for")
    add("--html", metavar="FILE", help="draw the report as a self-contained page")
    add("--quiet", action="store_true", help="no progress bar, and only the headlines")


def run(arguments: argparse.Namespace) -> int:
    """Replay, report and return the exit code."""
    from .._errors import EmptyLogError
    from .._replay.report import build

    settings = _settings(arguments)
    log = _open(arguments)
    if arguments.html:
        _check_page(arguments.html, log)
    skipped, notes = _skipped_of(log), []
    with Progress(quiet=arguments.quiet) as progress:
        replay = _replay(settings, semantic=not arguments.no_semantic)
        complete = _feed(replay, _requests(arguments, log), skipped, progress, _share(arguments, log))
        served = len(replay.trace.served)
        if not served and complete:
            raise EmptyLogError(_nothing(arguments, log, skipped))
        curve = _curve(replay, progress)
    if not complete:
        notes.append(f"interrupted after {served:,} requests: this is the report of these")
    if log is not None:
        notes += log.notes()
    report = build(replay, _source(arguments, log), skipped, curve, notes=notes)
    code = _emit(report, arguments)
    return code if complete else INTERRUPTED


# ---- what is replayed ------------------------------------------------------------------------------------------------


def _settings(arguments: argparse.Namespace) -> Settings:
    from .._policy import POLICIES
    from .._replay.run import Settings

    policy = POLICIES[arguments.kind]
    return Settings(
        threshold=policy.threshold if arguments.threshold is None else arguments.threshold,
        ttl=policy.ttl,
        kind=arguments.kind,
        capacity=arguments.capacity,
        router=not arguments.no_router,
        baseline=text(arguments.baseline),
        threads=arguments.threads,
        mode=arguments.mode,
    )


def _open(arguments: argparse.Namespace) -> Log | None:
    from .._replay.log import Log

    if arguments.log is None:
        return None
    stdin = standard_input() if arguments.log == "-" else None
    return Log.open(arguments.log, form=arguments.format, stdin=stdin)


def _check_page(path: str, log: Log | None) -> None:
    """Raise OSError or ConfigError unless the page can be written: the run before that may take minutes."""
    from .._errors import ConfigError

    if path == "-":
        raise ConfigError("--html needs a file: standard output gets the report")
    if log is not None and log.is_read_from(path):
        raise ConfigError(f"--html would overwrite the log {printable(path)}")
    page = Path(path)
    is_new = not page.exists()
    page.open("ab").close()
    if is_new:
        # Whatever ends the run, it leaves no empty page. A link that leads to no file yet stays.
        page.resolve().unlink()


def _skipped_of(log: Log | None) -> Skipped:
    from .._replay.log import Skipped

    return Skipped() if log is None else log.skipped


def _requests(arguments: argparse.Namespace, log: Log | None) -> Iterable[Request]:
    if log is not None:
        return islice(log, arguments.requests)
    from .._replay.traffic import bundled_questions, traffic

    return traffic(bundled_questions(), arguments.requests or REQUESTS, arguments.seed)


def _source(arguments: argparse.Namespace, log: Log | None) -> Source:
    from .._replay import traffic
    from .._replay.report import Source

    if log is not None:
        return Source(log.name, bundled=False, format=log.form)
    return Source(traffic.NAME, bundled=True, seed=arguments.seed, attribution=traffic.ATTRIBUTION)


def _nothing(arguments: argparse.Namespace, log: Log | None, skipped: Skipped) -> str:
    name = "the bundled traffic" if log is None else arguments.log if arguments.log != "-" else log.name
    first = f"; {skipped.lines:,} skipped, first {skipped.first[0]}" if skipped.lines else ""
    why = f"; {log.cut_short}" if log is not None and log.cut_short else ""
    return f"{printable(name)} holds not a single request{first}{why}"


# ---- the run ---------------------------------------------------------------------------------------------------------


def _replay(settings: Settings, *, semantic: bool) -> Replay:
    from .._replay.run import Replay

    if not semantic:
        return Replay(settings, None)
    from .. import MiniLM

    return Replay(settings, MiniLM(threads=settings.threads))


def _share(arguments: argparse.Namespace, log: Log | None) -> Any:
    """Return a function from the number of requests fed to the share of all of them, None where that is unknown."""
    wanted = arguments.requests or (REQUESTS if log is None else None)
    if wanted is not None:
        return lambda number: max(number / wanted, (log.fraction() or 0.0) if log is not None else 0.0)
    return lambda _: None if log is None else log.fraction()


def _feed(replay: Replay, requests: Iterable[Request], skipped: Skipped, progress: Progress, share: Any) -> bool:
    """Feed the requests and return whether all of them came through, that is, nobody pressed Ctrl-C."""
    try:
        with _interruptible():
            replay.run(requests, skipped, lambda number: progress.show(f"{number:,} requests", share(number)))
    except KeyboardInterrupt:
        return False
    return True


def _curve(replay: Replay, progress: Progress) -> Curve:
    from .._llmfast import FlatIndex
    from .._replay.curve import covered, curve
    from .._replay.guards import rules
    from .._replay.neighbours import FLOOR, find_neighbours
    from .._replay.report import Curve

    encoder, settings, served = replay.encoder, replay.settings, replay.trace.served
    if encoder is None:
        return Curve([], 0, "no curve: nothing was compared by meaning")
    try:
        with _interruptible():
            near = find_neighbours(
                replay.vectors,
                replay.trace.partitions,
                lambda: FlatIndex(encoder.dim),
                floor=FLOOR,
                progress=lambda share: progress.show("the curve over the threshold", share),
            )
            rows = covered(served, near)
            known = rules(replay.trace.texts, settings.mode)
            points = curve(rows, near, ttl=settings.ttl, own=settings.threshold, **known)
    except KeyboardInterrupt:
        return Curve([], 0, "no curve: interrupted")
    note = (
        None
        if len(rows) == len(served)
        else f"the curve covers the first {len(rows):,} requests: the rest cost too much"
    )
    return Curve(points, len(rows), note)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise at once. asyncio's own handler only asks the task, which may be waiting for a slow pipe."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# ---- what comes out --------------------------------------------------------------------------------------------------


def _emit(report: dict[str, Any], arguments: argparse.Namespace) -> int:
    from .._replay import page
    from . import replay_text

    code = 0
    if arguments.html:
        code = _write(Path(arguments.html), page.page(report), quiet=arguments.quiet)
    if arguments.json:
        json.dump(report, sys.stdout, indent=1)
        sys.stdout.write("\n")
    elif arguments.quiet:
        show(Sheet(replay_text.heading(report), replay_text.headlines(report)))
    else:
        show(replay_text.sheet(report))
    return code


def _write(path: Path, page: str, *, quiet: bool) -> int:
    """Write the page; a failure costs the page, not the report."""
    try:
        path.write_bytes(page.encode("utf-8", "replace"))
    except OSError as error:
        sys.stderr.write(f"llmfast: {printable(str(path))}: {(error.strerror or 'not written').lower()}\n")
        return INCOMPLETE
    if not quiet:
        sys.stderr.write(f"page written to {printable(str(path))}\n")
    return 0
