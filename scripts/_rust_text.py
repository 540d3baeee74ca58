"""Just enough of Rust's grammar to read paths, items and brace depth: no more than the layering checks need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Comments and literals become spaces, so that words in them are no code. Raw strings first; block comments may nest one
# level; a lifetime ('a) is no character literal, which closes with a quote.
_NOISE = re.compile(
    r"""
      //[^\n]*
    | /\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*\*/
    | \bb?r(?P<hashes>\#*)".*?"(?P=hashes)
    | b?c?"(?:\\.|[^"\\])*"
    | b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])'
    """,
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(r"::|[A-Za-z_][A-Za-z0-9_]*|\S")


@dataclass(frozen=True)
class Token:
    """A word or a sign, with the line it stands on (1 is the first)."""

    text: str
    line: int


@dataclass(frozen=True)
class Function:
    """A function with a body: the line of its name, and how many lines lie between its braces."""

    name: str
    line: int
    body_lines: int


def blank_noise(text: str) -> str:
    """Return `text` with comments, strings and characters blanked; lines stay where they are."""
    return _NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def tokens(text: str) -> list[Token]:
    """Return the words and signs of `text` without comments and literals."""
    code = blank_noise(text)
    found, line, last = [], 1, 0
    for match in _TOKEN.finditer(code):
        line += code.count("\n", last, match.start())
        last = match.start()
        found.append(Token(match.group(), line))
    return found


def paths(text: str, module: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield (line, path below the crate) for every `crate::…` and `super::…` of a file that is module `module`.

    Groups and inline modules are followed: in `cache/table.rs`, `use super::super::{error::Error, row}` yields
    `("error", "Error")` and `("row",)`.
    """
    stream = tokens(text)
    for at, token in enumerate(stream):
        if token.text == "crate" and _follows(stream, at, "::"):
            for tail in _tree(stream, at + 2):
                yield token.line, tail
        elif token.text == "super" and _follows(stream, at, "::") and not _precedes(stream, at, "::"):
            base, at_tail = (*module, *_inline_modules(stream, at)), at
            while stream[at_tail].text == "super":
                base, at_tail = base[:-1], at_tail + 2
            for tail in _tree(stream, at_tail):
                yield token.line, (*base, *tail)


def external_paths(text: str, roots: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield (line, path) for every path that starts with one of `roots` (`std`, `core`)."""
    stream = tokens(text)
    for at, token in enumerate(stream):
        if token.text in roots and _follows(stream, at, "::"):
            for tail in _tree(stream, at + 2):
                yield token.line, (token.text, *tail)


def functions(text: str) -> Iterator[Function]:
    """Yield every function that has a body."""
    stream = tokens(text)
    for at, token in enumerate(stream):
        if token.text == "fn" and at + 1 < len(stream) and stream[at + 1].text.isidentifier():
            opening = _body(stream, at + 2)
            if opening is not None:
                closing = _closing(stream, opening)
                inside = max(0, stream[closing].line - stream[opening].line - 1)
                yield Function(stream[at + 1].text, token.line, inside)


def _follows(stream: list[Token], at: int, text: str) -> bool:
    return at + 1 < len(stream) and stream[at + 1].text == text


def _precedes(stream: list[Token], at: int, text: str) -> bool:
    return at > 0 and stream[at - 1].text == text


def _tree(stream: list[Token], at: int) -> list[tuple[str, ...]]:
    """Return the paths of the use tree (or plain path) that starts at `at`."""
    return _tree_and_end(stream, at)[0]


def _tree_and_end(stream: list[Token], at: int) -> tuple[list[tuple[str, ...]], int]:
    head: tuple[str, ...] = ()
    while at < len(stream) and stream[at].text.isidentifier():
        head, at = (*head, stream[at].text), at + 1
        if at >= len(stream) or stream[at].text != "::":
            return [head], at
        at += 1
    if at < len(stream) and stream[at].text == "{":
        leaves: list[tuple[str, ...]] = []
        at += 1
        while at < len(stream) and stream[at].text != "}":
            branches, end = _tree_and_end(stream, at)
            leaves += [(*head, *branch) for branch in branches]
            at = max(end, at + 1)  # over `as name`, `,` or whatever stands between two branches
            while at < len(stream) and stream[at].text not in {",", "}"}:
                at += 1
            at += at < len(stream) and stream[at].text == ","
        return leaves, at + 1
    return [head], at + 1


def _inline_modules(stream: list[Token], at: int) -> list[str]:
    """Return the names of the `mod name { … }` blocks around position `at`."""
    open_blocks: list[str | None] = []
    for here in range(at):
        if stream[here].text == "{":
            is_module = here >= 2 and stream[here - 2].text == "mod"
            open_blocks.append(stream[here - 1].text if is_module else None)
        elif stream[here].text == "}" and open_blocks:
            open_blocks.pop()
    return [name for name in open_blocks if name is not None]


def _body(stream: list[Token], at: int) -> int | None:
    """Return where the body of the function opens whose name ends before `at`; None for a mere declaration."""
    depth = 0
    for here in range(at, len(stream)):
        text = stream[here].text
        depth += (text in "([") - (text in ")]")
        if depth == 0 and text in "{;":
            return here if text == "{" else None
    return None


def _closing(stream: list[Token], opening: int) -> int:
    depth = 0
    for here in range(opening, len(stream)):
        depth += (stream[here].text == "{") - (stream[here].text == "}")
        if depth == 0:
            return here
    return len(stream) - 1
