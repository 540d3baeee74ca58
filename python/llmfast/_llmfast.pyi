"""The extension module. What its names promise is written here; `llmfast` re-exports the public ones."""

import array
import builtins
import os
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextvars import Context, ContextVar
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    NoReturn,
    Self,
    SupportsFloat,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    final,
    overload,
)

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

from ._prices import HasUsage

__all__ = [
    "PUBLIC",
    "Arrival",
    "BatchEntrance",
    "BatchFront",
    "BatchGroup",
    "BatchQueue",
    "BatchScheduler",
    "BatchTotals",
    "BertEncoderCore",
    "CacheStats",
    "CompletionQueue",
    "Decision",
    "FlatIndex",
    "FlightState",
    "FormedBatch",
    "Hit",
    "HnswIndex",
    "Identifier",
    "Identity",
    "LedgerState",
    "LookupWorker",
    "LruCache",
    "NormalRequest",
    "Price",
    "Public",
    "Reading",
    "RouterTable",
    "Row",
    "Signal",
    "_Encoding",
    "after_fork",
    "before_fork",
    "guard_words",
    "horizon",
    "kernel_name",
    "refusal",
]

__version__: str

_STRINGS_ARE_KNOWN: bool

_K = TypeVar("_K")
_V = TypeVar("_V")
_T = TypeVar("_T")

_Sums: TypeAlias = tuple[list[int], list[int], list[int], int, int, list[int], int, int, int]
_Numbers: TypeAlias = Sequence[SupportsFloat | SupportsIndex] | array.array[float] | memoryview[Any]
_Vector: TypeAlias = NDArray[Any] | _Numbers | _Encoding
_Matrix: TypeAlias = NDArray[Any] | Sequence[_Vector]
_Ids: TypeAlias = NDArray[Any] | Sequence[SupportsIndex]

@final
class LruCache(Generic[_K, _V]):
    """A cache bounded by entries and by bytes.

    `capacity`: entries at most. `max_bytes`: sum of the weights at most; an entry's weight is what `insert` is given,
    else `sys.getsizeof` of key and value. `time_to_live`: seconds an entry lives that says nothing itself.

    `policy="lru"`: the entry that goes is an expired one, or the least recently used of some ten drawn at random (of
    all, up to a capacity of 64). `"s3-fifo"` (Yang et al., SOSP 2023): new entries prove themselves in a tenth of the
    cache first. It is better where many keys are asked for once only, and worse in caches so small (some dozens of
    entries) that a tenth of them holds next to nothing.

    Values are held and handed back by reference; any hashable key works, and keys of exact type `str`, `bytes`, `int`,
    `float` and `bool` are compared without Python code. Values of these types have up to six references more than one
    sees (`sys.getrefcount`) while they are held: they are counted ahead. Expired entries go when they are come across:
    by a lookup, by a later insertion that sweeps some slots or needs room. No thread is started.

    Safe from any thread; no lock is held while Python code runs. Mapping protocol included; iteration goes over a
    snapshot. Raises ConfigError for a limit of 0 or an unknown policy.

    Before Python 3.14 the process aborts if it ends while a daemon thread is in Python code that the cache called: a
    factory, what compares or hashes a key of another type than those, what deletes a value. End such threads first.
    """

    def __new__(
        cls,
        capacity: int,
        *,
        max_bytes: int | None = None,
        time_to_live: float | None = None,
        policy: Literal["lru", "s3-fifo"] = "lru",
    ) -> Self: ...
    @overload
    def get(self, key: _K, default: None = None) -> _V | None:
        """Return the value of `key` and mark it as used; `default` if it is absent or its time is over."""
    @overload
    def get(self, key: _K, default: _V | _T) -> _V | _T: ...
    @overload
    def peek(self, key: _K, default: None = None) -> _V | None:
        """Return the value of `key` and leave its recency and the counters as they are."""
    @overload
    def peek(self, key: _K, default: _V | _T) -> _V | _T: ...
    def insert(self, key: _K, value: _V, *, time_to_live: float | None = None, weight: int | None = None) -> None:
        """Insert or replace an entry; it lives `time_to_live` seconds and counts `weight` bytes.

        An entry that weighs more than `max_bytes` is not stored (and counted in `stats().rejections`); an older value
        of the key is removed all the same.
        """
    def _insert_evicting(
        self, key: _K, value: _V, *, time_to_live: float | None = None, weight: int | None = None
    ) -> tuple[bool, list[_K]]:
        """Insert like `insert`; return whether the entry was stored, and the keys that had to go."""
    def remove(self, key: _K) -> bool:
        """Remove an entry; return whether it was there."""
    def get_or_insert_with(self, key: _K, factory: Callable[[], _V]) -> _V:
        """Return the value of `key`, else insert what `factory()` returns and return that.

        Threads that ask for the same key meanwhile wait for it, so that it is computed once. If the factory raises, its
        caller gets the exception and the next one in line tries. A factory may use the cache: where waiting could last
        for ever (for the own thread, or for one that waits for this one), the value is computed once more instead. That
        is known of threads alone; a factory must not wait for another thread that asks for the same key. A forked child
        waits for no thread of its parent.
        """
    def clear(self) -> None:
        """Remove everything; the counters stay."""
    def stats(self) -> CacheStats:
        """Return the counters, which are exact."""
    @property
    def capacity(self) -> int:
        """Entries at most."""
    def keys(self) -> list[_K]:
        """Return the keys; under "lru" most recently used first: exactly, up to a capacity of 64, else roughly."""
    def values(self) -> list[_V]:
        """Return the values, in the order of `keys`."""
    def items(self) -> list[tuple[_K, _V]]:
        """Return keys and values, in the order of `keys`."""
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __getitem__(self, key: _K, /) -> _V: ...
    def __setitem__(self, key: _K, value: _V, /) -> None: ...
    def __delitem__(self, key: _K, /) -> None: ...
    def __iter__(self) -> Iterator[_K]: ...
    def __copy__(self) -> NoReturn: ...
    def __reduce__(self) -> NoReturn: ...
    @classmethod
    def __class_getitem__(cls, parameters: Any) -> Any: ...

