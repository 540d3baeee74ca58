"""Cuts the cost and latency of LLM calls: semantic cache, router, batcher, ledger.

Names are imported on first use, so that `import llmfast` costs next to nothing.
"""

from __future__ import annotations

# What `typing` would say; importing it takes longer than all the rest.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._adapters import (
        CallableEncoder as CallableEncoder,
        SentenceTransformerEncoder as SentenceTransformerEncoder,
    )
    from ._batch import (
        Batched as Batched,
        BatchStats as BatchStats,
        Histogram as Histogram,
        batch as batch,
    )
    from ._cache import (
        Cache as Cache,
    )
    from ._cost import (
        MonthlyCost as MonthlyCost,
        calculate_monthly_cost as calculate_monthly_cost,
    )
    from ._counts import (
        TierStats as TierStats,
    )
    from ._encoder import (
        BertEncoder as BertEncoder,
        Encoder as Encoder,
        MiniLM as MiniLM,
    )
    from ._engine import (
        Engine as Engine,
    )
    from ._errors import (
        BatchSizeError as BatchSizeError,
        ClosedError as ClosedError,
        ConfigError as ConfigError,
        CorruptFileError as CorruptFileError,
        CorruptRowError as CorruptRowError,
        DeadlineError as DeadlineError,
        DimensionMismatchError as DimensionMismatchError,
        DuplicateIdError as DuplicateIdError,
        EmptyLogError as EmptyLogError,
        EncoderNotFoundError as EncoderNotFoundError,
        InvalidTextError as InvalidTextError,
        InvalidVectorError as InvalidVectorError,
        ItemTooLargeError as ItemTooLargeError,
        LedgerError as LedgerError,
        LlmfastError as LlmfastError,
        MissingPackageError as MissingPackageError,
        NestedBatchError as NestedBatchError,
        OutOfMemoryError as OutOfMemoryError,
        OverloadedError as OverloadedError,
        ScopeRequiredError as ScopeRequiredError,
        TextTooLongError as TextTooLongError,
        UnknownIdError as UnknownIdError,
        UnknownPriceError as UnknownPriceError,
        UnsupportedModelError as UnsupportedModelError,
        UntriedItemError as UntriedItemError,
    )
    from ._ledger import (
        Ledger as Ledger,
        Summary as Summary,
        Totals as Totals,
    )
    from ._llmfast import (
        PUBLIC as PUBLIC,
        CacheStats as CacheStats,
        FlatIndex as FlatIndex,
        Hit as Hit,
        HnswIndex as HnswIndex,
        LruCache as LruCache,
        __version__ as __version__,
    )
    from ._policy import (
        CachePolicy as CachePolicy,
    )
    from ._prices import (
        Price as Price,
        Prices as Prices,
    )
    from ._request import (
        Ask as Ask,
        Scope as Scope,
    )
    from ._router import (
        Decision as Decision,
        Router as Router,
        Signal as Signal,
    )
    from ._stream import (
        Stream as Stream,
    )
    from ._types import (
        Answer as Answer,
        Explanation as Explanation,
        Neighbour as Neighbour,
        Reply as Reply,
        Usage as Usage,
    )

_MODULE_OF = {
    "Answer": "_types",
    "Ask": "_request",
    "BatchSizeError": "_errors",
    "BatchStats": "_batch",
    "Batched": "_batch",
    "BertEncoder": "_encoder",
    "Cache": "_cache",
    "CachePolicy": "_policy",
    "CacheStats": "_llmfast",
    "CallableEncoder": "_adapters",
    "ClosedError": "_errors",
    "ConfigError": "_errors",
    "CorruptFileError": "_errors",
    "CorruptRowError": "_errors",
    "DeadlineError": "_errors",
    "Decision": "_router",
    "DimensionMismatchError": "_errors",
    "DuplicateIdError": "_errors",
    "EmptyLogError": "_errors",
    "Encoder": "_encoder",
    "EncoderNotFoundError": "_errors",
    "Engine": "_engine",
    "Explanation": "_types",
    "FlatIndex": "_llmfast",
    "Histogram": "_batch",
    "Hit": "_llmfast",
    "HnswIndex": "_llmfast",
    "InvalidTextError": "_errors",
    "InvalidVectorError": "_errors",
    "ItemTooLargeError": "_errors",
    "Ledger": "_ledger",
    "LedgerError": "_errors",
    "LlmfastError": "_errors",
    "LruCache": "_llmfast",
    "MiniLM": "_encoder",
    "MissingPackageError": "_errors",
    "NestedBatchError": "_errors",
    "MonthlyCost": "_cost",
    "Neighbour": "_types",
    "OutOfMemoryError": "_errors",
    "OverloadedError": "_errors",
    "PUBLIC": "_request",
    "Price": "_prices",
    "Prices": "_prices",
    "Reply": "_types",
    "Router": "_router",
    "Scope": "_request",
    "ScopeRequiredError": "_errors",
    "SentenceTransformerEncoder": "_adapters",
    "Signal": "_router",
    "Stream": "_stream",
    "Summary": "_ledger",
    "TextTooLongError": "_errors",
    "TierStats": "_counts",
    "Totals": "_ledger",
    "UnknownIdError": "_errors",
    "UnknownPriceError": "_errors",
    "UnsupportedModelError": "_errors",
    "UntriedItemError": "_errors",
    "Usage": "_types",
    "__version__": "_llmfast",
    "batch": "_batch",
    "calculate_monthly_cost": "_cost",
}

__all__ = [
    "PUBLIC",
    "Answer",
    "Ask",
    "BatchSizeError",
    "BatchStats",
    "Batched",
    "BertEncoder",
    "Cache",
    "CachePolicy",
    "CacheStats",
    "CallableEncoder",
    "ClosedError",
    "ConfigError",
    "CorruptFileError",
    "CorruptRowError",
    "DeadlineError",
    "Decision",
    "DimensionMismatchError",
    "DuplicateIdError",
    "EmptyLogError",
    "Encoder",
    "EncoderNotFoundError",
    "Engine",
    "Explanation",
    "FlatIndex",
    "Histogram",
    "Hit",
    "HnswIndex",
    "InvalidTextError",
    "InvalidVectorError",
    "ItemTooLargeError",
    "Ledger",
    "LedgerError",
    "LlmfastError",
    "LruCache",
    "MiniLM",
    "MissingPackageError",
    "MonthlyCost",
    "Neighbour",
    "NestedBatchError",
    "OutOfMemoryError",
    "OverloadedError",
    "Price",
    "Prices",
    "Reply",
    "Router",
    "Scope",
    "ScopeRequiredError",
    "SentenceTransformerEncoder",
    "Signal",
    "Stream",
    "Summary",
    "TextTooLongError",
    "TierStats",
    "Totals",
    "UnknownIdError",
    "UnknownPriceError",
    "UnsupportedModelError",
    "UntriedItemError",
    "Usage",
    "__version__",
    "batch",
    "calculate_monthly_cost",
]


if not TYPE_CHECKING:
    # Seen by a type checker it would make every misspelt name one of ours.
    def __getattr__(name: str) -> object:
        """Import `name` from the module that defines it, on first use."""
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
        return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
