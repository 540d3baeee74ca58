"""The data that the steps of a request hand to each other and to the caller."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from ._stream import Stream
from ._usage import AnyUsage, Usage as Usage  # noqa: PLC0414, TC001 - what a reply is made of comes from here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from ._llmfast import Decision
    from ._plan import Plan

Source = Literal["exact_hit", "semantic_hit", "llm_call"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an `llm_callable` returns when it knows more than the answer.

    `value` is the answer (str, bytes or JSON data), `model` the model that served. `usage` are the tokens that the call
    took, as a `Usage` or as the provider's own object or dict has them. Tokens of the prompt that the provider had
    cached, or cached, count like all others and make the usage `estimated`: they have other prices than the list's.
    `finish_reason` is how it ended, in the provider's word ("stop", "length", "content_filter", "end_turn",
    "max_tokens", ...): an answer that is not complete is returned and not stored.

    As an item of a stream a reply says so of the whole, and the last one counts, of usage each count by itself; with
    the value None it is no item. A stream that is cut off has a usage only if that came with the finish reason or
    behind it. A stream of text that is cut off looks like a whole one, unless its last item says how it ended:

        async def ask(question):
            finish_reason = "incomplete"
            async for chunk in await client.chat.completions.create(..., stream=True):
                for choice in chunk.choices:
                    yield choice.delta.content or ""
                    finish_reason = choice.finish_reason or finish_reason
            yield Reply(None, finish_reason=finish_reason)

    What cannot be read of usage and model is as if it had not been said, and counted as a failure: the answer was paid
    for. A finish reason may be an enum of the provider's words.
    """

    value: Any
    usage: AnyUsage | None = None
    model: str | None = None
    finish_reason: str | None = None


class Neighbour(NamedTuple):
    """A stored question near the one that was asked, and what was decided about it.

    `score` is the cosine of the two, `key` the key of the row (32 bytes), `age` its age in seconds. `verdict` is
    "serves", or why not, such as "veto:number"; `detail` says the same in a sentence.
    """

    score: float
    key: bytes
    question: str
    age: float
    verdict: str
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an answer came from where it came.

    `reason` is one readable line. `threshold` is the cosine that a stored question had to reach and `nearest` the
    cosine of the best one found; both are None where nothing was compared by meaning. `neighbours` are the stored
    questions that were looked at, nearest first. `refusal` names why the request was not compared by meaning, if it was
    not ("follow_up", "fresh", "tools", "busy", ...). `would_serve` is the neighbour that mode "shadow" kept from
    serving. `route` is the router's decision, if one chose. `not_stored` names why the answer of a call was not stored
    ("type", "truncated", "empty", "refused", ...); None where it was, and for a stream, which is stored after its end
    if at all. `fresh_for` is how many seconds an answer is stored for at most, where words of the question that ask for
    something fresh ("right now": 60) make that less than the policy's time to live.
    """

    reason: str
    threshold: float | None = None
    nearest: float | None = None
    route: Decision | None = None
    neighbours: tuple[Neighbour, ...] = ()
    refusal: str | None = None
    would_serve: Neighbour | None = None
    not_stored: str | None = None
    fresh_for: float | None = None


#: What a copy in another process has of an answer beside its response and its source.
_KEPT = ("tier", "score", "age", "key", "coalesced", "model", "usage", "decision", "stale")


class Answer:
    """An answer, where it came from and why. Unpacks as `response, source`.

    `response`: what the model said; for a hit a fresh object, or one that cannot change; a `Stream` where it was
    streamed. `source`: "exact_hit", "semantic_hit" or "llm_call". `tier`: what held the stored answer, "L1" (exact) or
    "L3" (by meaning); None for a call. `score`: the cosine of the question and the one that was answered, 1.0 for an
    exact hit, None for a call. `age`: seconds since the answer was stored, None for a call. `key`: of the stored answer
    (32 bytes), which is the request's own unless the hit was by meaning; None if nothing is stored; for a stream, which
    is stored when it has ended well, its key to be. `coalesced`: whether this caller waited for the same call of
    another one. `stale`: whether its time was over, and it served while a new one is fetched or because the call
    failed. `decision`: why, as an `Explanation`. `model` and `usage`: of the call, then or now.
    """

    __slots__ = (
        "_model",
        "_plan",
        "_question",
        "_stored_at",
        "_usage",
        "age",
        "coalesced",
        "decision",
        "key",
        "response",
        "score",
        "source",
        "stale",
        "tier",
    )

    #: What is each object's own; a copy takes nothing else.
    _own: ClassVar[tuple[str, ...]] = __slots__

    def __init__(
        self,
        response: Any,
        source: Source,
        *,
        tier: str | None = None,
        score: float | None = None,
        age: float | None = None,
        key: bytes | None = None,
        coalesced: bool = False,
        model: str = "",
        usage: Usage | None = None,
        decision: Explanation,
        stale: bool = False,
        plan: Plan | None = None,
        question: str | None = None,
        stored_at: float | None = None,
    ) -> None:
        self.response = response
        # Annotated for checkers that would take it for any str.
        self.source: Source = source
        self.tier = tier
        self.score = score
        self.age = age
        self.key = key
        self.coalesced = coalesced
        self._model = model
        self._usage = usage
        self.decision = decision
        self.stale = stale
        self._plan = plan
        #: What was asked, where another question was found by meaning.
        self._question = question if plan is None else plan.ask.query
        #: When the row was stored: another one may lie under its key by now. None if it is not known.
        self._stored_at = stored_at

    @property
    def model(self) -> str:
        """The model that served, as far as it is known."""
        return self.response.model if isinstance(self.response, Stream) else self._model

    @property
    def usage(self) -> Usage | None:
        """Tokens that the call took, then or now; None if it did not say, or if it is a stream that has not ended."""
        return self.response.usage if isinstance(self.response, Stream) else self._usage

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        for name in self._own:
            setattr(twin, name, getattr(self, name))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = copy(self)
        twin.response = deepcopy(self.response, memo)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        # Rows and plans are of this process.
        kept = {name: getattr(self, name) for name in _KEPT}
        return partial(Answer, **kept, question=self._question, stored_at=self._stored_at), (self.response, self.source)

    def __iter__(self) -> Iterator[Any]:
        """Yield the response, then the source."""
        yield self.response
        yield self.source

    def __repr__(self) -> str:
        response = repr(self.response)
        if len(response) > 60:
            response = response[:57] + "..."
        return f"Answer({response}, {self.source!r}, tier={self.tier!r}, score={self.score!r}, model={self.model!r})"
