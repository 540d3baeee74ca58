"""Tokens that a call took, as providers tell them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from ._arguments import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._llmfast import Row

#: Tokens that a ledger takes of one call.
_MOST_TOKENS = 2**53


class Usage(NamedTuple):
    """Tokens that a call took.

    Counts that are no numbers, below 0 or beyond 2⁵³ are no error here, since the call was paid for: where a `Reply`
    says so, its usage is unknown, and the failure "usage" is counted.
    """

    input_tokens: int
    output_tokens: int

    @property
    def estimated(self) -> bool:
        """Whether some were paid at another price than the list's: the provider had them cached, or cached them."""
        return False


class _CountsInput(Protocol):
    @property
    def input_tokens(self) -> int | None: ...


class _CountsOutput(Protocol):
    @property
    def output_tokens(self) -> int | None: ...


class _CountsPrompt(Protocol):
    @property
    def prompt_tokens(self) -> int | None: ...


#: What `Told.by` reads: a usage as ours, or as a provider has it. An event of a stream may tell one count alone.
AnyUsage: TypeAlias = (
    Usage | tuple[int | None, int | None] | list[int] | Mapping[str, Any] | _CountsInput | _CountsOutput | _CountsPrompt
)


class CachedUsage(Usage):
    """Tokens of a call some of which the provider had cached, or cached; it equals a `Usage` of as many."""

    __slots__ = ()

    @property
    def estimated(self) -> bool:
        """Whether some were paid at another price than the list's."""
        return True


class Told(NamedTuple):
    """What a provider has told so far; None stands for what it has not."""

    input: int | None = None
    #: Tokens of the prompt that `input` lacks: those written to the provider's cache, and those read from it.
    written: int | None = None
    read: int | None = None
    output: int | None = None
    total: int | None = None
    #: Whether tokens that `input` holds were cached.
    cached: bool = False

    @classmethod
    def by(cls, usage: Any) -> Told:
        """Read a usage as ours or as a provider names it, with what it lacks left out.

        Raises ConfigError for what is no usage or no count of tokens, and whatever its attributes raise.
        """
        if isinstance(usage, tuple | list):
            if len(usage) != len(Usage._fields):
                raise refuse("usage", usage, "a pair of input and output tokens")
            given, taken = map(_tokens_or_none, usage)
            told = cls(given, output=taken, cached=getattr(usage, "estimated", False))
        else:
            told = cls._named(_reader(usage))
        if told == cls():
            raise refuse("usage", usage, "tokens, with input_tokens and output_tokens or as a provider names them")
        return told

    @classmethod
    def _named(cls, read: Callable[[str], Any]) -> Told:
        def count(name: str) -> int | None:
            return _tokens_or_none(read(name))

        given, written, fetched = map(count, ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"))
        told = cls(given, written, fetched, count("output_tokens"), count("total_tokens"), _has_cached(read))
        if told.output is None:
            told = told._replace(output=count("completion_tokens"))
        if given is None and (prompt := count("prompt_tokens")) is not None:
            # Who names it so counts the whole prompt, whatever else is said of a cache.
            told = told._replace(input=prompt, written=None, read=None, cached=bool(told.cached or written or fetched))
        return told

    def then(self, later: Told) -> Told:
        """Return what is known when `later` was told as well: of each count the last one."""
        new = {name: value for name, value in later._asdict().items() if value is not None}
        return self._replace(**{**new, "cached": self.cached or later.cached})

    @property
    def usage(self) -> Usage | None:
        """The whole; None if a part of it is not known."""
        if self.input is None:
            return None
        beside = (self.written or 0) + (self.read or 0)
        # Embeddings have no output, and say so by the total alone.
        output = self.output if self.output is not None or self.total is None else self.total - self.input - beside
        if output is None or output < 0 or self.input + beside > _MOST_TOKENS:
            return None
        return (CachedUsage if self.cached or beside else Usage)(self.input + beside, output)


#: Where nothing has been told, or what was cannot be read.
NOTHING_TOLD = Told()


def whole(usage: Any) -> Usage:
    """Return the usage that somebody told at one time.

    Raises ConfigError where it cannot be read or lacks a part, and whatever its attributes raise.
    """
    found = Told.by(usage).usage
    if found is None:
        raise refuse("usage", usage, "the tokens of input and output")
    return found


def usage_of(row: Row) -> Usage | None:
    """Return what the call took that made a row."""
    if row.usage is None:
        return None
    return (CachedUsage if row.estimated else Usage)(*row.usage)


def _reader(holder: Any) -> Callable[[str], Any]:
    return holder.get if isinstance(holder, Mapping) else partial(_attribute, holder)


def _attribute(holder: Any, name: str) -> Any:
    return getattr(holder, name, None)


def _has_cached(read: Callable[[str], Any]) -> bool:
    """Whether some of the input tokens were cached, as OpenAI says it of the tokens that it counts as input."""
    details = (read(name) for name in ("prompt_tokens_details", "input_tokens_details"))
    return any(_tokens_or_none(_reader(detail)("cached_tokens")) for detail in details)


def _tokens_or_none(count: Any) -> int | None:
    return None if count is None else _tokens(count)


def _tokens(count: Any) -> int:
    """Return a count of tokens; an error says what it is if it is none that a row and a ledger can hold."""
    try:
        tokens = -1 if isinstance(count, bool) else int(count)
    except (TypeError, ValueError, OverflowError):
        tokens = -1
    # JSON of protocol buffers has large integers as str.
    if not 0 <= tokens <= _MOST_TOKENS or (tokens != count and not isinstance(count, str)):
        raise refuse("a count of tokens", count, f"a whole number from 0 to {_MOST_TOKENS:,}")
    return tokens