@final
class CacheStats:
    """What a LruCache did since it was made, and what it holds now.

    What a `Cache` tells of itself is `TierStats`."""

    def __new__(
        cls,
        hits: int,
        misses: int,
        insertions: int,
        evictions: int,
        expirations: int,
        rejections: int,
        entries: int,
        bytes: int,
    ) -> Self: ...
    def __getnewargs__(self) -> tuple[int, int, int, int, int, int, int, int]: ...
    @property
    def hits(self) -> int:
        """Lookups that found a live entry."""
    @property
    def misses(self) -> int:
        """Lookups that found none."""
    @property
    def insertions(self) -> int:
        """Entries stored, replacements included."""
    @property
    def evictions(self) -> int:
        """Entries removed to make room."""
    @property
    def expirations(self) -> int:
        """Entries removed because their time was over."""
    @property
    def rejections(self) -> int:
        """Entries refused because they weigh more than `max_bytes`."""
    @property
    def entries(self) -> int:
        """Entries held, expired ones that nobody has asked for since included."""
    @property
    def bytes(self) -> int:
        """Sum of their weights."""
    def _asdict(self) -> dict[str, int]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Public:
    """The type of `PUBLIC`."""

#: The scope whose rows every other scope may see.
PUBLIC: Public

@final
class Identifier:
    """Makes the keys of requests under a secret (any bytes)."""

    def __new__(cls, secret: builtins.bytes) -> Self: ...
    def identify(
        self,
        scope: str | Public | None,
        query: str,
        model: str | None = None,
        system: str | None = None,
        messages: Any = None,
        params: Any = None,
        context: Any = None,
        version: str | None = None,
        router: str = "",
        stream: bool = False,
        fold_case: bool = False,
        *,
        api: str = "",
    ) -> Identity:
        """Return who a request is that is made of a query and keywords.

        `messages` are the turns before the query, with or without it as the last. `api` is the form in which the answer
        comes back: empty, or a name that `NormalRequest` takes, for the same request made through that API.

        Raises TypeError for data that is not JSON, InvalidTextError for lone surrogates, ConfigError for bottomless
        nesting or an unknown `api`.
        """
    def identify_request(
        self,
        scope: str | Public | None,
        request: NormalRequest,
        *,
        context: Any = None,
        version: str = "",
        router: str = "",
        stream: bool | None = None,
        fold_case: bool = False,
    ) -> Identity:
        """Return who a request in normal form is. `stream` is the form of the answer, if not the one that it names."""
    def fingerprint(
        self,
        *,
        model: str,
        system: str,
        messages: Any,
        params: Any,
        context: Any,
        version: str,
        router: str = "",
        stream: bool = False,
    ) -> builtins.bytes:
        """Return the compatibility fingerprint (32 bytes): everything that can change the answer but query and scope.

        `messages` are the turns before the query, without it.

        Raises TypeError for data that is not JSON, InvalidTextError for lone surrogates, ConfigError for bottomless
        nesting.
        """
    def exact_key(self, scope: str | Public | None, fingerprint: builtins.bytes, query: str) -> builtins.bytes:
        """Return the exact key (32 bytes)."""
    def normal_key(
        self, scope: str | Public | None, fingerprint: builtins.bytes, query: str, *, fold_case: bool = False
    ) -> builtins.bytes | None:
        """Return the exact key of the question in normal form (see `Identity.normal_key`); None if it is in it."""
    def partition(self, scope: str | Public | None, encoder: str, fingerprint: builtins.bytes) -> builtins.bytes:
        """Return where rows lie that may be compared by meaning: 16 bytes, of a number the least significant first."""
    def principal(self, scope: str | Public | None, user: str | None = None) -> int | None:
        """Return who asked, without saying who (128 bits); None if neither user nor tenant is named."""
    def scope(self, scope: str | Public | None) -> int:
        """Return a scope without saying which (128 bits)."""
    @property
    def row_key(self) -> builtins.bytes:
        """The key under which stored rows are sealed (32 bytes)."""

@final
class Identity:
    """Who a request is."""

    @property
    def key(self) -> builtins.bytes:
        """Exact key (32 bytes): everything that can change the answer, scope included."""
    @property
    def normal_key(self) -> builtins.bytes | None:
        """Exact key of the same request with its question in normal form; None if that is `key`.

        A row found under either key is an exact answer if its own `key` or its own `normal_key` is the one looked up.
        In normal form white space, width and typographic signs are one where that changes nothing, with `fold_case`
        upper and lower case too.
        """
    @property
    def row_key(self) -> builtins.bytes:
        """`normal_key`, or `key` where there is none: where the one row lies of all requests that say the same."""
    @property
    def fingerprint(self) -> builtins.bytes:
        """Everything but query and scope (32 bytes)."""

