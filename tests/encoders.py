"""Encoders whose vectors a test can foresee."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from typing import Any

import numpy as np


class TopicEncoder:
    """Texts of the form "topic/variant" get vectors whose cosine within a topic is `closeness`, and about 0 across
    topics.

    A variant "=" lies on the topic itself; the cosine of two different variants is closeness².
    """

    dim = 64

    def __init__(self, closeness: float = 0.99, fingerprint: str = "topics") -> None:
        self.fingerprint = fingerprint
        self.closeness = closeness
        self.texts: list[str] = []
        self._lock = threading.Lock()

    def encode(self, texts: list[str]) -> np.ndarray:
        with self._lock:
            self.texts.extend(texts)
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> np.ndarray:
        topic, _, variant = self.topic(text).partition("/")
        # The halves of the space keep variants orthogonal to every topic.
        base = np.concatenate([self._direction(topic), np.zeros(self.dim // 2)])
        if variant in ("", "="):
            return base.astype(np.float32)
        away = np.concatenate([np.zeros(self.dim // 2), self._direction(text)])
        return (self.closeness * base + np.sqrt(1 - self.closeness**2) * away).astype(np.float32)

    def topic(self, text: str) -> str:
        """Return a text as "topic/variant"."""
        return text

    def _direction(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        vector = np.random.default_rng(seed).standard_normal(self.dim // 2)
        return vector / np.linalg.norm(vector)


class NamedTopics(TopicEncoder):
    """The same for texts that people would write: each gets its "topic/variant" from a table."""

    def __init__(self, topics: dict[str, str], closeness: float = 0.99) -> None:
        super().__init__(closeness)
        self.topics = topics

    def topic(self, text: str) -> str:
        return self.topics.get(text, f"{text}/=")


#: One that tests share, which also is at hand as a function.
TOPICS = TopicEncoder()


def topics(texts: list[str]) -> Any:
    return TOPICS.encode(texts)


async def topics_later(texts: list[str]) -> Any:
    await asyncio.sleep(0)
    return TOPICS.encode(texts).tolist()
