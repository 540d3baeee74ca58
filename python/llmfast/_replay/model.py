"""The simulated model: what it answers, how many tokens that takes, and how long it would have taken.

It never sleeps. Its duration is computed and reported apart from what was measured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._types import Reply, Usage
from .turns import characters

if TYPE_CHECKING:
    from .log import Request

FIRST_TOKEN_SECONDS = 0.35
TOKENS_PER_SECOND = 60.0
FORMULA = f"{FIRST_TOKEN_SECONDS} s + output tokens / {TOKENS_PER_SECOND:.0f} per second"
CHARACTERS_PER_TOKEN = 4
#: Output tokens of an answer that the log neither holds nor counts.
ANSWER_TOKENS = 150


class SimulatedModel:
    """Answers the request that it was last given, and says in the answer's first line which one that was."""

    def __init__(self) -> None:
        self._reply = Reply("")
        self.calls = 0

    def expect(self, position: int, request: Request, usage: tuple[int, int]) -> None:
        """Prepare the answer to `request`, the one at `position` of the run, which takes `usage` tokens."""
        text = request.response if request.response is not None else "(simulated)"
        self._reply = Reply(f"{position}\n{text}", usage=Usage(*usage), finish_reason=request.finish_reason)

    async def __call__(self, query: str, *, decision: Any = None) -> Reply:  # noqa: ARG002
        """Return the prepared answer, as the model that the router chose, if one did."""
        self.calls += 1
        reply = self._reply
        return reply if decision is None else replace(reply, model=decision.model)


def origin_of(answer: str) -> int:
    """Return the position of the request that the simulated model gave this answer to."""
    return int(answer.partition("\n")[0])


def tokens(request: Request) -> tuple[tuple[int, int], bool]:
    """Return the (input, output) tokens of `request` and whether they are an estimate."""
    if request.usage is not None:
        return request.usage, getattr(request.usage, "estimated", False)
    asked = _tokens_of(len(request.query) if request.body is None else characters(request.body))
    answered = ANSWER_TOKENS if request.response is None else _tokens_of(len(request.response))
    return (asked, answered), True


def seconds(output_tokens: int) -> float:
    """Return how long a call with `output_tokens` would have taken."""
    return FIRST_TOKEN_SECONDS + output_tokens / TOKENS_PER_SECOND


def _tokens_of(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
