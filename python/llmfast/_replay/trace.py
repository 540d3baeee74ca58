"""What a run leaves behind: one record a request, and one vector a distinct text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from .._encoder import Encoder

    Vectors = np.ndarray[Any, np.dtype[np.float32]]

EXACT, SEMANTIC, CALL = "exact_hit", "semantic_hit", "llm_call"


class RecordingEncoder:
    """An encoder that remembers the vector of every text that went through it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name = type(encoder).__name__
        self.vectors: dict[str, Vectors] = {}

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self._encoder.dim

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the encoder below."""
        return self._encoder.fingerprint

    def __getattr__(self, name: str) -> Any:
        """Return what else the encoder below offers, such as the number of tokens it reads."""
        return getattr(self._encoder, name)

    def encode(self, texts: list[str], /) -> Vectors:
        """Return what the encoder below returns."""
        matrix = self._encoder.encode(texts)
        self.vectors.update(zip(texts, matrix, strict=True))
        return matrix


@dataclass(frozen=True, slots=True)
class Served:
    """What became of one request.

    `key` numbers the distinct requests (all that can change the answer is equal) and `time` is the virtual clock in
    seconds. `origin` is the position of the request whose call made the answer that was served; a call's own. `seconds`
    is measured around the engine, `model_seconds` is what the simulated model would have taken. `usage` is (input,
    output) tokens of this request without a cache, `estimated` where the log has none. `stored` says whether an answer
    that was made for it may be stored: the log's own may be cut off or filtered.
    """

    outcome: str
    key: int
    time: float
    origin: int
    score: float | None
    seconds: float
    model_seconds: float
    requested: str
    model: str
    usage: tuple[int, int]
    estimated: bool
    intent: str | None
    stored: bool = True


@dataclass
class Trace:
    """The requests of a run in order, and of each distinct one (by key) its text, its partition, and if it is compared.

    Only requests of one partition are compared by meaning: scope, model, system prompt, history and parameters are
    equal. Some are not compared at all, by the engine's rules: the temperature is high, or the last turn holds no text.
    """

    served: list[Served] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    compared: list[bool] = field(default_factory=list)
    _key_of: dict[bytes, int] = field(default_factory=dict)
    _partition_of: dict[bytes, int] = field(default_factory=dict)

    def key(self, exact_key: bytes | None, partition: bytes, text: str, *, compared: bool = True) -> int:
        """Return the number of the distinct request with this exact key.

        `partition` covers all of it but `text`. A request that cannot be cached has no exact key and equals no other.
        """
        number = len(self.texts)
        key = number if exact_key is None else self._key_of.setdefault(exact_key, number)
        if key == number:
            self.texts.append(text)
            self.compared.append(compared)
            self.partitions.append(self._partition_of.setdefault(partition, len(self._partition_of)))
        return key
