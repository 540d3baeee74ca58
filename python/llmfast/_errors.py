"""Errors.

LlmfastError
 ├── ConfigError (ValueError)             a parameter is outside what is accepted
 │    └── ScopeRequiredError              require_scope=True, and the call names no scope
 ├── DimensionMismatchError (ValueError)  a vector has another number of dimensions
 ├── InvalidVectorError (ValueError)      a vector holds NaN or infinity, or is all zeros
 ├── DuplicateIdError (ValueError)        an id is in the index already
 ├── UnknownIdError (KeyError)            an id is not in the index
 ├── InvalidTextError (ValueError)        a text is not valid Unicode
 ├── TextTooLongError (ValueError)        a text has more tokens than the encoder reads
 ├── EncoderNotFoundError (FileNotFoundError)
 ├── MissingPackageError (ImportError)    a library that an adapter needs is not installed
 ├── CorruptFileError (ValueError)        a file of ours or of a model is damaged
 ├── UnsupportedModelError (ValueError)   a model that the encoder does not compute
 ├── CorruptRowError (ValueError)         a stored row is damaged or forged
 ├── LedgerError (ValueError)             an amount that does not fit
 ├── OutOfMemoryError (MemoryError)       no memory for what was asked
 ├── UnknownPriceError (LookupError)      a model without a price
 ├── EmptyLogError (ValueError)           a log without a single request
 ├── OverloadedError (RuntimeError)       a queue is full
 ├── ItemTooLargeError (ValueError)       an item is larger than any batch may be
 ├── DeadlineError (TimeoutError)         an item would miss its deadline, or has missed it
 ├── BatchSizeError (RuntimeError)        a batch function returned another number of results than it got items
 ├── UntriedItemError (RuntimeError)      a batch failed, and this item of it was not tried alone
 ├── NestedBatchError (RuntimeError)      a batch function calls itself, and no worker is left for that
 └── ClosedError (RuntimeError)           used after close()
"""

from __future__ import annotations


class LlmfastError(Exception):
    """Root of every error that llmfast raises on purpose."""


class ConfigError(LlmfastError, ValueError):
    """A parameter is outside what is accepted."""


class ScopeRequiredError(ConfigError):
    """The cache was made with `require_scope=True`, and the call names no scope."""


class DimensionMismatchError(LlmfastError, ValueError):
    """A vector has another number of dimensions than the index or encoder."""


class InvalidVectorError(LlmfastError, ValueError):
    """A vector holds NaN or infinity, or is all zeros."""


class DuplicateIdError(LlmfastError, ValueError):
    """An id is in the index already."""


class UnknownIdError(LlmfastError, KeyError):
    """An id is not in the index."""

    def __str__(self) -> str:
        """Return the message without the quotes that KeyError puts around it."""
        return str(self.args[0]) if self.args else ""


class InvalidTextError(LlmfastError, ValueError):
    """A text is not valid Unicode."""


class TextTooLongError(LlmfastError, ValueError):
    """A text has more tokens than the encoder reads."""


class EncoderNotFoundError(LlmfastError, FileNotFoundError):
    """The files of a model are not where they were looked for."""


class MissingPackageError(LlmfastError, ImportError):
    """A library that is needed for this alone is not installed; the message has the command that installs it."""


class CorruptFileError(LlmfastError, ValueError):
    """A file of ours or of a model is damaged."""


class UnsupportedModelError(LlmfastError, ValueError):
    """A model has an architecture that the encoder does not compute."""


class CorruptRowError(LlmfastError, ValueError):
    """A stored row is damaged or forged."""


class LedgerError(LlmfastError, ValueError):
    """An amount of money or of tokens does not fit."""


class OutOfMemoryError(LlmfastError, MemoryError):
    """The memory that an operation needs is not to be had; what was asked for was not done."""


class UnknownPriceError(LlmfastError, LookupError):
    """A model has no price in the table."""


class EmptyLogError(LlmfastError, ValueError):
    """A log holds not a single request."""


class OverloadedError(LlmfastError, RuntimeError):
    """A queue is full."""


class ItemTooLargeError(LlmfastError, ValueError):
    """An item is larger than any batch may be."""


class DeadlineError(LlmfastError, TimeoutError):
    """An item would miss its deadline, or has missed it while it waited."""


class BatchSizeError(LlmfastError, RuntimeError):
    """A batch function returned another number of results than it got items."""


class UntriedItemError(LlmfastError, RuntimeError):
    """A batch failed, so many of its items that this one was not tried alone; `__cause__` is what was raised."""


class NestedBatchError(LlmfastError, RuntimeError):
    """A batch function calls itself, or waits for its own end, and no worker is left: it would wait for ever."""


class ClosedError(LlmfastError, RuntimeError):
    """Used after `close()`."""
