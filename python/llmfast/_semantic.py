"""Answers to other words: which stored questions are looked at, and which of them asks the same."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any

from ._bridge import Search
from ._encoder import encode_for_index, is_native
from ._llmfast import PUBLIC, FlatIndex, LruCache, Reading, _Encoding, refusal
from ._memory import BREADTH
from ._types import Neighbour

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from ._bridge import Found
    from ._counts import Counts
    from ._encoder import Encoder
    from ._llmfast import Identifier, Row
    from ._memory import Match, MemoryTier
    from ._plan import Plan

    Vector = np.ndarray | _Encoding

logger = logging.getLogger("llmfast")

#: Vectors of recent texts that are remembered, so that a question that keeps hitting by meaning is encoded once.
_RECENT_VECTORS = 10_000

#: Longer texts are past any encoder's window and would only keep its thread busy: a word-piece token covers at most 100
#: characters.
_CHARACTERS_PER_TOKEN = 100

#: Questions that are remembered as having got a wrong answer; the oldest are forgotten.
_WRONG = 10_000

SERVES = "serves"


class SemanticTier:
    """Decides which row, found by meaning, answers a request. Safe from any thread."""

    def __init__(
        self,
        encoder: Encoder,
        identifier: Identifier,
        memory: MemoryTier,
        counts: Counts,
        clock: Callable[[], float],
        capacity: int,
    ) -> None:
        self.encoder = encoder
        self._identifier = identifier
        self._memory = memory
        self._counts = counts
        self._clock = clock
        self._recent: LruCache[str, Vector] = LruCache(min(capacity, _RECENT_VECTORS))
        self._wrong = WrongAnswers(encoder.dim)

    # ---- the steps that the engine takes ----------------------------------------------------------------------------

    def refuses(self, plan: Plan) -> bool:
        """Return whether a request is not to be compared by meaning; the plan says why."""
        ask, policy = plan.ask, plan.policy
        why = refusal if ask.normal is None else ask.normal.refusal
        what = (ask.query, ask.messages, ask.params) if ask.normal is None else ()
        refused = why(
            *what,
            ttl=plan.ttl,
            public=plan.scope is PUBLIC,
            max_temperature=math.inf if policy.max_temperature is None else policy.max_temperature,
            read_only_tools=policy.read_only_tools,
        )
        if refused is not None:
            self._refuse(plan, *refused)
        return refused is not None

    def places(self, plan: Plan) -> list[int]:
        """Return the partitions whose rows may answer: the scope's own, where the answer is stored, then PUBLIC."""
        self._locate(plan)
        if plan.scope is PUBLIC or not self._memory.has_public_vectors:
            return [plan.partition]
        return [plan.partition, self._partition(PUBLIC, plan)]

    async def encode_ahead(self, plan: Plan) -> None:
        """Await the vector that `nearest` will need, of an encoder whose `is_async` says that it can be awaited."""
        text = plan.ask.query
        if self._recent.get(text) is None and _why_unread(self.encoder, text) is None:
            plan.ahead = (await self.encoder.encode_async([text]))[0]  # type: ignore[attr-defined]  # `is_async`

    def search(self, plan: Plan, place: int) -> Search | None:
        """Return what `nearest` would look up first, for a native worker; None if that is not for one to do."""
        encoder, text = self.encoder, plan.ask.query
        if not is_native(encoder) or _why_too_long(encoder, text) is not None:
            return None
        vector, index = self._recent.get(text), self._memory.index
        if index is None or not (vector is None or isinstance(vector, _Encoding)):
            return None
        return Search(encoder, index, text, vector, BREADTH, plan.policy.threshold, place)

    def decide(self, plan: Plan, place: int, found: Found) -> tuple[bool, Match | None]:
        """Take the decision of `nearest` by what a search found, if that is enough: whether it is, and the row.

        Takes microseconds. Where it is not enough, `nearest` searches again, with the same vector.
        """
        if isinstance(found, str):
            self._refuse(plan, "unread", found)
            return True, None
        plan.vector, hits = found
        self._recent.insert(plan.ask.query, plan.vector)
        now = self._clock()
        before = len(plan.neighbours)
        decided, match = self._memory.decide(hits, place, now, lambda row, score: self._serves(plan, row, score, now))
        if not decided:
            del plan.neighbours[before:]
            return False, None
        return True, self._concluded(plan, match, hits[0].score if hits else None)

    def nearest(self, plan: Plan, place: int) -> Match | None:
        """Return the row that answers the request, if one does. Takes milliseconds.

        The vector stays in the plan, to be stored with the answer.
        """
        vector = self._vector(plan)
        if vector is None:
            return None
        plan.vector = vector
        now = self._clock()
        match, nearest = self._memory.nearest(
            vector, place, plan.policy.threshold, now, lambda row, score: self._serves(plan, row, score, now)
        )
        return self._concluded(plan, match, nearest)

    def suits(self, plan: Plan, row: Row, score: float) -> bool:
        """Return whether a row found by meaning at `score` may answer the request under its own policy."""
        if score < plan.policy.threshold or plan.policy.mode == "shadow" or self.refuses(plan):
            return False
        return self._judge(plan, row, score, self._clock()).verdict == SERVES

    # ---- what callers ask -------------------------------------------------------------------------------------------

    def around(self, plan: Plan, count: int) -> list[Neighbour]:
        """Return the `count` nearest stored questions of each place, with what would be decided about them."""
        vector = self._vector(plan)
        if vector is None:
            return []
        plan.vector = vector
        now = self._clock()
        matches = (match for place in self.places(plan) for match in self._memory.around(vector, place, count))
        found = [self._judge(plan, match.row, match.score, now) for match in matches]
        return sorted(found, key=lambda neighbour: -neighbour.score)

    def remember_wrong(self, plan: Plan, key: bytes) -> bool:
        """Never answer the question of `plan`, or one nearer to it than to the row of `key`, with that row again.

        Takes milliseconds. Returns False if the question cannot be compared.
        """
        vector = self._vector(plan)
        if vector is not None:
            self._wrong.add(key, vector)
        return vector is not None

    def forget(self) -> None:
        """Forget which answers were wrong."""
        self._wrong.clear()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _serves(self, plan: Plan, row: Row, score: float, now: float) -> bool:
        neighbour = self._judge(plan, row, score, now)
        plan.neighbours.append(neighbour)
        return neighbour.verdict == SERVES

    def _concluded(self, plan: Plan, match: Match | None, nearest: float | None) -> Match | None:
        """Note what a search came to; return the row that is to be served."""
        if nearest is not None and (plan.nearest is None or nearest > plan.nearest):
            plan.nearest = nearest
        if match is None:
            if plan.neighbours:
                first = plan.neighbours[0]
                plan.why_not = f"the nearest question does not serve ({first.verdict}): {first.detail}"
            return None
        if plan.policy.mode != "shadow":
            return match
        plan.would_serve = would = plan.neighbours[-1]
        plan.why_not = f"mode is 'shadow': a question with cosine {would.score:.4f} would have served"
        self._counts.reason("shadow:semantic_hit")
        logger.info("shadow: %r (cosine %.4f) would answer %r", would.question, would.score, plan.ask.query)
        return None

    def _judge(self, plan: Plan, row: Row, score: float, now: float) -> Neighbour:
        age = max(0.0, now - row.created_at)
        verdict, detail = self._verdict(plan, row, score, now)
        return Neighbour(score, row.key, row.question, age, verdict, detail)

    def _verdict(self, plan: Plan, row: Row, score: float, now: float) -> tuple[str, str]:
        if score < plan.policy.threshold:
            return "far", f"cosine {score:.4f} is below the threshold {plan.policy.threshold}"
        if plan.fresh_age(row, now) is None:
            is_stream = plan.streams is not None and plan.streams != (row.codec == "events")
            return (
                ("form", "its answer is a stream or none")
                if is_stream
                else ("old", f"its answer is {now - row.created_at:.0f} s old")
            )
        if plan.vector is not None and self._wrong.covers(row.key, plan.vector, score):
            return "veto:feedback", "its answer was called wrong for this question, or for one nearer to it"
        if plan.policy.mode != "static":
            if plan.reading is None:
                plan.reading = Reading(plan.ask.query)
            veto = plan.reading.veto(row.question)
            if veto is not None:
                return f"veto:{veto[0]}", veto[1]
        return SERVES, f"cosine {score:.4f}"

    def _refuse(self, plan: Plan, name: str, sentence: str) -> None:
        plan.refusal, plan.why_not = name, sentence

    def _locate(self, plan: Plan) -> None:
        if plan.partition == 0:
            plan.partition = self._partition(plan.scope, plan)

    def _partition(self, scope: Any, plan: Plan) -> int:
        return self._identifier.partition(scope, self.encoder.fingerprint, plan.fingerprint)

    def _vector(self, plan: Plan) -> Vector | None:
        text = plan.ask.query
        vector = self._recent.get(text)
        if vector is None:
            vector = plan.ahead
            if vector is None:
                why_not = _why_unread(self.encoder, text)
                if why_not is not None:
                    self._refuse(plan, "unread", why_not)
                    return None
                vector = encode_for_index(self.encoder, text)
            self._recent.insert(text, vector)
        return vector


