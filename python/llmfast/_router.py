"""Which model is good enough for a question: tables from Python or TOML, questions from text or messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from ._arguments import refuse, whole
from ._errors import ConfigError
from ._llmfast import Decision, RouterTable, Signal
from ._numbers import as_written, multiple, printed, within

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["Decision", "Router", "Signal"]

#: Weights and bounds: multiples of 0.001, exact as they are written.
Number: TypeAlias = "int | float | str | Decimal"
#: Name, model, and the score that it ends below; None for the last.
TierSpec: TypeAlias = "tuple[str, str, Number | None]"
#: Name, weight, and its words or the tokens it needs.
RuleSpec: TypeAlias = "tuple[str, Number, Sequence[str] | int]"
#: Phrase and name of a tier.
ExceptionSpec: TypeAlias = "tuple[str, str]"

# A bound beyond any use, but within what the core counts in.
_MOST_BOUND = 10**6

_MOST_TOKENS = 2**63 - 1
_TOKENS = "a number of tokens, 0 or more"


class Router:
    """Chooses the cheapest model that will do, by a table of weighted signals, and says why.

    A question's score is the sum of the weights of the rules that fire; each counts once. The first tier whose bound is
    above the score serves. If the phrase of an exception occurs, its tier serves whatever the score; of several the
    first in the table. The seed table:

    | rule      | fires on                                                        | weight |
    |-----------|-----------------------------------------------------------------|--------|
    | length    | more than 100 tokens                                            | 0.1    |
    | steps     | "then", "after", "first", "finally"                             | 0.3    |
    | code      | "write code", "implement", "function"                           | 0.2    |
    | domain    | terms of law, medicine, finance and science                     | 0.2    |
    | ambiguity | hedges such as "maybe", "not sure", "somehow", "it depends"     | 0.2    |

    | tier        | score       | model           |
    |-------------|-------------|-----------------|
    | simple      | below 0.3   | gpt-4o-mini     |
    | medium      | below 0.6   | gpt-4o          |
    | complex     | below 0.8   | claude-sonnet-4 |
    | specialized | 0.8 and up  | claude-opus-4   |

    Words are compared whole and without regard to case, in Unicode: "then" does not occur in "strengthen". The words of
    a phrase follow each other within a clause. Tokens are estimated: a quarter of the bytes in UTF-8, rounded up.
    Scores are added in thousandths, so that 0.1 + 0.2 is 0.3. Thread-safe; the time is linear in the text.
    """

    __slots__ = ("_table",)

    def __init__(
        self,
        *,
        tiers: Iterable[TierSpec] | None = None,
        rules: Iterable[RuleSpec] | None = None,
        exceptions: Iterable[ExceptionSpec] | None = None,
    ) -> None:
        """Make a router; what is not given is as in the seed table.

        `tiers`: (name, model, bound), bounds ascending, None for the last. `rules`: (name, weight, words) or (name,
        weight, least number of tokens), weights from 0 to 1. `exceptions`: (phrase, name of a tier). Weights and bounds
        are multiples of 0.001; a float counts as it prints.

        Raises ConfigError, with the number, for a table that is wrong, TypeError for other types.
        """
        self._table = RouterTable(
            None if tiers is None else [_tier(tier, f"tier {place}") for place, tier in enumerate(tiers, 1)],
            None if rules is None else [_rule(rule, f"rule {place}") for place, rule in enumerate(rules, 1)],
            None
            if exceptions is None
            else [_exception(exception, f"exception {place}") for place, exception in enumerate(exceptions, 1)],
        )

    @classmethod
    def default(cls) -> Router:
        """Return a router with the seed table."""
        return cls()

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Router:
        """Return a router with the table of a TOML file; a part that it lacks is as in the seed table.

            [[tiers]]                     # by ascending bound
            name = "simple"
            model = "gpt-4o-mini"
            below = 0.3                   # the last tier has no bound

            [[rules]]
            name = "steps"
            weight = 0.3
            words = ["then", "after"]     # or: min_tokens = 101

            [[exceptions]]
            phrase = "legal hold"
            tier = "specialized"

        Raises ConfigError for a file that is no TOML, has unknown names or a wrong table; OSError if it cannot be read.
        """
        try:
            return cls(**_read(path))
        except (ConfigError, TypeError) as error:
            raise ConfigError(f"{path}: {error}") from None

    @property
    def generation(self) -> str:
        """Identifies the table in 32 hexadecimal digits: equal tables have equal generations, in any process."""
        return self._table.generation

    @property
    def tiers(self) -> list[tuple[str, str, float | None]]:
        """The tiers as (name, model, bound)."""
        return [(name, model, None if below is None else below / 1000) for name, model, below in self._table.table()[0]]

    @property
    def rules(self) -> list[tuple[str, float, list[str] | int]]:
        """The rules as (name, weight, words or least number of tokens)."""
        return [(name, weight / 1000, words or tokens) for name, weight, words, tokens in self._table.table()[1]]

    @property
    def exceptions(self) -> list[tuple[str, str]]:
        """The exceptions as (phrase, name of a tier)."""
        return self._table.table()[2]

    def route(
        self, query: str | Sequence[Mapping[str, Any]], *, context: str | None = None, more_tokens: int = 0
    ) -> Decision:
        """Choose a model for a question.

        `query` is its text, or messages as OpenAI and Anthropic write them: then the last message of the role "user"
        counts, with the text of all its parts; images and other parts without text count nothing. `context` is text
        that goes with the question, such as documents: its words and its length count like the question's.
        `more_tokens` are those of what else goes with it, such as the system prompt and the turns before: they count
        for the length alone.

        Raises TypeError for anything else, ConfigError for messages without a user turn or a number of tokens below 0,
        InvalidTextError for a text with a lone surrogate.
        """
        if context is not None and not isinstance(context, str):
            raise TypeError(f"context must be a str or None, got {_type(context)}")
        text = query if isinstance(query, str) else last_user_text(query)
        tokens = whole("more_tokens", more_tokens, _TOKENS) if more_tokens else 0
        if not 0 <= tokens <= _MOST_TOKENS:
            raise refuse("more_tokens", more_tokens, _TOKENS)
        return self._table.route(text, context, tokens)

    def __repr__(self) -> str:
        tiers, rules, exceptions = self._table.table()
        return f"Router({len(tiers)} tiers, {len(rules)} rules, {len(exceptions)} exceptions)"


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last user turn; TypeError or ConfigError if there is none."""
    if not _is_list(messages):
        raise TypeError(f"query must be a str or a list of messages, got {_type(messages)}")
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if not isinstance(message, Mapping):
            raise TypeError(f"messages[{place}] must be a dict with role and content, got {_type(message)}")
        if message.get("role") == "user":
            return _content_text(message.get("content"), f"messages[{place}].content")
    roles = ", ".join(str(message.get("role")) for message in messages) or "none"
    raise ConfigError(f"expected a message of the role user, got {len(messages)} messages with the roles: {roles}")