@final
class NormalRequest:
    """A request to a provider's API in normal form: the same for SDK keywords, wire body, and query with keywords.

    `api`: "openai.chat", "openai.responses", "openai.embeddings" or "anthropic.messages".
    """

    @staticmethod
    def from_keywords(api: str, keywords: dict[str, Any]) -> NormalRequest:
        """Return the normal form of an SDK's keyword arguments.

        Raises TypeError for data that is not JSON, InvalidTextError for lone surrogates, ConfigError for an unknown
        `api` or bottomless nesting.
        """
    @staticmethod
    def from_wire(api: str, body: builtins.bytes) -> NormalRequest:
        """Return the normal form of a wire body, JSON in UTF-8; of two entries with one name the last counts.

        Raises ConfigError for an unknown `api` and for what is not JSON.
        """
    @property
    def api(self) -> str: ...
    @property
    def query(self) -> str | None:
        """Text of the last user turn; None if the last turn is not a user's or holds no text: then `exact_only`."""
    @property
    def model(self) -> str: ...
    @property
    def system(self) -> str:
        """System prompt, where it is a text."""
    @property
    def messages(self) -> Any:
        """Turns before the query, all of them without one; ids that link calls with results are numbers."""
    @property
    def turn(self) -> Any:
        """What the last user turn holds beside its text: None, or [place of the text, the turn without it]."""
    @property
    def params(self) -> Any:
        """Every other parameter that counts."""
    @property
    def stream(self) -> bool: ...
    @property
    def exact_only(self) -> tuple[str, str] | None:
        """Why there is no query, as a name and a sentence."""
    @property
    def uncacheable(self) -> str | None:
        """Why no answer may be stored at all."""
    def refusal(
        self,
        ttl: float | None = None,
        public: bool = False,
        max_temperature: float = 1.0,
        read_only_tools: Sequence[str] = (),
    ) -> tuple[str, str] | None:
        """Do as `refusal`."""

def horizon(query: str) -> float | None:
    """Return for how many seconds an answer holds, by words that ask for something fresh; None if there are none.

    An answer that would live longer is what `refusal` calls "fresh".
    """

def refusal(
    query: str | None,
    messages: Any = None,
    params: Any = None,
    ttl: float | None = None,
    public: bool = False,
    max_temperature: float = 1.0,
    read_only_tools: Sequence[str] = (),
) -> tuple[str, str] | None:
    """Return why a request is answered from exact repeats only, as a name and a sentence; None if it may be compared.

    `messages` are the turns before the query, `ttl` the seconds an answer lives (None: for ever), `public` whether
    every scope may see it. A temperature above `max_temperature` asks for variety; an absent one is ordinary.
    `read_only_tools` names tools that change nothing. The names: "no_user_turn", "not_text", "tools", "temperature",
    "fresh", "follow_up", "personal_data".
    """

@final
class Row:
    """A stored answer. Times are seconds since the epoch, kept to the millisecond; `usage` is (input, output)
    tokens."""

    def __new__(
        cls,
        *,
        key: builtins.bytes,
        partition: int,
        payload: builtins.bytes,
        codec: str,
        created_at: float,
        expires_at: float | None = None,
        usage: tuple[int, int] | None = None,
        model: str = ...,
        version: str = ...,
        tags: list[str] = ...,
        kind: str = ...,
        principal: int | None = None,
        cluster: int | None = None,
        scope: int = 0,
        question: str = ...,
        stale_for: float = 0.0,
        estimated: bool = False,
    ) -> Self: ...
    @property
    def payload(self) -> str | builtins.bytes:
        """The answer: bytes for the codec "bytes", else str."""
    @property
    def key(self) -> builtins.bytes: ...
    @property
    def partition(self) -> int: ...
    @property
    def scope(self) -> int: ...
    @property
    def question(self) -> str: ...
    @property
    def shared(self) -> str | builtins.bytes | None:
        """The answer, if all who get it may have the same object, as for the codecs "text" and "bytes"; else None."""
    @property
    def codec(self) -> str:
        """ "text", "bytes", "json" or "events"."""
    @property
    def created_at(self) -> float: ...
    @property
    def expires_at(self) -> float | None: ...
    @property
    def stale_for(self) -> float: ...
    @property
    def usage(self) -> tuple[int, int] | None: ...
    @property
    def estimated(self) -> bool:
        """Whether some of these tokens were paid at another price than the list's."""
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def tags(self) -> list[str]: ...
    @property
    def kind(self) -> str: ...
    @property
    def principal(self) -> int | None: ...
    @property
    def cluster(self) -> int | None: ...
    def seal(self, key: builtins.bytes) -> builtins.bytes:
        """Return the row as bytes, sealed with `key` (32 bytes)."""
    @staticmethod
    def open(sealed: builtins.bytes, key: builtins.bytes) -> Row:
        """Read a row sealed with `key`. Raises CorruptRowError if it was damaged, truncated or forged."""
    def is_expired(self, now: float) -> bool:
        """Return whether its time is over at `now`."""
    def lies_in(self, partition: builtins.bytes) -> bool:
        """Return whether its partition is this one, in the form that `Identifier.partition` returns."""
    def is_gone(self, now: float) -> bool:
        """Return whether it is over at `now` and may not even serve stale."""
    def answers(self, key: builtins.bytes, now: float, kind: str | None, limit: float | None) -> float | None:
        """Return `fresh_age` if its key is this one (32 bytes): a row that came back under another is forged."""
    def fresh_age(self, now: float, kind: str | None, limit: float | None) -> float | None:
        """Return its age in seconds if it is young enough at `now`, else None.

        Its own time to live holds, and beside it `limit`, unless the row is of `kind`.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Signal:
    """A rule of the router that fired, and why."""

    def __new__(cls, name: str, weight: float, words: list[str], tokens: int | None = None) -> Self: ...
    def __getnewargs__(self) -> tuple[str, float, list[str], int | None]: ...
    @property
    def name(self) -> str:
        """Name of the rule."""
    @property
    def weight(self) -> float:
        """What it adds to the score."""
    @property
    def words(self) -> list[str]:
        """The rule's words that occur, in the order of their first occurrence; empty for a rule of length."""
    @property
    def tokens(self) -> int | None:
        """Estimated tokens of the text, for a rule of length; None for a rule of words."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Decision:
    """The model for a question, and why. Unpacks as `model, tier`."""

    def __new__(cls, model: str, tier: str, score: float, reason: str, signals: list[Signal]) -> Self: ...
    def __getnewargs__(self) -> tuple[str, str, float, str, list[Signal]]: ...
    @property
    def model(self) -> str:
        """The model that serves the tier."""
    @property
    def tier(self) -> str:
        """Name of the tier."""
    @property
    def score(self) -> float:
        """Sum of the weights of `signals`, also where an exception decided; a multiple of 0.001."""
    @property
    def reason(self) -> str:
        """Why, in one line."""
    @property
    def signals(self) -> list[Signal]:
        """The rules that fired, in the order of the table."""
    def __iter__(self) -> Iterator[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Reading:
    """A text, prepared for the guards of the semantic cache, which tell by rules whether two texts that look alike ask
    for different things. Linear in the text's length. Raises InvalidTextError for a lone surrogate."""

    def __new__(cls, text: str) -> Self: ...
    def veto(self, stored_text: str) -> tuple[str, str] | None:
        """The name of the rule that tells the two texts apart, and a sentence with the words that differ; None if no
        rule can tell. The rule is the same with the texts exchanged. Raises InvalidTextError for a lone surrogate."""

