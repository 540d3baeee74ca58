"""Text and tables for a terminal: plain text in 80 columns, with rich's colours where it is installed."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table as RichTable

WIDTH = 80
_GAP = "  "
# The last column of a table is not folded to less.
_NARROWEST = 20


@dataclass
class Table:
    """A table: its columns' names (a leading ">" puts the column's text to the right), its rows, and notes below."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Sheet:
    """What a command prints: a heading, the lines that matter most, tables, and small print."""

    heading: str
    lines: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plain(sheet: Sheet) -> str:
    """Return the sheet as plain text that fits 80 columns, as far as the tables do."""
    parts = [printable(sheet.heading)]
    if sheet.lines:
        parts.append("\n".join(_wrapped(line, "  ") for line in sheet.lines))
    parts += [_plain_table(table) for table in sheet.tables]
    if sheet.notes:
        parts.append("\n".join(_wrapped(note, "") for note in sheet.notes))
    return "\n\n".join(parts) + "\n"


def show(sheet: Sheet) -> None:
    """Print the sheet: coloured on a terminal if rich is there, else plain."""
    if sys.stdout.isatty() and _show_rich(sheet):
        return
    sys.stdout.write(plain(sheet))


def printable(text: str) -> str:
    """Return `text` without control characters, which could command a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _wrapped(text: str, indent: str) -> str:
    return "\n".join(
        textwrap.fill(line, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        for line in _lines(text)
    )


def _lines(text: str) -> list[str]:
    """Return the lines of a text, each without control characters."""
    return [printable(line) for line in text.split("\n")]


def _plain_table(table: Table) -> str:
    names = [name.removeprefix(">") for name in table.columns]
    right = [name.startswith(">") for name in table.columns]
    rows = [names, *([printable(cell) for cell in row] for row in table.rows)]
    cells = rows if right[-1] else _folded(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_plain_row(row, widths, right) for row in cells]
    rule = "-" * min(WIDTH, sum(widths) + len(_GAP) * (len(widths) - 1))
    notes = [_wrapped(note, "") for note in table.notes]
    return "\n".join([printable(table.title), rule, *lines, *notes])


def _folded(rows: list[list[str]]) -> list[list[str]]:
    """Break the text of the last column over as many rows as it needs to fit."""
    before = sum(max(map(len, column)) + len(_GAP) for column in list(zip(*rows, strict=True))[:-1])
    folded = []
    for *first, last in rows:
        lines = textwrap.wrap(last, max(_NARROWEST, WIDTH - before), break_on_hyphens=False) or [""]
        folded += [[*first, lines[0]], *([*([""] * len(first)), line] for line in lines[1:])]
    return folded


def _plain_row(row: list[str], widths: list[int], right: list[bool]) -> str:
    cells = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(row, widths, right, strict=True)
    ]
    return _GAP.join(cells).rstrip()


def _show_rich(sheet: Sheet) -> bool:
    """Print the sheet with rich; return False where it is not installed."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return False
    console = Console(highlight=False)
    console.print(Text(printable(sheet.heading), style="bold"))
    for line in sheet.lines:
        console.print(Text(_wrapped(line, "  "), style="green"))
    for table in sheet.tables:
        console.print()
        console.print(_rich_table(table))
        for note in table.notes:
            console.print(Text("\n".join(_lines(note)), style="dim"))
    if sheet.notes:
        console.print()
    for note in sheet.notes:
        console.print(Text("\n".join(_lines(note)), style="dim"))
    return True


def _rich_table(table: Table) -> RichTable:
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        title=Text(printable(table.title), style="bold"), title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for name in table.columns:
        side: Literal["left", "right"] = "right" if name.startswith(">") else "left"
        drawn.add_column(Text(name.removeprefix(">"), style="dim"), justify=side, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    return drawn
