"""What a cache would decide about a request, and why, without making it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._loops import running_loop
from ._types import Explanation

if TYPE_CHECKING:
    from ._cache import Cache
    from ._plan import Plan

#: Stored questions that are shown.
_SHOWN = 5


def explained(cache: Cache, plan: Plan | None) -> Explanation:
    """Return what would be decided about a planned request now; None stands for one that cannot be cached.

    Raises RuntimeError as `Cache.explain` does.
    """
    if plan is None:
        return Explanation("the cache is disabled" if cache.disabled else "the request cannot be identified")
    plan.shorten()
    found = cache.exact(plan, peek=True)
    if found is not None:
        return Explanation(f"the same request was answered {found[1]:.0f} s ago")
    if cache.stale(plan, plan.policy.stale_while_revalidate) is not None:
        return Explanation("the same request was answered before, and on an event loop a newer answer is fetched")
    semantic = cache.semantic
    if semantic is None:
        return Explanation("no encoder is set", fresh_for=plan.fresh_for)
    if not semantic.places(plan):
        return Explanation(plan.why_not, plan.policy.threshold, refusal=plan.refusal, fresh_for=plan.fresh_for)
    if cache.encodes_on_loop and running_loop() is not None:
        message = "explain would stop the event loop of this thread: await asyncio.to_thread(cache.explain, ...)"
        raise RuntimeError(message)
    neighbours, serving = semantic.around(plan, _SHOWN)
    reason, would_serve = plan.why_not, None
    if serving is not None and plan.policy.mode == "shadow":
        reason, would_serve = f"mode is 'shadow': a question with {serving.detail} would have served", serving
    elif serving is not None:
        reason = f"a question with {serving.detail} was answered before"
    elif neighbours:
        reason = f"the nearest question does not serve ({neighbours[0].verdict}): {neighbours[0].detail}"
    nearest = neighbours[0].score if neighbours else None
    return Explanation(
        reason, plan.policy.threshold, nearest, None, tuple(neighbours), plan.refusal, would_serve,
        fresh_for=plan.fresh_for,
    )  # fmt: skip