@final
class RouterTable:
    """The compiled table behind `Router`. Weights and bounds are in thousandths; a part that is None is the seed
    table's.

    `tiers`: (name, model, bound), None for the last bound. `rules`: (name, weight, words, least tokens); the tokens
    count where words are empty. `exceptions`: (phrase, tier). Raises ConfigError for a table that is wrong.
    """

    def __new__(
        cls,
        tiers: Sequence[tuple[str, str, int | None]] | None = None,
        rules: Sequence[tuple[str, int, Sequence[str], int]] | None = None,
        exceptions: Sequence[tuple[str, str]] | None = None,
    ) -> RouterTable: ...
    def route(self, query: str, context: str | None = None, more_tokens: int = 0) -> Decision:
        """Choose a model for a question and its context, and what else goes with it, of which the tokens are counted.

        Raises InvalidTextError for a lone surrogate.
        """
    @property
    def generation(self) -> str:
        """32 hexadecimal digits that identify the table."""
    def table(
        self,
    ) -> tuple[list[tuple[str, str, int | None]], list[tuple[str, int, list[str], int]], list[tuple[str, str]]]:
        """Return tiers, rules and exceptions as they were given."""
    def __getnewargs__(
        self,
    ) -> tuple[list[tuple[str, str, int | None]], list[tuple[str, int, list[str], int]], list[tuple[str, str]]]: ...