def _content_text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if not _is_list(content):
        raise TypeError(f"{where} must be a str or a list of parts, got {_type(content)}")
    return "\n".join(_part_text(part, f"{where}[{place}]") for place, part in enumerate(content))


def _part_text(part: Any, where: str) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise TypeError(f"{where} must be a str or a dict, got {_type(part)}")
    text = part.get("text", "")
    if not isinstance(text, str):
        raise TypeError(f"{where}.text must be a str, got {_type(text)}")
    return text


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a file's table as keyword arguments of Router."""
    import tomllib

    with open(path, "rb") as file:  # noqa: PTH123 (any path-like object)
        content = file.read()
    try:
        # With the mark that some editors begin a file with.
        table = tomllib.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except ValueError as error:  # of the syntax or of the encoding
        raise ConfigError(f"not valid TOML: {error}") from None
    readers = {"tiers": _read_tier, "rules": _read_rule, "exceptions": _read_exception}
    _known(table, readers, "the file")
    for part, entries in table.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ConfigError(f"{part} must be tables, each under [[{part}]]")
    return {
        part: [readers[part](entry, f"{part.removesuffix('s')} {place}") for place, entry in enumerate(entries, 1)]
        for part, entries in table.items()
    }


def _read_tier(entry: dict[str, Any], what: str) -> tuple[Any, ...]:
    _known(entry, ("name", "model", "below"), what, required=("name", "model"))
    return entry["name"], entry["model"], entry.get("below")


