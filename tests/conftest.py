"""What the tests share."""

from __future__ import annotations

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