@final
class Price:
    """What a model asks for a token read (`input`) and a token written (`output`), in pico-dollars (1e-12 USD).

    2.50 USD per million tokens are 2_500_000. Raises ConfigError for a negative amount, TypeError for no int.
    """

    def __new__(cls, input: int, output: int) -> Price: ...
    def __getnewargs__(self) -> tuple[int, int]: ...
    @property
    def input(self) -> int:
        """Pico-dollars per token read."""
    @property
    def output(self) -> int:
        """Pico-dollars per token written."""
    def cost(self, usage: HasUsage) -> int:
        """Return what `usage` costs in pico-dollars.

        Raises LedgerError for a count that is negative or above 2**53, or an amount that does not fit 128 bits.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class LedgerState:
    """The books behind `Ledger`. Thread-safe.

    Sums are (requests, input tokens, output tokens, baseline, actual, saved, unpriced, estimated, renewals): lists
    have one place for each of "exact_hit", "semantic_hit", "coalesced", "llm_call"; amounts are pico-dollars.
    """

    def __new__(cls) -> LedgerState: ...
    def record(
        self,
        outcome: str,
        model: str,
        baseline: Price | None,
        served: Price | None,
        usage: HasUsage | None,
        estimated: bool,
        user: str | None,
        feature: str | None,
    ) -> None:
        """Book one request, or a "renewal"; LedgerError if an amount does not fit, and nothing is booked then."""
    def summary(self) -> tuple[_Sums, list[tuple[str | None, _Sums]]]:
        """Return the sums over all requests, and per model."""
    def split(self, by: str) -> list[tuple[str | None, _Sums]]:
        """Return the sums per "model", "user" or "feature", in no particular order."""

@final
class Hit:
    """A row that a search found. Unpacks as `id, score = hit`; equal hits compare and hash equal."""

    def __new__(cls, id: int, score: float) -> Self: ...
    @property
    def id(self) -> int:
        """The id it was added under, 0 to 2**64 - 1."""
    @property
    def score(self) -> float:
        """Its cosine with the query, -1 to 1, computed in float64."""
    def __iter__(self) -> Iterator[Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class _Encoding:
    """A vector that an encoder made for an index, which takes it as it lies."""

@final
class FlatIndex:
    """The rows nearest to a query by cosine, found exactly.

    A search returns what a full scan in float64 over the rows as they were given (in float32) would return, at any
    `min_score`; equal scores are ordered by id. Ids are unique over all partitions, 0 to 2**64 - 1; partitions are 0 to
    2**128 - 1, and a search reads no rows of another. `dim`: components of a vector, 1 to 4096, else ConfigError.

    A vector has shape (dim,), a matrix (n, dim): float32 buffers and arrays, contiguous or not; float64 ones and
    sequences of numbers are rounded to float32. DimensionMismatchError for another shape, InvalidVectorError for NaN,
    infinity or zeros alone, TypeError for a set or what is not numbers.

    Each row is kept in one, four and eight bits a component as well, and a search stops at a row as soon as these
    prove that it is not among the best: the higher `min_score`, the fewer bytes are read (3 % at .9). Results do not
    depend on that. In memory 5.1 bytes a component and about 60 a row (2 kB for 384 components), and 4 bytes a
    component for each partition; after `load` or `compact` 1.1 and about 60 (0.5 kB) of what is read often, and the
    rest stays on disk.

    Safe from any thread; searches run side by side without the interpreter, and wait for a writer only while it puts
    prepared rows in their places.
    """

    def __new__(cls, dim: int) -> Self: ...
    def add(self, id: int, vector: _Vector, *, partition: int = 0) -> None:
        """Add a row; DuplicateIdError when the index has the id, in any partition."""
    def add_many(self, ids: _Ids, matrix: _Matrix, *, partition: int = 0) -> None:
        """Add the rows of `matrix`, shape (len(ids), dim): all of them or, with an error, none."""
    def update(self, id: int, vector: _Vector) -> None:
        """Replace the vector of a row, which stays in its partition; UnknownIdError when there is none."""
    def remove(self, id: int) -> bool:
        """Remove a row; return whether it was there. A row in a file is passed by until `compact`."""
    def search(self, vector: _Vector, k: int = 1, *, min_score: float | None = None, partition: int = 0) -> list[Hit]:
        """Return the at most `k` rows of the largest cosine of at least `min_score` (None: any), best first.

        ConfigError for k = 0 or a `min_score` of NaN.
        """
    def search_many(
        self, matrix: _Matrix, k: int = 1, *, min_score: float | None = None, partition: int = 0
    ) -> list[list[Hit]]:
        """Search for every row of `matrix`, shape (n, dim), in one state of the index; return n lists.

        Faster than n searches, because rows are read once for many queries. Writers wait until all are done.
        """
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all rows to a file, replacing it in one step; OSError when the system refuses.

        The new file may be read by those who could read the old one; a symbolic link stays, and is followed.

        The rows can be searched meanwhile, writers wait.
        """
    def compact(self, path: str | os.PathLike[str]) -> None:
        """`save`, and from then on read the rows from the file instead of keeping them in memory."""
    @staticmethod
    def load(path: str | os.PathLike[str]) -> FlatIndex:
        """Open what `save` wrote, in milliseconds whatever its size; FileNotFoundError when there is no such file.

        CorruptFileError for any other content: at once where it can be seen from the header, else from the call that
        touches it first. The file must not be written to while the index lives; `save` to the same path replaces it and
        leaves this index with the old one.
        """
    @property
    def dim(self) -> int:
        """Components of a vector."""
    @property
    def memory_bytes(self) -> int:
        """Bytes on the heap; what is mapped from a file is not among them."""
    def __len__(self) -> int: ...
    def __contains__(self, id: int, /) -> bool: ...

