"""Encoders made of what others provide: models of sentence-transformers, and functions such as a call of an API."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._arguments import MAX_DIM, between, refuse, word
from ._batch import Batched
from ._drivers import is_async, loop_is_running
from ._encoder import checked
from ._errors import ConfigError, MissingPackageError
from ._forks import new_lock
from ._loop_thread import LoopThread
from ._loops import runs_in

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

_LIBRARY = "sentence-transformers"


class CallableEncoder:
    """An encoder that asks a function: an API, a server, a model of another library.

    `function` gets a list of texts and returns as many vectors of `dim` numbers, as a matrix or a list. Name and
    version say what it computes: give another `version` when its vectors change, for vectors under one `fingerprint`
    are compared. `max_tokens` is how many tokens it reads of a text, if that is known; much longer texts are not
    compared by meaning.

    A function declared with `async def`, or a method or partial of one, is awaited on the event loop of whoever asks
    the cache; one that `batch` has made gets its lists in batches. `encode`, and with it `get_or_generate_sync`, awaits
    it on one loop in a thread of this encoder's own. Under an event loop all other functions share the one thread that
    the cache encodes in: what waits for a network should be async. Set a time limit inside the function, for a request
    waits for its vector.

    `encode` and `encode_async` return float32 vectors of length 1. They raise BatchSizeError for another number of
    vectors, DimensionMismatchError for another number of components, InvalidVectorError for NaN, infinity, zeros alone
    and what is not numbers. Inside a cache such an error costs the hit, never the call.

    Raises ConfigError for what cannot be called, a `dim` that is not 1 to 4,096, `max_tokens` below 1, no name, and a
    name or version that is no text.
    """

    def __init__(
        self,
        function: Callable[[list[str]], Any] | Batched[str, Any],
        *,
        dim: int,
        name: str,
        version: str = "",
        max_tokens: int | None = None,
    ) -> None:
        if not callable(function):
            raise ConfigError(f"expected a function of a list of texts, got {type(function).__name__}")
        dim = between("dim", dim, 1, MAX_DIM)
        if not name:
            raise ConfigError("an encoder needs the name of what computes its vectors: they are compared under it")
        name, version = word("name", name), word("version", version)
        if max_tokens is not None:
            max_tokens = between("max_tokens", max_tokens, 1)
        self._function: Callable[[list[str]], Any] = function.map if isinstance(function, Batched) else function
        self._name = name
        self._loop = LoopThread()
        self.dim = dim
        self.max_tokens = max_tokens
        self.fingerprint = _digest(["llmfast callable 1", name, version, str(dim)])
        #: Whether a cache awaits `encode_async` on its caller's loop instead of calling `encode` beside it.
        self.is_async = is_async(self._function)

    def encode(self, texts: list[str], /) -> NDArray[np.float32]:
        """Return the vectors of these texts, shape (len(texts), dim).

        Raises RuntimeError for an async function where an event loop is running: await `encode_async` there.
        Raises ConfigError for what is no list of texts.
        """
        texts = _listed(texts)
        if not texts:
            return checked([], 0, self.dim)
        try:
            found = self._asked(texts)
        except GeneratorExit as error:
            raise _ended(error) from error
        return checked(found, len(texts), self.dim)

    def _asked(self, texts: list[str]) -> Any:
        found = self._function(texts)
        if inspect.isawaitable(found):
            if loop_is_running():
                if inspect.iscoroutine(found):
                    found.close()
                raise RuntimeError("encode would stop the event loop of this thread: await encode_async instead")
            return self._loop.wait(found)
        return found

    async def encode_async(self, texts: list[str], /) -> NDArray[np.float32]:
        """Return the vectors of these texts, shape (len(texts), dim), without stopping the event loop."""
        import asyncio

        texts = _listed(texts)
        if texts and self.is_async:
            task = asyncio.current_task()
            try:
                found = await self._function(texts)
            except GeneratorExit as error:
                if not runs_in(task):
                    # The loop has gone.
                    raise
                raise _ended(error) from error
            return checked(found, len(texts), self.dim)
        return await asyncio.to_thread(self.encode, texts)

    def __repr__(self) -> str:
        return f"CallableEncoder({self._name!r}, dim={self.dim})"


class SentenceTransformerEncoder:
    """An encoder that is any model of the library sentence-transformers.

    `model` is a name, a folder, or a `SentenceTransformer` that is loaded already; `options` go to the library's
    constructor (`device`, `revision`, `truncate_dim`, `trust_remote_code`, …). `prompt` stands before every text, where
    the model was trained with one; without it the model's default prompt does. `encode` returns float32 vectors of
    length 1, also of a model that does not normalise. Many threads may encode; they take turns.

    The fingerprint comes from the weights, the tokenizer and the configuration, which are read once (a second for each
    gigabyte or so); do not change the model afterwards. For `all-MiniLM-L6-v2` itself `MiniLM` is faster.

    Raises MissingPackageError where the library is not installed; ConfigError for options beside a loaded model, and
    for a model whose weights torch does not hold (another backend) or whose vectors have no fixed size.
    """

    def __init__(
        self, model: str | os.PathLike[str] | Any, *, prompt: str | None = None, batch_size: int = 32, **options: Any
    ) -> None:
        library = _sentence_transformers()
        batch_size = between("batch_size", batch_size, 1)
        if isinstance(model, library.SentenceTransformer):
            if options:
                raise ConfigError(f"a loaded model takes no options, got {', '.join(sorted(options))}")
            self._model: Any = model
        else:
            self._model = library.SentenceTransformer(str(model), **options)
        dim = _dimensions(self._model)
        if dim is None:
            raise ConfigError("the model does not say how many dimensions its vectors have")
        self._prompt = _prompt(self._model) if prompt is None else prompt
        self._batch_size = batch_size
        # The tokenizer fails when two threads set its truncation at a time.
        self._lock = new_lock()
        self.dim = int(dim)
        self.fingerprint = _digest(_identity(self._model, self._prompt))

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are read, those of the prompt included; None where the model has no limit."""
        limit = getattr(self._model, "max_seq_length", None)
        return None if limit is None or math.isinf(limit) else int(limit)

    def encode(self, texts: list[str], /) -> NDArray[np.float32]:
        """Return the vectors of these texts, shape (len(texts), dim), each of length 1.

        Raises ConfigError for what is no list of texts.
        """
        texts = _listed(texts)
        with self._lock:
            found = self._model.encode(
                texts,
                prompt=self._prompt,
                batch_size=self._batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        return checked(found, len(texts), self.dim)

    def unread(self, text: str) -> str | None:
        """Return why a text may get the vector of another text that it is not; None if the whole text is read.

        That is so of a text of more tokens than are read, or with words that the tokenizer does not know. None also
        where the model's tokenizer cannot be asked.
        """
        tokenizer: Any = getattr(self._model, "tokenizer", None)
        if not hasattr(tokenizer, "unk_token_id"):
            return None
        with self._lock:
            ids = tokenizer(self._prompt + text, truncation=False, verbose=False)["input_ids"]
        limit, unknown = self.max_tokens, tokenizer.unk_token_id
        if limit is not None and len(ids) > limit:
            return f"the text has {len(ids)} tokens, and the encoder reads {limit}"
        count = 0 if unknown is None else ids.count(unknown)
        return f"the text has {count} words or signs that the encoder does not know" if count else None

    def __repr__(self) -> str:
        return f"SentenceTransformerEncoder({self._model.__class__.__name__}, dim={self.dim})"


def _sentence_transformers() -> Any:
    try:
        import sentence_transformers
    except ImportError as error:
        raise MissingPackageError(
            f"{_LIBRARY} cannot be imported ({error}): pip install {_LIBRARY}", name=_LIBRARY
        ) from error
    return sentence_transformers


def _dimensions(model: Any) -> int | None:
    """Return how many components a model's vectors have; the method has another name since version 6."""
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    found: int | None = ask()
    return found


def _prompt(model: Any) -> str:
    """Return the prompt that a model puts before a text when it is not told another."""
    name = getattr(model, "default_prompt_name", None)
    return "" if name is None else str(model.prompts[name])


def _identity(model: Any, prompt: str) -> Iterable[str | bytes | memoryview]:
    """Yield everything that decides what the vectors of a model are."""
    yield "llmfast sentence-transformers 1"
    # The modules with their settings: layers, pooling, normalisation, the length that texts are cut to.
    yield repr(model)
    for module in model:
        for settings in (getattr(module, "config", None), getattr(getattr(module, "auto_model", None), "config", None)):
            yield _settings(settings)
    yield json.dumps([prompt, getattr(model, "max_seq_length", None), getattr(model, "truncate_dim", None)])
    yield _tokenizer(getattr(model, "tokenizer", None))
    weights = model.state_dict()
    if not weights:
        raise ConfigError("torch does not hold the weights of this model: wrap its encode in a CallableEncoder instead")
    for name, tensor in sorted(weights.items()):
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}"
        yield _bytes(tensor)


