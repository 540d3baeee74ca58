"""What type checkers see of the public names. Checked, never run."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, Any, Literal, assert_type

import numpy as np
from numpy.typing import NDArray

import llmfast
from llmfast import (
    Answer,
    Ask,
    BertEncoder,
    Cache,
    CachePolicy,
    CallableEncoder,
    Decision,
    Engine,
    FlatIndex,
    Hit,
    HnswIndex,
    LruCache,
    MiniLM,
    Reply,
    Scope,
    SentenceTransformerEncoder,
    Totals,
    Usage,
    batch,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def cache_and_engine() -> None:
    cache = Cache(encoder=MiniLM(), policy=CachePolicy(threshold=0.9), policies={"legal": CachePolicy(threshold=0.99)})
    answer = await cache.get_or_generate("q", lambda query: query, scope=llmfast.PUBLIC, kind="legal")
    assert_type(answer, Answer)
    response, source = answer
    assert_type(answer.source, Literal["exact_hit", "semantic_hit", "llm_call"])
    assert_type(answer.score, float | None)
    engine = Engine(cache=cache)
    assert_type(engine.get_or_generate_sync("q", lambda query: Reply(query, usage=Usage(1, 2))), Answer)
    if isinstance(answer.response, llmfast.Stream):
        async for item in answer.response:
            print(item)
        await answer.response.aclose()
        assert_type(answer.response.usage, Usage | None)
        async with answer.response as stream:
            assert_type(stream, llmfast.Stream)
    assert_type(answer.decision.route, Decision | None)
    assert_type(answer.decision.not_stored, str | None)
    for tenant in tenants():
        await engine.run(Ask("q", scope=tenant), lambda query: query)
    await cache.get_or_generate("q", streamed)
    await cache.feedback(answer, ok=False)
    assert_type(await cache.invalidate(tag="doc", scope=None, dry_run=True), int)
    assert_type(cache.explain("q").neighbours, tuple[llmfast.Neighbour, ...])
    assert_type(cache.stats().reasons, dict[str, int])
    await cache.feedback(answer)  # type: ignore[call-arg]
    CachePolicy(mode="strict")  # type: ignore[arg-type]
    await cache.get_or_generate("q", lambda query: query, threshold=0.9)  # type: ignore[call-arg]


class ChatUsage:
    """A usage as OpenAI's client has it."""

    prompt_tokens: int
    completion_tokens: int


class MessageUsage:
    """A usage as Anthropic's client has it."""

    input_tokens: int
    cache_read_input_tokens: int | None
    output_tokens: int


class DeltaUsage:
    """A usage of an event of Anthropic's."""

    output_tokens: int


def usages(chat: ChatUsage | None, message: MessageUsage, delta: DeltaUsage) -> list[Reply]:
    Reply("text", usage=5)  # type: ignore[arg-type]
    Reply("text", usage=object())  # type: ignore[arg-type]
    return [
        Reply("text", usage=chat),
        Reply("text", usage=message),
        Reply(None, usage=delta),
        Reply("text", usage={"prompt_tokens": 1, "completion_tokens": 2}),
        Reply("text", usage=(1, 2)),
        Reply("text", usage=Usage(1, 2)),
    ]


def tenants() -> list[Scope]:
    return [None, "a", llmfast.PUBLIC]


def booked(ledger: llmfast.Ledger) -> list[Totals]:
    return [ledger.summary(), *ledger.summary().models.values()]


async def streamed(query: str) -> AsyncIterator[str | Reply]:
    yield query
    yield Reply(None, usage=Usage(1, 2))


def blocks() -> None:
    cache = LruCache[str, int](10)
    assert_type(cache.get("a"), int | None)
    assert_type(cache.get("a", "b"), int | str)
    assert_type(cache["a"], int)
    cache["a"] = "b"  # type: ignore[assignment]
    index = FlatIndex(3)
    index.add(1, [1.0, 2.0, 3.0])
    assert_type(index.search(np.zeros(3, np.float32), k=2), list[Hit])
    graph = HnswIndex(3, connectivity=8, expansion=32)
    graph.add_many([1], [[1.0, 2.0, 3.0]], partition=7)
    assert_type(graph.search_many(np.zeros((1, 3), np.float32), k=2), list[list[Hit]])
    assert_type(HnswIndex.load("rows.index"), HnswIndex)
    HnswIndex(3, 8)  # type: ignore[call-arg]
    index.search([1.0, 2.0, 3.0], min_score=None)
    index.search([1.0, 2.0, 3.0], min_score=...)  # type: ignore[arg-type]
    assert_type(MiniLM().encode("text"), NDArray[np.float32])
    assert_type(BertEncoder("folder", pooling="cls").encode(["text"]), NDArray[np.float32])
    Cache(encoder=BertEncoder("folder"))
    llmfast.Cach()  # type: ignore[attr-defined]
    BertEncoder()  # type: ignore[call-arg]


def adapters(loaded: object) -> None:
    encoder = CallableEncoder(lengths.map, dim=3, name="lengths")
    assert_type(encoder.encode(["text"]), NDArray[np.float32])
    Cache(encoder=encoder)
    CallableEncoder(lengths, dim=3, name="lengths")
    CallableEncoder(lambda texts: [[1.0]] * len(texts), dim=1, name="ones", version="2", max_tokens=8)
    CallableEncoder(lambda texts: [[1.0]], dim=1)  # type: ignore[call-arg]
    model = SentenceTransformerEncoder("intfloat/e5-small-v2", prompt="query: ", device="cpu")
    assert_type(model.max_tokens, int | None)
    Cache(encoder=model)
    SentenceTransformerEncoder(loaded)


@batch(max_batch_size=8)
async def lengths(texts: list[str]) -> list[int]:
    return [len(text) for text in texts]


@batch(max_batch_tokens=64, cost=len, padded=True, bisect=(ValueError, KeyError))
def initials(texts: list[str]) -> list[str | BaseException]:
    return [text[:1] for text in texts]


@batch
def rows(vectors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(vectors)


@batch(max_batch_size=8)
async def rows_at_last(vectors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(vectors)


@batch
async def partly(numbers: list[int]) -> list[int | Exception]:
    return [ValueError("below 0") if number < 0 else number for number in numbers]


@batch
def pairs(texts: list[str]) -> tuple[float, ...]:
    return tuple(1.0 for _ in texts)


class Model:
    @batch
    async def embed(self, texts: list[str]) -> list[float]:
        return [1.0 for _ in texts]


async def batched() -> None:
    assert_type(await lengths("a"), int)
    assert_type(await lengths.map(["a", "b"]), list[int])
    assert_type(await lengths.map(["a"], return_exceptions=True), list[int | BaseException])
    assert_type(lengths.submit("a", priority=1, deadline=0.5, tenant="t", key=("k", 1)), Future[int])
    assert_type(lengths.sync("a"), int)
    assert_type(await initials("a"), str)
    assert_type(await Model().embed("a"), float)
    assert_type(await partly(1), int)
    assert_type(await pairs("a"), float)
    row: NDArray[np.float32] = await rows(np.ones(3, np.float32))
    assert_type(await rows_at_last.map([row]), list[Any])
    batch(len)  # type: ignore[arg-type]
    assert_type(lengths.stats().queue_time.quantile(0.99), float)
    await lengths(1)  # type: ignore[arg-type]
    batch(max_batch_size="8")  # type: ignore[call-overload]