@final
class HnswIndex:
    """The rows nearest to a query by cosine, most of them found by a graph: approximate.

    Interface, vectors, errors, ids and partitions are those of FlatIndex. A partition of at most 1,024 rows is compared
    row by row, exactly as FlatIndex does; a larger one has a graph of its own (HNSW, Malkov and Yashunin, 2016, walked
    by the usearch library). A search looks at the rows near the query and may miss some: on clustered vectors, as texts
    give them, few; on vectors without structure most. From which size on it wins over FlatIndex, and by how much, is
    measured in the README.

    What is returned is true: scores are the float64 cosines of the rows as they were given (in float32), none is below
    `min_score`, and of the rows that were found and score the same the smaller id comes first. Any number of equal rows
    is found. Which rows are found may change with the machine, the order of insertion, and `load`.

    `dim`: components of a vector, 1 to 4096. `connectivity`: neighbours of a row in the graph, 2 to 256, twice as many
    in its lowest layer. `expansion`: candidates that a search keeps, 1 to 65,536; an insertion keeps twice as many.
    Larger numbers find more rows and take longer. ConfigError outside. OutOfMemoryError when a graph cannot grow.

    Safe from any thread; searches run side by side without the interpreter, as many at a time as there are processors.
    They wait while rows are added to a graph, not while one is built. 4 bytes a component and about 340 a row.
    """

    def __new__(cls, dim: int, *, connectivity: int = 16, expansion: int = 64) -> Self: ...
    def add(self, id: int, vector: _Vector, *, partition: int = 0) -> None:
        """Add a row; DuplicateIdError when the index has the id, in any partition."""
    def add_many(self, ids: _Ids, matrix: _Matrix, *, partition: int = 0) -> None:
        """Add the rows of `matrix`, shape (len(ids), dim): all of them or, with an error, none.

        Searches of a partition that has a graph already wait for all of them; hand over large matrices in pieces there.
        """
    def update(self, id: int, vector: _Vector) -> None:
        """Replace the vector of a row, which stays in its partition; UnknownIdError when there is none."""
    def remove(self, id: int) -> bool:
        """Remove a row; return whether it was there.

        Its place in the graph is kept for the next row. When half of the places of a partition are such, the graph is
        built anew, which takes as long as adding the rows that are left; searches go on meanwhile.
        """
    def search(self, vector: _Vector, k: int = 1, *, min_score: float | None = None, partition: int = 0) -> list[Hit]:
        """Return the at most `k` rows of the largest cosine of at least `min_score` (None: any), best first.

        ConfigError for k = 0 or a `min_score` of NaN.

        A `k` of more than a sixteenth of the rows compares all of them.
        """
    def search_many(
        self, matrix: _Matrix, k: int = 1, *, min_score: float | None = None, partition: int = 0
    ) -> list[list[Hit]]:
        """Search for every row of `matrix`, shape (n, dim), in one state of the index; return n lists."""
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all rows to a file, replacing it in one step; OSError when the system refuses.

        The new file may be read by those who could read the old one; a symbolic link stays, and is followed.
        """
    @staticmethod
    def load(path: str | os.PathLike[str]) -> HnswIndex:
        """Read what `save` wrote; FileNotFoundError, or CorruptFileError for any other content.

        The file holds rows; the graphs are built again, which takes as long as adding the rows.
        """
    @property
    def dim(self) -> int:
        """Components of a vector."""
    @property
    def connectivity(self) -> int:
        """Neighbours of a row in the graph at most, in all layers but the lowest."""
    @property
    def expansion(self) -> int:
        """Candidates that a search keeps at least."""
    @property
    def memory_bytes(self) -> int:
        """Bytes on the heap; what is mapped from a file is not among them.

        Those of the graphs are estimated.
        """
    def __len__(self) -> int: ...
    def __contains__(self, id: int, /) -> bool: ...

def before_fork() -> None:
    """Wait until no native worker searches, and let none begin: the child would find the index locked for ever."""

def after_fork() -> None:
    """Let native workers search again, in the parent and in the child."""

@final
class BatchTotals:
    """What a batched function did on all its event loops."""

    def __new__(cls) -> Self: ...
    def add_retry(self) -> None:
        """Count one more call for a part of a batch."""
    def read(self) -> dict[str, Any]:
        """Return all counters and histograms."""

@final
class BatchGroup:
    """Items that are answered together, with one list."""

@final
class BatchEntrance:
    """Which loop a batched function was used on last, and its queue."""

    def __new__(cls) -> Self: ...
    def release(self) -> None:
        """Let go of the loop, but remember it."""
    def forget(self) -> None:
        """Forget the loop."""

@disjoint_base
class BatchFront:
    """The way into the queues of a batched function: `queues.of(loop)` gives the one of a loop."""

    def __new__(cls, function: object, queues: object, entrance: BatchEntrance) -> Self: ...
    def submit(
        self,
        item: Any,
        *,
        priority: int = 0,
        deadline: float | None = None,
        tenant: Hashable = None,
        key: Hashable = None,
    ) -> Future[Any]:
        """Queue one item and return its future. Cancelling the future drops the item; see `llmfast.batch`."""
    def _enter(
        self,
        item: Any,
        priority: int = 0,
        deadline: float | None = None,
        tenant: Hashable = None,
        key: Hashable = None,
    ) -> tuple[Future[Any], int]:
        """Do the same for somebody who says when they leave (`LoopQueue.left`), with the ticket for that."""

@final
class FormedBatch:
    """Items to be called together, or such that are too late or were dropped: those have no number."""

    @property
    def reason(self) -> Literal["items", "tokens", "worker", "wait", "deadline", "compatible"] | None: ...
    @property
    def context(self) -> Context | None:
        """The variables of whoever submitted the first item; None if there were none."""
    def items(self, places: list[int] | None = None) -> list[Any]:
        """Return a new list of all items, or of those in these places."""
    def cancel(self, places: list[int]) -> None:
        """Cancel the futures of items."""
    def keeps_errors(self, place: int) -> bool:
        """Whether the item in this place belongs to a group that has errors among its results."""
    def watch(self, callback: Callable[[Future[Any]], object]) -> None:
        """Have `callback` called when one of its futures is done that may be cancelled without anybody's saying so."""
    def wanted(self) -> tuple[int, ...]:
        """Return the places that somebody waits for."""
    def __len__(self) -> int: ...

