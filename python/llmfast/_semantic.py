"""Answers to other words: which stored questions are looked at, and which of them asks the same."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from ._bridge import Search
from ._encoder import encode_for_index, encode_for_index_async, is_native
from ._failures import log
from ._forks import new_lock
from ._llmfast import PUBLIC, FlatIndex, LruCache, Reading, _Encoding, refusal
from ._memory import BREADTH, WIDEST
from ._plan import SERVES, as_neighbour

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from ._bridge import Found
    from ._counts import Counts
    from ._encoder import Encoder
    from ._llmfast import Identifier, Row
    from ._memory import Match, MemoryTier
    from ._plan import Plan
    from ._types import Neighbour

    Vector = np.ndarray | _Encoding

#: Vectors of recent texts that are remembered, so that a question that keeps hitting by meaning is encoded once.
_RECENT_VECTORS = 10_000

#: Longer texts are past any encoder's window and would only keep its thread busy: a word-piece token covers at most 100
#: characters.
_CHARACTERS_PER_TOKEN = 100

#: Questions that are remembered as having got a wrong answer; the oldest are forgotten.
_WRONG = 10_000

#: Makes a named tuple by one call in C: its own `__new__` is a function in Python.
_new = tuple.__new__


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
        self._capacity = min(capacity, _RECENT_VECTORS)
        self._begin(encoder.fingerprint)

    def _begin(self, fingerprint: str) -> None:
        """Remember vectors of this fingerprint alone: an encoder may have another model meanwhile."""
        self._recent: LruCache[str, Vector] = LruCache(self._capacity)
        self._wrong = WrongAnswers(self.encoder.dim)
        self._fingerprint = fingerprint

    # ---- the steps that the engine takes ----------------------------------------------------------------------------

    def places(self, plan: Plan) -> tuple[bytes, ...]:
        """Return the partitions whose rows may answer: the scope's own, where the answer is stored, then PUBLIC.

        None at all if the request is not to be compared by meaning: the plan says why.
        """
        ask, policy, public = plan.ask, plan.policy, plan.scope is PUBLIC
        has_public = self._memory.has_public_vectors
        if public and ask.user is None and not has_public:
            self._refuse(plan, "public", "nobody's public rows are served on exact repeats only")
            return ()
        hottest = math.inf if policy.max_temperature is None else policy.max_temperature
        # By position: keywords would cost more than the rules.
        if ask.normal is None:
            refused = refusal(ask.query, ask.messages, ask.params, plan.ttl, public, hottest, policy.read_only_tools)
        else:
            refused = ask.normal.refusal(plan.ttl, public, hottest, policy.read_only_tools)
        if refused is not None:
            self._refuse(plan, *refused)
            return ()
        partition, encoder = self._identifier.partition, self.encoder.fingerprint
        if encoder != self._fingerprint:
            self._begin(encoder)
        if not plan.partition:
            plan.partition = partition(plan.scope, encoder, plan.fingerprint)
        if public or not has_public:
            return (plan.partition,)
        return plan.partition, partition(PUBLIC, encoder, plan.fingerprint)

    async def encode_ahead(self, plan: Plan) -> None:
        """Await the vector that `nearest` will need, of an encoder whose `is_async` says that it can be awaited."""
        text = plan.ask.query
        if self._recent.get(text) is None and _why_unread(self.encoder, text) is None:
            plan.ahead = await encode_for_index_async(self.encoder, text)

    def search(self, plan: Plan, place: bytes, max_wait: float = math.inf) -> Search | None:
        """Return what `nearest` would look up first, for a native worker; None if that is not for one to do.

        It must be begun within `max_wait` seconds.
        """
        encoder, text, index = self.encoder, plan.ask.query, self._memory.index
        if index is None or not is_native(encoder) or len(text) > encoder.max_tokens * _CHARACTERS_PER_TOKEN:
            return None
        vector = self._recent.get(text)
        if not (vector is None or isinstance(vector, _Encoding)):
            return None
        return _new(Search, (encoder, index, text, vector, BREADTH, plan.policy.threshold, place, max_wait))

    def decide(self, plan: Plan, place: bytes, found: Found) -> tuple[bool, Match | None]:
        """Take the decision of `nearest` by what a search found, if that is enough: whether it is, and the row.

        It is not where `nearest` would search further, or remove a row that is over, for which it may have to wait:
        then it searches again, with the same vector. This takes microseconds, and waits for nothing.
        """
        if isinstance(found, str):
            self._refuse(plan, "unread", found)
            return True, None
        plan.vector, hits = found
        self._recent.insert(plan.ask.query, plan.vector)
        # Of all that follows an encoder the most is done here, so that a call more would be felt.
        now, key_of, row_of = self._clock(), self._memory.ids.key_of, self._memory.rows_by_key.get
        match, before = None, len(plan.passed_by)
        for hit in hits:
            key = key_of(hit.id)
            row = None if key is None else row_of(key)
            if row is None or row.is_gone(now):
                del plan.passed_by[before:]
                return False, None
            if not row.lies_in(place):
                continue
            score = hit.score
            verdict, detail = self._verdict(plan, row, score, now)
            if verdict is SERVES:
                plan.serving = row, score, now
                match = row, score
                break
            plan.passed_by.append(as_neighbour(row, score, now, verdict, detail))
        else:
            if len(hits) == BREADTH:
                del plan.passed_by[before:]
                return False, None
        if hits and (plan.nearest is None or hits[0].score > plan.nearest):
            plan.nearest = hits[0].score
        if match is not None and plan.policy.mode != "shadow":
            return True, match
        self._note_why_not(plan)
        return True, None

    def nearest(self, plan: Plan, place: bytes) -> Match | None:
        """Return the row that answers the request, if one does. Takes milliseconds.

        The vector stays in the plan, to be stored with the answer.
        """
        vector = self._vector(plan)
        if vector is None:
            return None
        plan.vector = vector
        match, nearest = self._memory.nearest(vector, place, self._clock(), self._serves, plan)
        if nearest is not None and (plan.nearest is None or nearest > plan.nearest):
            plan.nearest = nearest
        if match is not None and plan.policy.mode != "shadow":
            return match
        self._note_why_not(plan)
        return None

    def suits(self, plan: Plan, row: Row, score: float) -> bool:
        """Return whether a row found by meaning at `score` may answer the request under its own policy."""
        if score < plan.policy.threshold or plan.policy.mode == "shadow" or not self.places(plan):
            return False
        return self._verdict(plan, row, score, self._clock())[0] == SERVES

    # ---- what callers ask -------------------------------------------------------------------------------------------

    def around(self, plan: Plan, count: int) -> tuple[list[Neighbour], Neighbour | None]:
        """Return the `count` nearest stored questions of each place, with what would be decided about them.

        The second is the one that would serve, which is among the first: as `nearest` finds it, place by place.
        """
        vector = self._vector(plan)
        if vector is None:
            return [], None
        plan.vector = vector
        now, found, serving = self._clock(), [], None
        for place in self.places(plan):
            for rank, (row, score) in enumerate(self._memory.around(vector, place, WIDEST)):
                if rank >= count and (serving is not None or score < plan.policy.threshold):
                    break
                neighbour = as_neighbour(row, score, now, *self._verdict(plan, row, score, now))
                serves = serving is None and neighbour.verdict == SERVES
                if serves:
                    serving = neighbour
                if serves or rank < count:
                    found.append(neighbour)
        return sorted(found, key=lambda neighbour: -neighbour.score), serving

    def remember_wrong(self, question: str, vector: Vector | None, key: bytes) -> bool:
        """Never answer a question, or one nearer to it than to the row of `key`, with that row again.

        Without its vector this takes milliseconds. Returns False if the question cannot be compared.
        """
        if vector is None:
            vector = self._recent.get(question)
        if vector is None:
            if _why_unread(self.encoder, question) is not None:
                return False
            vector = encode_for_index(self.encoder, question)
        self._wrong.add(key, vector)
        return True

    def forget(self) -> None:
        """Forget which answers were wrong."""
        self._wrong.clear()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _serves(self, plan: Plan, row: Row, score: float, now: float) -> bool:
        verdict, detail = self._verdict(plan, row, score, now)
        if verdict is SERVES:
            plan.serving = row, score, now
            return True
        plan.passed_by.append(as_neighbour(row, score, now, verdict, detail))
        return False

    def _note_why_not(self, plan: Plan) -> None:
        """Note why a search comes to nothing: no row serves, or the policy serves none."""
        if plan.serving is None:
            if plan.passed_by:
                first = plan.passed_by[0]
                plan.why_not = f"the nearest question does not serve ({first.verdict}): {first.detail}"
            return
        plan.would_serve = would = plan.neighbours[-1]
        plan.passed_by.append(would)
        plan.serving = None
        plan.why_not = f"mode is 'shadow': a question with cosine {would.score:.4f} would have served"
        self._counts.reason("shadow:semantic_hit")
        log(logging.INFO, "shadow: %r (cosine %.4f) would answer %r", would.question, would.score, plan.ask.query)

    def _verdict(self, plan: Plan, row: Row, score: float, now: float) -> tuple[str, str | None]:
        """Return the name of the verdict on a row, and why in a sentence if the cosine does not say it."""
        policy, ask = plan.policy, plan.ask
        if score < policy.threshold:
            return "far", f"cosine {score:.4f} is below the threshold {policy.threshold}"
        if plan.streams is not None and plan.streams != (row.codec == "events"):
            return "form", "its answer is a stream or none"
        if row.fresh_age(now, plan.kind, plan.ttl) is None:
            return "old", f"its answer is {now - row.created_at:.0f} s old"
        wrong, vector = self._wrong, plan.vector
        if wrong.known and vector is not None and wrong.covers(row.key, vector, score):
            return "veto:feedback", "its answer was called wrong for this question, or for one nearer to it"
        if policy.mode != "static":
            reading = plan.reading
            if reading is None:
                reading = plan.reading = Reading(ask.query)
            veto = reading.veto(row.question)
            if veto is not None:
                return f"veto:{veto[0]}", veto[1]
        return SERVES, None

    def _refuse(self, plan: Plan, name: str, sentence: str) -> None:
        plan.refusal, plan.why_not = name, sentence

    def _vector(self, plan: Plan) -> Vector | None:
        # Where it goes is settled before it is made, with whichever model.
        text, recent = plan.ask.query, self._recent
        vector = recent.get(text)
        if vector is None:
            vector = plan.ahead
            if vector is None:
                why_not = _why_unread(self.encoder, text)
                if why_not is not None:
                    self._refuse(plan, "unread", why_not)
                    return None
                vector = encode_for_index(self.encoder, text)
            recent.insert(text, vector)
        return vector


class WrongAnswers:
    """Questions that got a wrong answer, each with the row that gave it.

    A row does not answer a question that is nearer to one of them than to the row's own: of the nearest examples the
    label decides (Cover and Hart, "Nearest neighbor pattern classification", 1967).
    """

    def __init__(self, dim: int) -> None:
        self._lock = new_lock()
        self._dim = dim
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self.known: dict[bytes, int] = {}
            self._keys: dict[int, bytes] = {}
            self._questions = FlatIndex(self._dim)
            self._next_id = 0

    def add(self, key: bytes, vector: Vector) -> None:
        """Remember that the row of `key` was a wrong answer to the question of this vector."""
        with self._lock:
            number, self._next_id = self._next_id, self._next_id + 1
            # Counted before it is there, and until it is gone: interrupted in between, a row is only looked for once
            # too often.
            self.known[key] = self.known.get(key, 0) + 1
            self._keys[number] = key
            # A partition for each row: only its own wrong answers are searched.
            self._questions.add(number, vector, partition=int.from_bytes(key[:16], "little"))
            while len(self._keys) > _WRONG:
                self._forget_oldest()

    def covers(self, key: bytes, vector: Vector, score: float) -> bool:
        """Whether the question of `vector`, whose cosine with the row's is `score`, is nearer to a wrong one."""
        if key not in self.known:
            return False
        return bool(self._questions.search(vector, 1, min_score=score, partition=int.from_bytes(key[:16], "little")))

    def _forget_oldest(self) -> None:
        oldest = next(iter(self._keys))
        self._questions.remove(oldest)
        key = self._keys.pop(oldest)
        self.known[key] -= 1
        if not self.known[key]:
            del self.known[key]


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
