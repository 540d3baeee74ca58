"""What the README shows runs: its Python blocks in order, and its commands exist."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
if not (ROOT / "Cargo.toml").exists():
    pytest.skip("needs the source tree: it reads README.md and the Makefile", allow_module_level=True)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language (empty if it names none), the line it starts on (1 is the first), its text."""

    language: str
    line: int
    text: str


def blocks(text: str, *languages: str) -> list[Block]:
    fenced = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(m[1], text.count("\n", 0, m.start(2)) + 1, m[2]) for m in fenced if m[1] in languages]


def readme_blocks(*languages: str) -> list[Block]:
    return blocks(README.read_text(encoding="utf-8"), *languages)


def run(block: Block, names: dict[str, object], runner: asyncio.Runner, file: str = "README.md") -> None:
    """Run a block as if typed at the asyncio prompt; errors name the line of the page."""
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        runner.run(eval(code, names))
    else:
        exec(code, names)


def words_of_commands(block: Block) -> list[list[str]]:
    """Return the words of each command of a shell block, without prompts, comments and variables set in front."""
    commands = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "console" and not line.startswith("$ "):
            continue  # output
        words = line.removeprefix("$ ").split("#")[0].split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words:
            commands.append(words)
    return commands


def commands_named(first: str) -> list[list[str]]:
    """Return the commands of the page that start with `first`, in shell blocks and in `code` within a line."""
    shell = readme_blocks("", "bash", "sh", "shell", "console")
    found = [words for block in shell for words in words_of_commands(block)]
    inline = re.findall(r"`([^`\n]+)`", README.read_text(encoding="utf-8"))
    return [words for words in [*found, *map(str.split, inline)] if words[:1] == [first]]


@pytest.mark.weights
def test_the_python_blocks_run_in_order(request, tmp_path, monkeypatch, capsys):
    shown = readme_blocks("python")
    assert shown, "README.md shows no Python"
    if any("MiniLM" in block.text for block in shown):
        request.getfixturevalue("minilm")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__readme__"}
    with asyncio.Runner() as runner:
        for block in shown:
            run(block, names, runner)


class Completions:
    """Stands for `client.chat.completions` of an SDK."""

    async def create(self, *, model: str, messages: list[dict[str, str]], temperature: float) -> Any:
        message = {"role": "assistant", "content": f"an answer to {messages[-1]['content']}"}
        said = {
            "object": "chat.completion",
            "model": f"{model}-2024-07-18",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 80},
        }
        return SimpleNamespace(model_dump=lambda: said)


@pytest.mark.weights
def test_the_call_of_a_real_client_hits(minilm):
    (block,) = [block for block in readme_blocks("python") if "from_keywords" in block.text]
    names: dict[str, Any] = {"client": SimpleNamespace(chat=SimpleNamespace(completions=Completions()))}
    with asyncio.Runner() as runner:
        run(block, names, runner)
        for question, source in (
            ("Where is my parcel?", "llm_call"),
            ("Where is my parcel?", "exact_hit"),
            ("where is my parcel", "semantic_hit"),
        ):
            asked = names["chat"]([{"role": "user", "content": question}], "tenant-17", temperature=0)
            answer = runner.run(asked)
            assert answer.source == source
            assert answer.response["choices"][0]["message"]["content"] == "an answer to Where is my parcel?"
            assert (answer.usage.input_tokens, answer.model) == (12, "gpt-4o-mini-2024-07-18")


def test_the_make_targets_exist():
    named = {word for words in commands_named("make") for word in words[1:] if "=" not in word and word[0] != "-"}
    assert named, "README.md names no make target"
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


def test_the_subcommands_exist():
    named = {words[1] for words in commands_named("llmfast") if len(words) > 1 and not words[1].startswith("-")}
    assert named, "README.md names no subcommand"
    for subcommand in sorted(named):
        program = "import sys; from llmfast._cli import main; sys.exit(main())"
        command = [sys.executable, "-c", program, subcommand, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"llmfast {subcommand}: {done.stderr}"


def test_the_links_into_the_tree_lead_somewhere():
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8"))
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if not (ROOT / link).exists()] == []


# ---- the reader itself -----------------------------------------------------------------------------------------------

PAGE = """# page

```python
x = 1
```

```console
$ make demo  # comment
make nothing
$ LLMFAST_DATA=/data llmfast replay \\
    --json
```

```python
import asyncio
await asyncio.sleep(0)
y = x / 0
```
"""


def test_blocks_share_names_await_and_report_their_line():
    first, second = blocks(PAGE, "python")
    names: dict[str, object] = {}
    with asyncio.Runner() as runner:
        run(first, names, runner, "page.md")
        assert names["x"] == 1
        with pytest.raises(ZeroDivisionError) as caught:
            run(second, names, runner, "page.md")
    assert caught.traceback[-1].lineno + 1 == PAGE.splitlines().index("y = x / 0") + 1


def test_commands_are_read_without_prompts_output_and_variables():
    (block,) = blocks(PAGE, "console")
    assert words_of_commands(block) == [["make", "demo"], ["llmfast", "replay", "--json"]]