def _settings(config: Any) -> str:
    """Return a configuration as text, without where it was loaded from and by which version."""
    if config is None:
        return ""
    values = dict(config if isinstance(config, dict) else config.to_dict())
    for name in ("_name_or_path", "transformers_version"):
        values.pop(name, None)
    return json.dumps(values, sort_keys=True, default=repr)


def _tokenizer(tokenizer: Any) -> str:
    inner = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if hasattr(inner, "to_str"):
        # Truncation and padding are set by each call, and so are no part of what the tokenizer is.
        values = json.loads(inner.to_str())
        return json.dumps({**values, "truncation": None, "padding": None}, sort_keys=True)
    if hasattr(tokenizer, "get_vocab"):
        return json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return ""


def _bytes(tensor: Any) -> memoryview:
    """Return the bytes of a tensor of any type."""
    import torch

    return memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())


def _digest(parts: Iterable[str | bytes | memoryview]) -> str:
    """Return a hash of parts, none of which can pass for two others."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()


def _listed(texts: Any) -> list[str]:
    """Return texts as a list of our own; ConfigError for what is none, such as a single text."""
    if isinstance(texts, str | bytes | Mapping) or not (hasattr(texts, "__len__") and hasattr(texts, "__getitem__")):
        raise refuse("texts", texts, "a list of texts")
    listed = list(texts)
    for text in listed:
        if not isinstance(text, str):
            raise refuse("texts", text, "a list of texts (str)")
    return listed


def _ended(error: GeneratorExit) -> RuntimeError:
    """Return what stands for it: it would end whoever asks, as if nobody waited any more."""
    return RuntimeError(f"the function of an encoder let out {type(error).__name__}")