def _read_rule(entry: dict[str, Any], what: str) -> tuple[Any, ...]:
    _known(entry, ("name", "weight", "words", "min_tokens"), what, required=("name", "weight"))
    if ("words" in entry) == ("min_tokens" in entry):
        raise ConfigError(f"rule {entry['name']!r} needs either words or min_tokens")
    return entry["name"], entry["weight"], entry["words"] if "words" in entry else entry["min_tokens"]


def _read_exception(entry: dict[str, Any], what: str) -> tuple[Any, ...]:
    _known(entry, ("phrase", "tier"), what, required=("phrase", "tier"))
    return entry["phrase"], entry["tier"]


def _known(entry: dict[str, Any], names: Iterable[str], what: str, required: tuple[str, ...] = ()) -> None:
    for name in entry:
        if name not in names:
            raise ConfigError(f"{what} has no {name!r}; there are {', '.join(names)}")
    for name in required:
        if name not in entry:
            raise ConfigError(f"{what} needs {name!r}, got {', '.join(entry) or 'nothing'}")


def _tier(tier: TierSpec, what: str) -> tuple[str, str, int | None]:
    name, model, below = _fields(tier, what, "name, model, bound")
    _check_text(name, f"name of {what}")
    _check_text(model, f"model of tier {name!r}")
    bound = None if below is None else _thousandths(below, f"upper bound of tier {name!r}", _MOST_BOUND)
    return name, model, bound


def _rule(rule: RuleSpec, what: str) -> tuple[str, int, list[str], int]:
    name, weight, signal = _fields(rule, what, "name, weight, words or tokens")
    _check_text(name, f"name of {what}")
    thousandths = _thousandths(weight, f"weight of rule {name!r}", 1)
    if hasattr(type(signal), "__index__") and not isinstance(signal, bool):
        tokens = int(signal.__index__())
        if not 1 <= tokens <= _MOST_TOKENS:
            raise ConfigError(f"min_tokens of rule {name!r} must be from 1 to {_MOST_TOKENS}, got {as_written(tokens)}")
        return name, thousandths, [], tokens
    if not _is_list(signal):
        raise TypeError(f"rule {name!r} needs a list of words or a number of tokens, got {_type(signal)}")
    if not signal:
        raise ConfigError(f"rule {name!r} needs at least 1 word, got 0")
    for word in signal:
        _check_text(word, f"word of rule {name!r}")
    return name, thousandths, list(signal), 0


def _exception(exception: ExceptionSpec, what: str) -> tuple[str, str]:
    phrase, tier = _fields(exception, what, "phrase, tier")
    _check_text(phrase, f"phrase of {what}")
    _check_text(tier, f"tier of exception {phrase!r}")
    return phrase, tier


def _fields(spec: Any, what: str, names: str) -> tuple[Any, ...]:
    expected = names.count(",") + 1
    if not isinstance(spec, tuple | list) or len(spec) != expected:
        raise TypeError(f"{what} must be a tuple of {expected} ({names}), got {spec!r}")
    return tuple(spec)


def _check_text(value: Any, what: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, got {_type(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what} has a lone surrogate at position {error.start}, got {value!r}") from None


def _thousandths(value: Any, what: str, most: int) -> int:
    """Return a number from 0 to `most` in thousandths, exactly."""
    number = printed(value, what)
    within(number, most, value, what)
    thousandths = multiple(number, 3)
    if thousandths is None:
        raise ConfigError(f"{what} must be a multiple of 0.001, got {as_written(value)}")
    return thousandths


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)


def _type(value: Any) -> str:
    return type(value).__name__
