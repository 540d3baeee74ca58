"""Every public name tells what it is at runtime, and what the extension says there is what its stub says."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import llmfast
from llmfast import _llmfast

if TYPE_CHECKING:
    from collections.abc import Iterator

STUB = ast.parse(Path(_llmfast.__file__).with_name("_llmfast.pyi").read_text(encoding="utf-8"))
STUB_CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}

NAMES = [name for name in llmfast.__all__ if name not in ("PUBLIC", "__version__")]
CLASSES = [name for name in NAMES if inspect.isclass(getattr(llmfast, name))]
# Public classes of the extension, and what public classes derive from.
NATIVE = [*sorted(set(CLASSES) & set(STUB_CLASSES)), "BertEncoderCore"]


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class with those that it inherits from classes of ours."""
    for base in kind.__mro__:
        if base.__module__.startswith("llmfast"):
            for name, value in vars(base).items():
                # A field that is stored in a slot is told of where the class is.
                if not name.startswith("_") and not inspect.ismemberdescriptor(value) and describes(value):
                    yield name, value


def describes(value: Any) -> bool:
    return (
        callable(value) or isinstance(value, (property, staticmethod, classmethod)) or inspect.isdatadescriptor(value)
    )


def paragraphs(text: str | None) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text or "").split("\n\n")]


def stub_docstrings(name: str) -> dict[str, str | None]:
    """Return the docstring of each public method and property in the stub of a class, and of the class as ""."""
    found: dict[str, str | None] = {"": ast.get_docstring(STUB_CLASSES[name])}
    for node in STUB_CLASSES[name].body:
        # The first of several overloads speaks for all.
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found.setdefault(node.name, ast.get_docstring(node))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_docstring_of_its_own(name):
    public = getattr(llmfast, name)
    assert (vars(public) if inspect.isclass(public) else {"__doc__": public.__doc__}).get("__doc__")


@pytest.mark.parametrize("name", CLASSES)
def test_public_methods_have_docstrings(name):
    assert [member for member, value in members(getattr(llmfast, name)) if not value.__doc__] == []


@pytest.mark.parametrize("name", NATIVE)
def test_the_stub_has_docstrings(name):
    assert [member for member, text in stub_docstrings(name).items() if not text] == []


@pytest.mark.parametrize("name", NATIVE)
def test_the_extension_says_what_its_stub_says(name):
    kind = getattr(_llmfast, name)
    for member, text in stub_docstrings(name).items():
        said = paragraphs((getattr(kind, member) if member else kind).__doc__)
        promised = paragraphs(text)
        assert said[0] == promised[0], member
        assert [paragraph for paragraph in said if paragraph not in promised] == [], member


def test_the_fast_methods_of_a_cache_are_described_like_the_others():
    signature = inspect.signature(llmfast.LruCache.insert)
    assert list(signature.parameters) == ["self", "key", "value", "time_to_live", "weight"]
    assert signature.parameters["weight"].kind is inspect.Parameter.KEYWORD_ONLY
    assert list(inspect.signature(llmfast.LruCache.get).parameters) == ["self", "key", "default"]
    assert list(inspect.signature(llmfast.LruCache).parameters) == ["capacity", "max_bytes", "time_to_live", "policy"]
