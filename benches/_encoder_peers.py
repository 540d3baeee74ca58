"""With whom the encoder bench compares: sentence-transformers, and onnxruntime in f32 and int8.

Each in its best setting for one thread, from a text to a vector of length 1. onnxruntime runs the same weights:
exported by torch, fused by onnxruntime's own optimiser for BERT, quantised by its `quantize_dynamic`; the mean and the
division by the length are part of the graph.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import _machine
from _encoder_probe import BATCH
from _vectors import CACHE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from _harness import Bench

    Rows = NDArray[np.float32]

MAX_TOKENS, HEADS, HIDDEN = 256, 12, 384
TORCH, ORT_F32, ORT_INT8 = "sentence-transformers", "onnxruntime f32", "onnxruntime int8"


@dataclass(frozen=True)
class Contestant:
    """Encodes one text, and up to BATCH of them at once."""

    one: Callable[[str], Any]
    many: Callable[[list[str]], Rows]


@dataclass(frozen=True)
class Peers:
    """The libraries to compare with, and what turns text into the ids that the reference reads."""

    contestants: dict[str, Contestant]
    token_ids: Callable[[str], list[int]]

    @classmethod
    def load(cls, bench: Bench, folder: Path) -> Peers:
        """Import all and open the model in `folder` with each, or exit 2."""
        # onnxruntime first: the interpreter does not survive the other order with every library.
        onnxruntime = bench.need_module("onnxruntime")
        for module in ("onnx", "tokenizers"):
            bench.need_module(module)
        model = sentence_transformer(bench, folder)
        onnx = {ORT_F32: exported(folder), ORT_INT8: quantised(folder)}
        peers = {TORCH: Contestant(model.encode, functools.partial(encode_batch, model))}
        peers |= {name: OnnxModel(onnxruntime, path, folder).contestant() for name, path in onnx.items()}
        return cls(peers, functools.partial(reference_ids, model.tokenizer))


# ---- sentence-transformers -------------------------------------------------------------------------------------------


def sentence_transformer(bench: Bench, folder: Path) -> Any:
    """Return sentence-transformers' model from the folder of ours, on one thread."""
    library = bench.need_module("sentence_transformers")
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    model = library.SentenceTransformer(str(folder), device="cpu")
    if model.max_seq_length != MAX_TOKENS:
        raise AssertionError(f"expected the reference to read {MAX_TOKENS} tokens, it reads {model.max_seq_length}")
    return model


def encode_batch(model: Any, texts: list[str]) -> Rows:
    return model.encode(texts, batch_size=BATCH, show_progress_bar=False)


def reference_ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, truncation=True, max_length=MAX_TOKENS)["input_ids"])


# ---- onnxruntime -----------------------------------------------------------------------------------------------------


class OnnxModel:
    """A session of one thread, and the tokenizer that sentence-transformers uses too, called without its wrapper."""

    def __init__(self, onnxruntime: Any, path: Path, folder: Path) -> None:
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()

    def contestant(self) -> Contestant:
        return Contestant(lambda text: self.many([text])[0], self.many)

    def many(self, texts: list[str]) -> Rows:
        read = self.tokenizer.encode_batch_fast(texts)
        ids = np.array([one.ids for one in read], dtype=np.int64)
        mask = np.array([one.attention_mask for one in read], dtype=np.int64)
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def exported(folder: Path) -> Path:
    """Return the path of the model as a graph in f32, made on first use."""
    path = onnx_path(folder, "f32")
    if not path.exists():
        plain = onnx_path(folder, "plain")
        export(folder, plain)
        fuse(plain, path)
        plain.unlink()
    return path


def quantised(folder: Path) -> Path:
    """Return the path of the model as a graph with int8 weights, made on first use."""
    path = onnx_path(folder, "int8")
    if not path.exists():
        from onnx import TensorProto
        from onnxruntime.quantization import QuantType, quantize_dynamic

        # The quantiser does not know the types of fused operations. QInt8 is the fastest of its settings; one scale a
        # channel costs no time and gives the better vectors.
        options = {"DefaultTensorType": TensorProto.FLOAT}
        quantize_dynamic(exported(folder), path, weight_type=QuantType.QInt8, per_channel=True, extra_options=options)
    return path


def onnx_path(folder: Path, what: str) -> Path:
    """Return where a graph of this model lies that these versions make."""
    made_by = ",".join(_machine.version(name) for name in ("torch", "transformers", "onnx", "onnxruntime"))
    content = (folder / "model.safetensors").read_bytes() + made_by.encode()
    return CACHE / f"minilm-{hashlib.sha256(content).hexdigest()[:16]}-{what}.onnx"


def export(folder: Path, path: Path) -> None:
    """Write tokens to vector as a graph: the model, the mean over the tokens, the division by the length."""
    import torch
    from transformers import AutoModel

    class Sentence(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = AutoModel.from_pretrained(str(folder), attn_implementation="eager", add_pooling_layer=False)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            rows = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(rows.dtype)
            return torch.nn.functional.normalize((rows * mask).sum(1) / mask.sum(1), dim=1)

    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["input_ids", "attention_mask"]
    sample = torch.ones(2, 8, dtype=torch.int64)
    torch.onnx.export(
        Sentence().eval(),
        (sample, sample),
        str(path),
        input_names=names,
        output_names=["vector"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names} | {"vector": {0: "texts"}},
        dynamo=False,
    )


def fuse(plain: Path, path: Path) -> None:
    """Write the graph with attention, GELU and layer norms as one operation each, as onnxruntime advises for BERT."""
    from onnxruntime.transformers.optimizer import optimize_model

    optimize_model(str(plain), model_type="bert", num_heads=HEADS, hidden_size=HIDDEN).save_model_to_file(str(path))
