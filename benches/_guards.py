"""What the extension has to guard hits with: its lists, its veto, its refusal of the whole tier."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from _harness import not_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from _harness import Bench

    #: The name of a guard, and what it says.
    Veto = tuple[str, str] | None

LIFETIME = 86_400.0


@dataclass(frozen=True)
class Guards:
    """The guards as the bench asks them. Where the extension has none, nothing is vetoed."""

    known: frozenset[str]
    reading: Callable[[str], Any] | None
    refuse: Callable[..., Veto] | None

    @classmethod
    def load(cls, bench: Bench) -> Guards:
        """Take what the extension exports; with `--gate` exit 2 without lists or veto."""
        extension = import_module("llmfast._llmfast")
        words, reading = getattr(extension, "guard_words", None), getattr(extension, "Reading", None)
        for name, found in (("guard_words", words), ("Reading", reading)):
            if found is None and bench.arguments.gate:
                not_run(bench.name, f"the extension has no {name}: build it with the guards")
            if found is None:
                bench.note("guards", f"the extension has no {name}: what it would do is left out")
        known = frozenset() if words is None else frozenset(word.lower() for word in words())
        bench.note("words in the guards' lists", f"{len(known):,}")
        return cls(known, reading, getattr(extension, "refusal", None))

    def veto(self, stored: str, asked: str) -> Veto:
        """Return which guard says that two questions are not the same, and why; None if none does."""
        return None if self.reading is None else self.reading(stored).veto(asked)

    def refusal(self, question: str) -> Veto:
        """Return why a question is not to be answered by meaning at all; None if it may be."""
        if self.refuse is None:
            return None
        return self.refuse(question, [], {}, ttl=LIFETIME, public=False)
