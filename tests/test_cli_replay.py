"""`llmfast replay` as a process: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llmfast._cli import main
from llmfast._cli.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "llmfast._cli"]


def run(*arguments: str, stdin: bytes = b"", code: int | None = 0, **environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    assert code is None or done.returncode == code, (done.returncode, out, err)
    return out, err


def replay(*arguments: str, **options) -> tuple[str, str]:
    return run("replay", "--no-semantic", *arguments, **options)


def document(*arguments: str, **options) -> dict:
    return json.loads(replay("--json", *arguments, **options)[0])


def body(text: str, **fields) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **fields}).encode() + b"\n"


# ---- what it replays -------------------------------------------------------------------------------------------------


def test_the_bundled_traffic():
    made = document("--requests", "2000")
    assert made["requests"] == 2000
    assert made["source"]["bundled"] is True
    assert "CC BY 4.0" in made["source"]["attribution"]
    assert 900 < made["tiers"][0]["requests"] < 1100
    assert made["wrong"]["wrong_of_all"]["count"] == 0
    assert made["money"]["saved"] > 0


def test_the_seed_decides_the_traffic():
    counts = [document("--requests", "500", "--seed", seed)["distinct_requests"] for seed in ("1", "1", "2", "3")]
    assert counts[0] == counts[1]
    assert len(set(counts)) > 1


def test_a_log_of_bodies(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(
        body("a", model="gpt-4o-mini", usage={"prompt_tokens": 1_000_000, "completion_tokens": 0})
        + body("a", model="gpt-4o-mini", usage={"prompt_tokens": 1_000_000, "completion_tokens": 0})
        + body("a", model="gpt-4o", usage={"prompt_tokens": 0, "completion_tokens": 0})
    )
    made = document(str(log), "--no-router")
    assert (made["tiers"][0]["requests"], made["calls"]["requests"]) == (1, 2)
    assert made["models"]["called"] == {"gpt-4o-mini": 1, "gpt-4o": 1}
    assert made["tokens"]["estimated_requests"] == 0
    assert made["money"]["estimated"] is False
    # Two times the price of a million input tokens, one of which is saved.
    assert made["money"]["saved"] == pytest.approx(made["money"]["without"] / 2)


def test_a_log_of_text_and_standard_input_and_gzip(tmp_path):
    packed = tmp_path / "log.txt.gz"
    packed.write_bytes(gzip.compress(b"a\nb\na\n"))
    for made in (document(str(packed)), document("-", stdin=b"a\nb\na\n"), document("-", stdin=packed.read_bytes())):
        assert (made["requests"], made["hits"]["requests"], made["source"]["format"]) == (3, 1, "text")


def test_requests_stops_a_log_early(tmp_path):
    assert document("-", "--requests", "2", stdin=b"a\nb\na\n")["requests"] == 2


def test_format_overrules_the_first_line():
    assert document("-", "--format", "text", stdin=body("a"))["source"]["format"] == "text"


def test_the_intent_of_two_requests_decides_whether_a_hit_was_right():
    made = document("-", stdin=body("a", intent="x") + body("a", intent="y") + body("a", intent="x") + body("a"))
    assert made["wrong"]["truth"] is True
    assert (made["wrong"]["wrong_of_hits"]["count"], made["wrong"]["wrong_of_hits"]["of"]) == (1, 2)
    assert (made["wrong"]["wrong_of_all"]["count"], made["wrong"]["wrong_of_all"]["of"]) == (1, 3)


def test_capacity_bounds_what_is_held():
    log = b"".join(b"question %d\n" % (n % 50) for n in range(200))
    assert document("-", stdin=log)["hits"]["requests"] == 150
    small = document("-", "--capacity", "1", stdin=log)
    assert small["hits"]["requests"] == 0
    assert any("made room" in note for note in small["notes"])


def test_a_disabled_cache_is_named():
    made = document("-", stdin=b"a\na\n", LLMFAST_DISABLE="1")
    assert made["hits"]["requests"] == 0
    assert any("LLMFAST_DISABLE" in note for note in made["notes"])


def test_a_model_without_a_price_is_named_and_not_free():
    made = document("-", "--no-router", stdin=body("a", model="my-own") + body("a", model="gpt-4o"))
    assert made["money"]["unpriced_requests"] == 1
    assert made["money"]["unpriced_models"] == ["my-own"]
    assert made["money"]["with"] > 0
    out, _ = replay("-", "--no-router", stdin=body("a", model="my-own"))
    assert "no price is known for my-own" in out


def test_a_line_of_ten_megabytes():
    assert document("-", stdin=body("x" * 10_000_000) + body("y"))["requests"] == 2


# ---- what it refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--threshold", "1.5"], "cosine from -1 to 1, got 1.5"),
        (["--threshold", "nan"], "finite number, got nan"),
        (["--threshold", "high"], "expected a number, got 'high'"),
        (["--capacity", "0"], "expected 1 or more, got 0"),
        (["--requests", "-3"], "expected 1 or more, got -3"),
        (["--capacity", "1" + "0" * 30], "expected at most 2,147,483,648, got 1000"),
        (["--threads", "1000"], "expected at most 256 threads, got 1000"),
        (["--requests", "many"], "expected a whole number, got 'many'"),
        (["--kind", "poem"], "invalid choice: 'poem'"),
        (["--baseline", "no-such-model"], "no-such-model"),
        (["/nowhere/log.jsonl"], "/nowhere/log.jsonl: no such file or directory"),
        (["/"], "/: is a directory"),
        (["--html", "/nowhere/page.html"], "/nowhere/page.html: no such file or directory"),
    ],
)
def test_bad_arguments_are_named(arguments, said):
    out, err = replay(*arguments, code=2)
    assert out == ""
    assert said in err


@pytest.mark.parametrize(
    "log", [b"", b"\n\n \n", b"\xef\xbb\xbf", b'{"messages": []}\n', b"{broken\n", gzip.compress(b"", mtime=0)]
)
def test_a_log_without_a_request_is_an_error(log):
    _, err = replay("-", stdin=log, code=2)
    assert "standard input holds not a single request" in err


def test_bad_lines_are_counted_and_the_first_are_shown():
    log = body("a") + b"{broken\n" + b'{"model": "x"}\n' + b'{"messages": [{"role": "user", "content": "\xff"}]}\n'
    log += b'{"messages": [{"role": "user", "content": "\\ud800"}]}\n' + body("a")
    made = document("-", stdin=log)
    assert (made["requests"], made["skipped"]["lines"]) == (2, 4)
    out, _ = replay("-", stdin=log)
    for number, reason in enumerate(("not JSON", "no list of messages", "not UTF-8", "a lone surrogate"), start=2):
        assert f"line {number}: {reason}" in out


def test_missing_weights_name_the_command_that_installs_them(tmp_path):
    blocked = tmp_path / "empty"
    blocked.mkdir()
    out, err = run("replay", "--requests", "5", code=2, LLMFAST_MODEL_DIR=str(blocked))
    assert out == ""
    assert "pip install" in err


# ---- how it ends -----------------------------------------------------------------------------------------------------


def test_nobody_reading_is_no_traceback():
    process = subprocess.Popen(
        [*COMMAND, "replay", "--no-semantic", "--requests", "50", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 141
    assert err == ""


def interrupted(*arguments: str) -> tuple[str, str, int]:
    """Feed requests through a pipe that stays open, and press Ctrl-C once they were read."""
    process = subprocess.Popen(
        [*COMMAND, "replay", "--no-semantic", "-", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    # More than a pipe holds: when this returns, the process is reading.
    process.stdin.write(body("the same question") * 20_000)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.stdout.read().decode(), process.stderr.read().decode()
    code = process.wait(60)
    process.stdin.close()
    process.stdout.close()
    process.stderr.close()
    return out, err, code


def test_ctrl_c_ends_with_the_report_of_what_was_read():
    out, err, code = interrupted("--json")
    assert (code, err) == (130, "")
    made = json.loads(out)
    assert 0 < made["requests"] <= 20_000
    assert any("interrupted after" in note for note in made["notes"])


def test_json_is_one_document_and_a_pipe_gets_no_progress_bar():
    out, err = replay("--json", "--requests", "300")
    assert json.loads(out)["requests"] == 300
    assert err == ""


def test_quiet_prints_the_headlines():
    out, err = replay("--quiet", "--requests", "300")
    assert len(out.splitlines()) <= 6
    assert "answered without a call" in out
    assert err == ""


def test_the_page_is_written_beside_the_report(tmp_path):
    path = tmp_path / "page.html"
    out, err = replay("--requests", "300", "--html", str(path))
    assert "Hits by tier" in out
    assert str(path) in err
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_pipe_that_is_not_utf_8_gets_replacements():
    out, _ = replay("--requests", "300", PYTHONIOENCODING="ascii")
    assert "Banking77" in out


def test_a_terminal_gets_a_progress_bar():
    class Terminal:
        written = ""

        def isatty(self):
            return True

        def write(self, text):
            self.written += text

        def flush(self):
            pass

    terminal = Terminal()
    with Progress(stream=terminal) as progress:
        progress.show("5 requests", 0.5)
    assert "50%  5 requests" in terminal.written
    assert terminal.written.endswith("\r")
    hushed = Terminal()
    with Progress(stream=hushed, quiet=True) as progress:
        progress.show("5 requests", 0.5)
    assert hushed.written == ""


# ---- with the weights ------------------------------------------------------------------------------------------------


@pytest.mark.weights
def test_the_main_job_end_to_end(minilm, tmp_path, capsys):
    path: Path = tmp_path / "page.html"
    assert main(["replay", "--requests", "600", "--json", "--html", str(path), "--quiet"]) == 0
    made = json.loads(capsys.readouterr().out)
    first, _, third = made["tiers"]
    assert third["requests"] > 0
    own = next(point for point in made["curve"]["points"] if point["threshold"] == 0.95)
    assert (own["exact_hits"], own["semantic_hits"]) == (first["requests"], third["requests"])
    assert own["wrong_of_all"] == made["wrong"]["wrong_of_all"]
    assert "threshold" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"messages": []}]', "the log is one JSON list: write one request a line"),
        (b"[\n{}\n]", "the log is one JSON list"),
        ("what?".encode("utf-16"), "the log is UTF-16: convert it to UTF-8"),
        (gzip.compress(b"what is this?" * 99, mtime=0)[:12], "not a single request; the compressed log is damaged"),
    ],
)
def test_a_log_of_another_form_is_named(content, said, tmp_path):
    (tmp_path / "log").write_bytes(content)
    assert said in replay(str(tmp_path / "log"), "--no-semantic", code=2)[1]


def test_the_page_does_not_replace_the_log(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("what?\n")
    (tmp_path / "hard").hardlink_to(log)
    (tmp_path / "soft").symlink_to(log)
    for name in ("log.txt", "hard", "soft", "../" + tmp_path.name + "/log.txt"):
        assert "would overwrite the log" in replay(str(log), "--html", str(tmp_path / name), code=2)[1]
    with log.open("rb") as stream:
        done = subprocess.run(
            [*COMMAND, "replay", "-", "--no-semantic", "--html", str(log)],
            stdin=stream, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert b"would overwrite the log" in done.stderr
    assert log.read_text() == "what?\n"


def test_a_run_that_fails_leaves_no_page_and_spoils_none(tmp_path):
    page, old = tmp_path / "page.html", tmp_path / "old.html"
    old.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(page)
    for path in (page, old, link):
        replay("-", "--html", str(path), stdin=b"{broken\n", code=2)
        replay("/nowhere", "--html", str(path), code=2)
    assert not page.exists()
    assert link.is_symlink()
    assert old.read_text() == "old"


@pytest.mark.parametrize("log", [[], ["-"]])
def test_the_page_needs_a_file(log, tmp_path):
    assert "--html needs a file: standard output gets the report" in replay(*log, "--html", "-", code=2)[1]


def test_times_in_milliseconds_are_seconds(tmp_path):
    log, body = tmp_path / "log.jsonl", {"messages": [{"role": "user", "content": "what?"}]}
    hour = 3_600_000
    lines = [json.dumps({**body, "time": 1_700_000_000_000 + at * 23 * hour}) for at in range(3)]
    log.write_text("\n".join(lines))
    report = json.loads(replay(str(log), "--no-semantic", "--json")[0])
    # Within a day of the first the answer is repeated, after that asked for again.
    assert report["tiers"][0]["requests"] == 1
