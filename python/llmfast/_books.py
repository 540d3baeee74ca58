"""What became of requests, and what was paid: the cache's counters and the ledger's entries."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from ._answers import Called, Flown, from_call
from ._stream import Stream

if TYPE_CHECKING:
    from typing import TypeAlias

    from ._counts import Counts
    from ._failures import Failures
    from ._ledger import Ledger
    from ._plan import Plan
    from ._request import Ask
    from ._types import Answer, Source
    from ._usage import Usage

    Outcome: TypeAlias = Source | Literal["coalesced", "uncacheable", "renewal"]


class Books:
    """Books the requests of an engine: in `counts` of its cache and in its ledger, of which either may be missing."""

    def __init__(self, counts: Counts | None, ledger: Ledger | None, failures: Failures) -> None:
        self._counts = counts
        self._ledger = ledger
        self._failures = failures

    def outcome(self, outcome: Outcome, ask: Ask, answer: Answer) -> None:
        """Book how a request was answered."""
        if self._counts is not None:
            self._counts.outcome(outcome)
        if self._ledger is not None:
            self.enter(outcome, ask, answer)

    def call(self, ask: Ask, plan: Plan, called: Called | Flown) -> None:
        """Book what was called for and paid, whoever gets it and whoever is gone."""
        outcome: Outcome = "renewal" if plan.renews else "llm_call"
        if self._counts is not None:
            if plan.renews:
                self._counts.reason("stale:renewed")
            else:
                self._counts.outcome(outcome)
        if self._ledger is None:
            return
        if isinstance(called, Flown) and called.stream is not None:
            # What it took is known at its end, also to those who did not read so far.
            called.stream.ending.listen(partial(self._write, outcome, ask))
        else:
            self._write(outcome, ask, called.model, called.usage)

    def late_call(self, ask: Ask, called: Called) -> None:
        """Book a call outside of a flight that ended after its caller had left."""
        self.outcome("uncacheable", ask, from_call(called, "nobody waited for it"))

    def enter(self, outcome: Outcome, ask: Ask, answer: Answer) -> None:
        """Enter into the ledger, which there must be, how a request was answered."""
        if isinstance(answer.response, Stream):
            # What it took is known at its end, also to those who did not read so far.
            answer.response.when_ended(partial(self._write, outcome, ask))
        else:
            self._write(outcome, ask, answer.model, answer.usage)

    def _write(self, outcome: Outcome, ask: Ask, model: str, usage: Usage | None) -> None:
        assert self._ledger is not None
        try:
            self._ledger.record(
                outcome="llm_call" if outcome == "uncacheable" else outcome,
                requested=ask.model,
                model=model,
                usage=usage,
                estimated=usage is not None and usage.estimated,
                user=ask.user,
                feature=ask.feature,
            )
        except Exception as error:  # noqa: BLE001 - a failure of ours costs an entry, never the call
            self._failures.note("ledger", error)