@disjoint_base
class BatchQueue:
    """The items of one event loop, with the futures of their results, and the scheduler that forms the batches.

    `inside` is a context variable that is set in the calls of batches; whoever submits with it set is shown to
    `_inside` of the deriving class. `wishes` are (priority, seconds to the deadline, tenant, key).
    """

    #: Whether somebody sees to it already that a free worker looks at the queue, or none is free.
    armed: bool
    def __new__(
        cls, totals: BatchTotals, cost: Callable[[Any], int] | None, inside: ContextVar[Any], limits: dict[str, Any]
    ) -> Self: ...
    def group(
        self,
        items: list[Any],
        future: object,
        context: Context | None,
        wishes: tuple[int, float | None, object, object],
        *,
        return_exceptions: bool,
    ) -> BatchGroup:
        """Make a group of items, of which nothing is queued yet; errors as for `submit`."""
    def feed(self, group: BatchGroup, most: int) -> bool | None:
        """Queue `most` items of a group, or as many as there is room for; return whether that was the rest of it.

        None if there is no more room. Items that are refused have their errors among the results of a group that keeps
        them; else the first refusal is raised.
        """
    def next(self, call: object, future: Future[Any] | None) -> tuple[FormedBatch, int | None, bool, bool] | None:
        """Form the next batch, if a worker is free for one, which it takes; None if there is nothing to do.

        Returns the batch, its number (None: its items are too late and were dropped), whether its first item's future
        is `future`, and whether there is more to do at once. With a batch that has a number it sets `armed` as `rest`
        does. The attribute `watched` of `call` is called when one of the batch's futures is done that may be cancelled
        without anybody's saying so.
        """
    def cancel(self, ticket: int) -> int | None:
        """Drop an item; return the number of its batch if nobody waits for that any more."""
    def abandon(self, group: BatchGroup) -> list[int]:
        """Drop the items of a group; return the numbers of batches that nobody waits for any more."""
    def hand_out(self, batch: FormedBatch, results: object) -> bool | None:
        """Give each item of a batch its result and end the batch; return whether more items wait.

        Does nothing, and returns None, if the results are no list of as many, or errors are among them.
        """
    def rest(self) -> bool:
        """Set `armed` by whether a worker is free; return whether one is, and items wait."""
    def deliver(self, batch: FormedBatch, results: list[Any], places: list[int] | None) -> list[int]:
        """Give items of a batch, all or those in `places`, their results; return the indices of errors among these."""
    def fail(
        self, batch: FormedBatch, places: list[int], error: BaseException, *, counted: bool = True
    ) -> list[BatchGroup]:
        """Fail items of a batch; return the groups that fail with them."""
    def finish(self, batch: FormedBatch, ended: Literal["served", "failed", "cancelled"]) -> bool:
        """End a batch, whose worker is free then; return False if it had ended."""
    def drop_waiting(self) -> FormedBatch:
        """Take all items that wait out of the queue."""
    def sweep(self) -> int:
        """Drop the items that wait and whose futures were cancelled; return how many."""
    def sweep_running(self, batch: FormedBatch) -> bool:
        """Take note of the items of a batch whose futures were cancelled; return whether that leaves none."""
    def hurry(self, on: bool) -> None:
        """Let nothing wait for others, or end that."""
    def wake(self) -> float | None:
        """Return the seconds until `next` may return something without anybody's doing."""
    def shut(self) -> None:
        """Refuse what is submitted from now on."""
    def check_open(self) -> None:
        """Raise ClosedError after `shut`."""
    @property
    def waiting(self) -> int: ...
    def load(self) -> tuple[int, int, int]:
        """Return the items that wait, their tokens, and the batches that run."""

@final
class FlightState:
    """Who leads and who waits, for calls in flight. Flights have numbers, each given once; an unknown one is over."""

    def __new__(cls) -> Self: ...
    def join(self, key: builtins.bytes) -> tuple[int, bool]:
        """Return the number of the flight of `key` (any bytes) and whether the caller leads it."""
    def solo(self) -> int:
        """Begin a flight that nobody else can join."""
    def announce(self, id: int) -> int | None:
        """Tell those who wait before the flight lands; return how many, None if they were told before."""
    def land(self, id: int, outcome: Literal["answered", "failed", "abandoned"]) -> int | None:
        """End a flight; return how many are told by that, None if it was over.

        Raises ConfigError for another outcome.
        """
    def leave(self, id: int, *, drain: bool) -> Literal["goes on", "cancel", "over"]:
        """Stop waiting, once for each that joined; return what is to be done with the call."""
    def detach(self, id: int) -> Literal["goes on", "cancel", "over"]:
        """Let nobody join a flight any more; return what is to be done with the call."""
    def waiters(self, id: int) -> int | None:
        """Return how many wait; None if the flight is over."""
    def counts(self) -> dict[str, int]:
        """Return how many flights were led, followed, answered, failed, abandoned and detached."""
    def __len__(self) -> int: ...

@final
class BatchScheduler:
    """Forms batches out of single items; time is an argument, in seconds of any clock that does not go back.

    A batch holds at most `max_batch_size` items and `max_batch_tokens` tokens: the sum of their costs or, with
    `padded`, their number times the largest. `max_wait`: seconds that the oldest item waits for more. `concurrency`:
    batches at a time. `max_queue`, `max_queue_tokens`: what may wait. `bins`: None (by cost with `padded` and
    `max_batch_tokens`, else as they come), a number of bins, or the largest cost of each bin but the last. `ageing`:
    seconds of waiting that a step of priority is worth. ConfigError for a bound below 1 or a time that is negative.
    """

    def __new__(
        cls,
        *,
        max_batch_size: int = 64,
        max_batch_tokens: int | None = None,
        padded: bool = False,
        max_wait: float = 0.0,
        concurrency: int = 1,
        max_queue: int = 10_000,
        max_queue_tokens: int | None = None,
        bins: int | Sequence[int] | None = None,
        ageing: float = 1.0,
    ) -> Self: ...
    def submit(
        self,
        now: float,
        *,
        cost: int = 1,
        priority: int = 0,
        deadline: float | None = None,
        tenant: int = 0,
        key: int = 0,
    ) -> int:
        """Queue an item and return its ticket, whose low 32 bits are the lowest number that no other item has.

        Raises OverloadedError if the queue is full, ItemTooLargeError if no batch can hold the item, DeadlineError if
        it would miss its deadline, a time of the same clock, even alone.
        """
    def cancel(self, ticket: int) -> Literal["waiting", "running", "last", "unknown"]:
        """Drop an item that waits. One that is running keeps its place; "last" when nobody wants its batch any more."""
    def next(self, now: float) -> tuple[int, list[int], str] | None:
        """Form the batch that is to be served now: its number, its tickets, and why it is no larger."""
    def late(self) -> list[int]:
        """Return the tickets that were dropped for their deadlines since this was asked last."""
    def wake(self) -> float | None:
        """Return when `next` could do something without another event; in the past if at once, None if never."""
    def finish(self, now: float, batch: int, ended: Literal["served", "failed", "cancelled"] = "served") -> bool:
        """End a batch; False if it is unknown. How long a batch takes is learned from those that were served."""
    def stats(self) -> dict[str, Any]:
        """Return all counts by name; the histograms are dicts of their own, with times in seconds."""

