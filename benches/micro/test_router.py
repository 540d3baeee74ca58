"""What a routing decision costs."""

from __future__ import annotations

import pytest

from llmfast import Router

SHORT = "What is the exchange rate for my card?"


@pytest.mark.parametrize("length", [40, 1_000, 16_000])
def test_route(benchmark, length):
    router = Router.default()
    text = (SHORT + " ") * (length // len(SHORT) + 1)
    assert benchmark(router.route, text[:length]).model


def test_route_messages(benchmark):
    router = Router.default()
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SHORT}]
    assert benchmark(router.route, messages).model
