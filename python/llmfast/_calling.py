"""The call of the model: what it is given, and what it returned."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ._answers import Called
from ._drivers import Call, OffLoop
from ._loops import running_loop
from ._provider_json import as_data, event_of, may_be_data, signed
from ._reply import said, usage_said, usage_told
from ._routing import choose, parameters
from ._storing import is_small
from ._stream import NOTHING, Ending, Passage, Stream, is_stream
from ._types import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._failures import Failures
    from ._request import Ask
    from ._router import Router


class Calling:
    """Calls models, those that `router` chooses if there is one. What fails beside the call is noted in `failures`."""

    def __init__(self, router: Router | None, failures: Failures) -> None:
        self._router = router
        self._failures = failures

    def way(
        self, ask: Ask, llm_callable: Callable[..., Any], book: Callable[[Called], None]
    ) -> Generator[Call | OffLoop, Any, Called]:
        """Call the model. What cannot be stopped, and ends when nobody waits any more, is given to `book`."""
        route, chosen = None, None
        if self._router is not None:
            try:
                route, chosen = choose(self._router, ask)
            except Exception as error:  # noqa: BLE001 - a failure of ours costs the decision, never the call
                self._failures.note("router", error)
        takes = parameters(llm_callable).get("decision")
        # Without a choice of ours a default stands, such as what `partial` has bound.
        tells = takes is not None and (route is not None or takes.default is takes.empty)
        model = chosen if tells and chosen is not None else ask.model
        late = partial(self._read_late, book, model, route)
        result = yield Call(llm_callable, ask.query, {"decision": route} if tells else {}, late)
        data = _value_of(result)
        if may_be_data(data):
            try:
                data = as_data(data) if is_small(data) else (yield OffLoop(partial(as_data, data), False))
            except Exception as error:  # noqa: BLE001 - a failure of ours costs what it would have told, never the call
                self._failures.note("reply", error)
        return self._read(model, route, result, data)

    def unwrapped(self, ending: Ending, item: Any) -> Any:
        """Return an item of a stream, NOTHING if it only told of the answer, which `ending` notes."""
        if not isinstance(item, Reply):
            event = event_of(item)
            if event is not None:
                reply = Reply(None, event.usage, event.model)
                ending.note_event(event, said(reply, self._failures)[0], usage_told(reply, self._failures))
            return item
        model, finish_reason = said(item, self._failures)
        ending.note(model, usage_told(item, self._failures), finish_reason)
        return NOTHING if item.value is None else item.value

    def unclosed(self, error: Exception) -> None:
        """Note what closing a stream raised that was not read to its end."""
        self._failures.note("closing a stream", error)

    def passed_on(self, called: Called) -> Called:
        """Return what a call returned that is neither shared nor stored, a stream as such."""
        loop = running_loop()
        if loop is None or not is_stream(called.value):
            return called
        ending = Ending(called.model, called.usage, failures=self._failures)
        passage = Passage(called.value, partial(self.unwrapped, ending), ending, loop, self.unclosed)
        return Called(Stream(passage), None, called.model, called.route)

    def _read_late(self, book: Callable[[Called], None], model: str, route: Any, result: Any) -> None:
        """Read what a call returned when nobody waited any more, in its thread."""
        called = self._read(model, route, result, as_data(_value_of(result)))
        # What a stream takes is told at its end, and nobody reads it.
        book(replace(called, usage=None) if is_stream(called.value) else called)

    def _read(self, model: str, route: Any, result: Any, data: Any) -> Called:
        reply = result if isinstance(result, Reply) else signed(result, data)
        served, finish_reason = said(reply, self._failures)
        return Called(reply.value, usage_said(reply, self._failures), served or model, route, finish_reason, data)


def _value_of(result: Any) -> Any:
    return result.value if isinstance(result, Reply) else result