class WrongAnswers:
    """Questions that got a wrong answer, each with the row that gave it.

    A row does not answer a question that is nearer to one of them than to the row's own: of the nearest examples the
    label decides (Cover and Hart, "Nearest neighbor pattern classification", 1967).
    """

    def __init__(self, dim: int) -> None:
        self._lock = threading.Lock()
        self._dim = dim
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._questions = FlatIndex(self._dim)
            self._keys: dict[int, bytes] = {}
            self._known: dict[bytes, int] = {}
            self._next_id = 0

    def add(self, key: bytes, vector: Vector) -> None:
        """Remember that the row of `key` was a wrong answer to the question of this vector."""
        with self._lock:
            # A partition for each row: only its own wrong answers are searched.
            self._questions.add(self._next_id, vector, partition=int.from_bytes(key[:16], "little"))
            self._keys[self._next_id] = key
            self._next_id += 1
            self._known[key] = self._known.get(key, 0) + 1
            if len(self._keys) > _WRONG:
                self._forget_oldest()

    def covers(self, key: bytes, vector: Vector, score: float) -> bool:
        """Whether the question of `vector`, whose cosine with the row's is `score`, is nearer to a wrong one."""
        if key not in self._known:
            return False
        return bool(self._questions.search(vector, 1, min_score=score, partition=int.from_bytes(key[:16], "little")))

    def _forget_oldest(self) -> None:
        oldest = next(iter(self._keys))
        self._questions.remove(oldest)
        key = self._keys.pop(oldest)
        self._known[key] -= 1
        if not self._known[key]:
            del self._known[key]


def _why_unread(encoder: Encoder, text: str) -> str | None:
    """Return why a text is not to be compared: the encoder does not read all of it."""
    why_not = _why_too_long(encoder, text)
    if why_not is not None:
        return why_not
    unread = getattr(encoder, "unread", None)
    # Two texts that agree in what the encoder reads look the same to it, whatever the threshold.
    return None if unread is None else unread(text)


def _why_too_long(encoder: Encoder, text: str) -> str | None:
    limit = getattr(encoder, "max_tokens", None)
    if limit is not None and len(text) > limit * _CHARACTERS_PER_TOKEN:
        return f"the text has {len(text):,} characters, and the encoder reads {limit} tokens"
    return None
