"""What the tests share."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmfast import MiniLM


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The real encoder."""
    import llmfast

    try:
        return llmfast.MiniLM()
    except llmfast.EncoderNotFoundError as error:
        pytest.skip(f"the MiniLM weights are missing: {error}")


@pytest.fixture(scope="session")
def evaluation_data() -> Callable[[str], list[dict[str, Any]]]:
    """Rows of a file of the evaluation data, by its name without the ending."""
    folder = os.environ.get("LLMFAST_DATA")
    if not folder:
        pytest.skip("LLMFAST_DATA is not set: it names the folder with the evaluation data")

    def read(name: str) -> list[dict[str, Any]]:
        with gzip.open(Path(folder) / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return read
