"""What the tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
def evaluation_data() -> Path:
    """The folder of the evaluation data."""
    folder = os.environ.get("LLMFAST_DATA")
    if not folder:
        pytest.skip("LLMFAST_DATA is not set: it names the folder of the evaluation data")
    return Path(folder)
