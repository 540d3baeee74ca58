"""What the tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmfast import Cache, MiniLM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names with an address in them: a test is called the same in every run."""
    passing = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if passing:
        raise pytest.UsageError(f"these tests have another name in each run, give them ids: {passing}")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What llmfast remembers between processes is kept apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMFAST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The real encoder."""
    import llmfast

    try:
        return llmfast.MiniLM()
    except llmfast.EncoderNotFoundError as error:
        pytest.skip(f"the MiniLM weights are missing: {error}")


@pytest.fixture
def native(minilm: MiniLM) -> Cache:
    """A cache whose lookups go over the bridge, and in `searched` the questions that `nearest` looked for after all."""
    from bridging import watched_cache

    return watched_cache(minilm)


@pytest.fixture(scope="session")
def evaluation_data() -> Path:
    """The folder of the evaluation data."""
    folder = os.environ.get("LLMFAST_DATA")
    if not folder:
        pytest.skip("LLMFAST_DATA is not set: it names the folder of the evaluation data")
    return Path(folder)
