"""`import llmfast` costs next to nothing, its names resolve, and its errors are all real."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import llmfast
from llmfast import _errors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(llmfast.__file__).resolve().parent

needs_source = pytest.mark.skipif(
    not (ROOT / "rust/core/src/error.rs").exists(), reason="needs the source tree: it reads the Rust sources"
)


def in_a_fresh_interpreter(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- the import ------------------------------------------------------------------------------------------------------

IMPORTED = """
import sys
before = set(sys.modules)
import llmfast
import json
print(json.dumps(sorted(set(sys.modules) - before - {name for name in sys.modules if name.split(".")[0] == "json"})))
"""


@pytest.fixture(scope="module")
def imported() -> list[str]:
    return json.loads(in_a_fresh_interpreter(IMPORTED))


def test_import_loads_only_the_standard_library_and_llmfast(imported):
    foreign = {name for name in imported if name.split(".")[0] not in {*sys.stdlib_module_names, "llmfast"}}
    assert foreign == set()


def test_import_loads_neither_asyncio_nor_the_extension_nor_a_part(imported):
    assert "llmfast" in imported
    assert [name for name in imported if name.startswith(("asyncio", "llmfast."))] == []


# ---- the names -------------------------------------------------------------------------------------------------------


def names_for_type_checkers() -> set[str]:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    return {alias.asname or alias.name for node in block.body for alias in node.names}


def test_every_public_name_resolves_and_is_remembered():
    for name in llmfast.__all__:
        value = getattr(llmfast, name)
        assert vars(llmfast)[name] is value, f"{name} is looked up again at every use"


def test_the_table_all_and_the_names_for_type_checkers_agree():
    assert sorted(llmfast._MODULE_OF) == sorted(llmfast.__all__)
    assert names_for_type_checkers() == set(llmfast.__all__)
    assert len(set(llmfast.__all__)) == len(llmfast.__all__)


def test_dir_lists_the_public_names():
    assert set(llmfast.__all__) <= set(dir(llmfast))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'llmfast' has no attribute 'LruCash'"):
        _ = llmfast.LruCash


@pytest.mark.parametrize("part", sorted({where for where in llmfast._MODULE_OF.values() if where != "_errors"}))
def test_each_part_can_be_imported_first(part):
    in_a_fresh_interpreter(f"import llmfast.{part}")


def stub_names() -> set[str]:
    tree = ast.parse((PACKAGE / "_llmfast.pyi").read_text(encoding="utf-8"))
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return set(ast.literal_eval(node.value))
    raise AssertionError("the stub has no __all__")


def test_the_stub_lists_what_the_extension_exports():
    extension = importlib.import_module("llmfast._llmfast")
    assert stub_names() == set(extension.__all__)


# ---- the errors ------------------------------------------------------------------------------------------------------


def error_classes() -> dict[str, type[Exception]]:
    return {
        name: value
        for name, value in vars(_errors).items()
        if isinstance(value, type) and issubclass(value, _errors.LlmfastError) and value is not _errors.LlmfastError
    }


def core_kinds() -> list[str]:
    text = (ROOT / "rust/core/src/error.rs").read_text(encoding="utf-8")
    body = re.search(r"pub enum ErrorKind \{(.*?)\n\}", text, re.DOTALL).group(1)
    return re.findall(r"^    (\w+),", body, re.MULTILINE)


def kind_to_class() -> dict[str, str]:
    text = (ROOT / "rust/python/src/errors.rs").read_text(encoding="utf-8")
    return dict(re.findall(r'ErrorKind::(\w+) => Some\("(\w+)"\)', text))


def raised_in_python() -> set[str]:
    names = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            # Raised, or made to be handed to somebody who raises it (a future, a result).
            call = node.exc if isinstance(node, ast.Raise) else node
            if isinstance(call, ast.Call):
                names.add(getattr(call.func, "id", getattr(call.func, "attr", "")))
    return names


def raised_in_rust() -> set[str]:
    core = [file for file in (ROOT / "rust/core/src").rglob("*.rs") if not file.stem.startswith("test")]
    made = {kind for file in core for kind in re.findall(r"ErrorKind::(\w+)", file.read_text(encoding="utf-8"))}
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "rust/python/src").rglob("*.rs"))
    mapped = kind_to_class()
    by_name = {name for name in error_classes() if name not in mapped.values() and f'"{name}"' in text}
    return {mapped[kind] for kind in made if kind in mapped} | by_name


@needs_source
def test_every_core_error_kind_maps_to_its_class():
    kinds = core_kinds()
    assert len(kinds) > 5
    # The operating system's refusals have a class in Python already: OSError.
    assert kind_to_class() == {kind: f"{kind}Error" for kind in kinds if kind != "Io"}
    assert set(kind_to_class().values()) <= set(error_classes())


@needs_source
def test_every_error_class_is_raised_somewhere():
    assert set(error_classes()) - raised_in_python() - raised_in_rust() == set()


def test_every_error_is_also_the_builtin_a_caller_would_guess():
    builtins = (
        ValueError,
        KeyError,
        LookupError,
        RuntimeError,
        TimeoutError,
        MemoryError,
        FileNotFoundError,
        ImportError,
    )
    assert [name for name, value in error_classes().items() if not issubclass(value, builtins)] == []


def test_the_tree_of_errors_in_the_docstring_is_complete():
    drawn = re.findall(r"── (\w+)", _errors.__doc__)
    assert sorted(drawn) == sorted(error_classes())


def test_every_error_is_public():
    assert set(error_classes()) | {"LlmfastError"} <= set(llmfast.__all__)