@final
class Arrival:
    """What a task of `runs_on`, an event loop, awaits; it goes on in the very turn of the loop in which that arrives.

    A future in asyncio's protocol. With `done`, a future that is, a callback with a context, which a task's is, gets
    that in place of this when a value arrives: tasks look into futures of asyncio's own, and have to ask all others.
    """

    _asyncio_future_blocking: bool
    def __new__(cls, runs_on: AbstractEventLoop, done: Future[None] | None = None) -> Self: ...
    def arrive(self, value: Any, error: BaseException | None = None) -> None:
        """Hand over a value, or raise an error where it is awaited; only the first counts.

        To be called in a turn of the loop, outside of every task. Raises the KeyboardInterrupt or SystemExit of a task.
        """
    def cancel(self, msg: Any = None) -> bool:
        """Raise CancelledError where it is awaited; False if something came before."""
    def add_done_callback(self, callback: Callable[[Self], object], *, context: Context | None = None) -> None:
        """Have `callback` called with this when it is over, without a context in the loop's next turn."""
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def result(self) -> Any:
        """Return what came, or raise it; InvalidStateError before."""
    def exception(self) -> BaseException | None:
        """Return what would be raised; raise CancelledError and InvalidStateError."""
    def get_loop(self) -> AbstractEventLoop: ...
    def __await__(self) -> Generator[Any, None, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...

@final
class CompletionQueue:
    """What native workers have done for one event loop. A forked child must not use its parent's."""

    def __new__(cls) -> Self: ...
    def fileno(self) -> int | None:
        """Return the file descriptor that is readable as long as there are completions; None on Windows."""
    def take(self) -> tuple[int, tuple[_Encoding, list[Hit]] | None, str | None, Exception | None, bool] | None:
        """Return the oldest completion, or None.

        It is a ticket; one of vector and hits, why not, and what was raised; and whether more wait. Never blocks.
        """
    def __len__(self) -> int: ...

@final
class LookupWorker:
    """A native thread that encodes and searches; it starts with the first lookup and ends with this object."""

    def __new__(cls) -> Self: ...
    def submit(
        self,
        queue: CompletionQueue,
        asked: tuple[BertEncoderCore, FlatIndex, str, _Encoding | None, int, float, builtins.bytes, float],
    ) -> int:
        """Have (encoder, index, text, vector, k, min_score, partition, max_wait) looked up; return the ticket of it.

        What comes of it lies in `queue`, an OverloadedError if it was not begun within `max_wait` seconds. Raises
        OverloadedError if it would hardly be, or when 4,096 lookups wait, RuntimeError when the system gives no thread.
        """
    def cancel(self, ticket: int) -> bool:
        """Forget a lookup whose turn has not come; False when it has."""

@disjoint_base
class BertEncoderCore:
    """What `BertEncoder` and `MiniLM` are made of: the model in `folder`, a call split over `threads` (1 to 256).

    `memo` names the file that remembers the SHA-256 of weights. With `minilm` it is all-MiniLM-L6-v2 or nothing.
    """

    def __new__(
        cls,
        folder: str | os.PathLike[str],
        *,
        precision: str,
        threads: int,
        memo: str | os.PathLike[str] | None = None,
        pooling: str | None = None,
        minilm: bool = False,
    ) -> Self: ...
    @overload
    def encode(self, texts: str, *, truncate: bool = True) -> NDArray[np.float32]:
        """Return the vector of a text, shape (dim,), or of each of a list or tuple, shape (n, dim), unit length.

        A text of more than `max_tokens` tokens is cut; with `truncate=False` it is a TextTooLongError.
        InvalidTextError for a lone surrogate, TypeError for what is not str.
        """
    @overload
    def encode(self, texts: list[str] | tuple[str, ...], *, truncate: bool = True) -> NDArray[np.float32]: ...
    def _encode_for_index(self, text: str) -> _Encoding: ...
    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, [CLS] and [SEP] included, before it is cut."""
    def token_ids(self, text: str) -> list[int]:
        """Return what is read of a text: its token ids, [CLS] and [SEP] included, cut."""
    def unread(self, text: str) -> str | None:
        """Return why a text may get the vector of another text that it is not; None if the whole text is read.

        Words and signs that are not in the vocabulary (emoji, most Chinese and Thai, random strings) all look the same
        to the encoder, and what comes after `max_tokens` is not looked at. Case (but for models that read it), accents
        and the kind of white space are not read in any text.
        """
    @property
    def dim(self) -> int:
        """Components of a vector; all-MiniLM-L6-v2 has 384."""
    @property
    def memory_bytes(self) -> int:
        """Bytes of the weights as they are held, the word vectors in the mapped file included."""
    @property
    def precision(self) -> str:
        """What the weights are held in: "f32", "int16", "bf16" or "int8"."""
    @property
    def fingerprint(self) -> str:
        """Names everything that decides what a vector is; vectors of one fingerprint may be compared."""
    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read, [CLS] and [SEP] included; all-MiniLM-L6-v2 reads 256."""

def guard_words() -> list[str]:
    """Every word in the guards' lists, sorted: what a test of their rules must not draw its words from."""

def kernel_name() -> str:
    """Return the kernel that index and encoder use; `LLMFAST_KERNEL` picks one at first use.

    "scalar", "avx2", "avx512", "amx" or "neon"; "avx512bf16", which multiplies bf16 weights in pairs, only if it is
    picked.
    """
