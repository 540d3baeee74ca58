"""`batch` as a decorator: of which functions and methods, with which bounds, and what comes out of it."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
import weakref

import pytest

from llmfast._batch import Batched, BatchedMethod, batch
from llmfast._errors import ConfigError
from loops import turns

# ---- functions -------------------------------------------------------------------------------------------------------


def test_every_way_to_decorate_is_the_same():
    async def double(numbers: list[int]) -> list[int]:
        """Double."""
        return [2 * number for number in numbers]

    for embed in (batch(double), batch()(double), batch(double, max_batch_size=2), batch(max_queue=3)(double)):
        assert asyncio.run(embed.map([1, 2, 3])) == [2, 4, 6]
        assert (embed.__name__, embed.__doc__) == ("double", "Double.")


@pytest.mark.parametrize("name", ["max_batch_size", "concurrency", "max_queue"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_a_bound_below_one_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be an int of at least 1, got {value!r}"):
        batch(**{name: value})


def test_a_function_of_other_parameters_is_refused():
    async def none() -> list[int]:
        return []

    async def three(self, items, more):
        return []

    async def keyword(items, *, model):
        return []

    async def optional(items, scale=2, *rest, model="m", **more):
        return items

    with pytest.raises(ConfigError, match="got one that takes nothing"):
        batch(none)
    with pytest.raises(ConfigError, match="got one that takes self, items, more"):
        batch(three)
    with pytest.raises(ConfigError, match="got one that takes items, model"):
        batch(keyword)
    with pytest.raises(ConfigError, match="expected a function to batch, got int"):
        batch(3)
    assert isinstance(batch(lambda *items: None), Batched)
    assert isinstance(batch(lambda items=(): None), Batched)
    assert asyncio.run(batch(optional).map([1])) == [1]


@pytest.mark.parametrize("function", [max, str, dict])
def test_a_function_that_does_not_say_what_it_takes_is_refused(function):
    with pytest.raises(ConfigError, match="does not say what it takes: wrap it"):
        batch(function)


def test_a_function_of_two_parameters_that_is_no_method_says_so_when_it_is_called():
    def embed(model, items):
        return items

    with pytest.raises(TypeError, match=r"embed takes two parameters, .* functools.partial"):
        batch(embed)("a")


# ---- methods ---------------------------------------------------------------------------------------------------------


class Model:
    __hash__ = None

    def __init__(self, name):
        self.name = name
        self.calls = []

    def __eq__(self, other):
        return True

    @batch(max_batch_size=2)
    async def embed(self, texts):
        """Embed."""
        self.calls.append(texts)
        return [f"{self.name}:{text}" for text in texts]

    @staticmethod
    @batch
    async def plain(texts):
        return texts


def test_each_object_has_batches_of_its_own():
    one, two = Model("one"), Model("two")

    async def main():
        return await asyncio.gather(one.embed("a"), two.embed("b"), one.embed("c"), two.plain("d"))

    assert asyncio.run(main()) == ["one:a", "two:b", "one:c", "d"]
    assert (one.calls, two.calls) == ([["a", "c"]], [["b"]])
    assert (one.embed.stats().batches, Model("three").embed.stats().batches) == (1, 0)
    assert isinstance(Model.embed, BatchedMethod)
    assert Model.embed.__doc__ == "Embed."


def test_an_object_lives_while_items_wait_and_no_longer():
    async def main():
        model = Model("x")
        alive = weakref.ref(model)
        futures = [model.embed.submit(text) for text in "abc"]
        del model
        gc.collect()
        assert alive() is not None
        assert await asyncio.gather(*futures) == ["x:a", "x:b", "x:c"]
        await turns()
        gc.collect()
        assert alive() is None, "the loop and its queue are still there"

    asyncio.run(main())
    assert all(reference() is not None for reference, _ in Model.embed._queues.values())


def test_an_object_without_weak_references_is_refused_with_the_cure():
    class Slotted:
        __slots__ = ()

        @batch
        async def embed(self, texts):
            return texts

    with pytest.raises(TypeError, match=r"add '__weakref__' to its __slots__"):
        Slotted().embed  # noqa: B018


# ---- what a batched function is, beside what it does -----------------------------------------------------------------


@batch
async def of_a_module(items):
    return items


class OfAClass:
    @batch
    async def method(self, items):
        return items


def test_a_batched_function_is_pickled_and_copied_by_its_name():
    assert pickle.loads(pickle.dumps(of_a_module)) is of_a_module
    assert copy.deepcopy(of_a_module) is of_a_module
    assert asyncio.run(pickle.loads(pickle.dumps(OfAClass().method))("a")) == "a"

    class Nameless:
        def __call__(self, items):
            return items

    with pytest.raises(TypeError, match="has no name to be pickled by"):
        pickle.dumps(batch(Nameless()))


def test_its_signature_is_that_of_a_call():
    assert list(inspect.signature(of_a_module).parameters) == ["item", "priority", "deadline", "tenant", "key"]


def test_sync_under_an_event_loop_is_refused_instead_of_stopping_it():
    async def main():
        with pytest.raises(RuntimeError, match="sync would stop the event loop"):
            of_a_module.sync("a")

    asyncio.run(main())
