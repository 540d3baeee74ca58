"""Each layering rule fails when it is broken, on a tree made for that, and names the file and the line."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "scripts/check_layers.py").exists():
    pytest.skip("needs the source tree: the layering rules read it", allow_module_level=True)


@pytest.fixture(scope="module")
def layers():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        yield importlib.import_module("check_layers")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture
def tree(tmp_path):
    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def core(module: str, text: str) -> dict[str, str]:
    return {f"rust/core/src/{module}.rs": text}


def test_every_rule_is_in_the_table(layers):
    rules = {
        name
        for name, value in vars(layers).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "") == "check_layers"
        and name != "main"
    }
    assert {rule.__name__ for rule in layers.RULES} == rules


# ---- cargo tree ------------------------------------------------------------------------------------------------------


def workspace_where_core_depends_on(name: str) -> dict[str, str]:
    package = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
    return {
        "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["rust/core", "other", "free"]\n',
        "rust/core/Cargo.toml": package.format("llmfast-core")
        + f'[dependencies]\n{name} = {{ path = "../../other" }}\n',
        "rust/core/src/lib.rs": "",
        "other/Cargo.toml": package.format(name),
        "other/src/lib.rs": "",
        # In the workspace, but not among the core's dependencies.
        "free/Cargo.toml": package.format("pyo3" if name != "pyo3" else "tokio"),
        "free/src/lib.rs": "",
    }


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
@pytest.mark.parametrize("name", ["pyo3", "tokio"])
def test_core_with_python_or_a_runtime_is_found(layers, tree, name):
    broken = layers.core_stays_pure(tree(workspace_where_core_depends_on(name)))
    assert len(broken) == 1
    assert f"llmfast-core depends on {name}" in broken[0]


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_core_with_another_dependency_is_pure(layers, tree):
    assert layers.core_stays_pure(tree(workspace_where_core_depends_on("plain"))) == []


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_a_tree_that_cargo_cannot_read_is_no_pass(layers, tree):
    with pytest.raises(SystemExit, match="cargo tree failed"):
        layers.core_stays_pure(tree({"Cargo.toml": "[workspace]\nmembers = ['gone']\n"}))


# ---- imports inside core ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "text", "imported"),
    [
        ("kernel/avx2", "use crate::index::FlatIndex;", "index::FlatIndex"),
        ("error", "use crate::sync::Mutex;", "sync::Mutex"),
        ("cache", "use crate::{error::Error, index, sync::lock};", "index"),
        ("cache/table", "fn f() { crate::router::route(); }", "router::route"),
        ("cache/table", "use super::super::encoder::MiniLm;", "encoder::MiniLm"),
        ("router", "use super::cache::LruCache as Cache;", "cache::LruCache"),
        ("router", "mod tests { use super::super::cache::LruCache; }", "cache::LruCache"),
        ("router", "use crate::row::{self, Usage};", "row::self"),
        ("ledger", "use crate::*;", ""),
        ("kernel", "use crate::row::Usage;", "row::Usage"),
        ("index", "use crate::{kernel::{Kernel, dot}, error, request::{Request}};", "request::Request"),
    ],
)
def test_a_core_module_that_knows_its_neighbour_is_found(layers, tree, module, text, imported):
    broken = layers.core_imports(tree(core(module, f"//! Words.\n\n{text}\n")))
    assert broken == [f"rust/core/src/{module}.rs:3: `{module.split('/')[0]}` imports crate::{imported}"]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("lib", "pub use crate::cache::LruCache; use crate::router::Router;"),
        ("kernel/avx2", "use super::Kernel; use crate::{error::Error, sync};"),
        ("cache", "use crate::{Error, ErrorKind, Result, error, kernel, sync::{Mutex, lock}};"),
        ("cache/table", "use super::entry::Entry; use crate::cache::recency::Recency;"),
        (
            "cache",
            "mod tests { use super::*; use super::super::sync::Mutex; mod more { use super::super::LruCache; } }",
        ),
        ("ledger", "use crate::row::Usage; fn f(_: crate::row::Usage) {}"),
        ("encoder/weights", "use crate::map::Map; use crate::kernel::dot;"),
        ("router", '// crate::cache::LruCache\n/* crate::cache */ const TEXT: &str = "use crate::cache::LruCache;";'),
        ("router", 'const C: char = \'"\'; const D: &str = r#"crate::cache "quoted""#; fn f<\'a>(x: &\'a str) {}'),
    ],
)
def test_a_core_module_may_import_the_foundation_itself_and_plain_data(layers, tree, module, text):
    assert layers.core_imports(tree(core(module, text))) == []


def test_a_module_without_a_line_in_the_table_is_found(layers, tree):
    (problem,) = layers.core_imports(tree(core("novelty", "")))
    assert "`novelty` is not in CORE_IMPORTS" in problem


@pytest.mark.parametrize(
    "text",
    ["use std::sync::Arc;", "use std::{fmt, sync::atomic::AtomicU64};", "fn f() { ::std::sync::Mutex::new(()); }"],
)
def test_core_that_synchronises_past_sync_is_found(layers, tree, text):
    files = core("cache", f"\n{text}\n") | core("sync", "pub(crate) use std::sync::Mutex;")
    (problem,) = layers.core_synchronises_through_sync(tree(files))
    assert problem.startswith("rust/core/src/cache.rs:2: std::sync")


def test_core_that_synchronises_through_sync_passes(layers, tree):
    files = core("cache", "use crate::sync::Mutex; use std::fmt; // std::sync::Arc\n") | core(
        "sync", "use std::sync::Arc;"
    )
    assert layers.core_synchronises_through_sync(tree(files)) == []


# ---- unsafe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rust/core/src/cache.rs", "fn f() { unsafe { g() } }"),
        ("rust/core/src/cache/list.rs", "#![allow(unsafe_code)]"),
        ("rust/core/src/map/more.rs", "unsafe fn f() {}"),
        ("rust/runtime/src/lib.rs", "#![expect(clippy::pedantic, unsafe_code)]"),
        ("rust/python/src/cache.rs", "unsafe impl Send for X {}"),
    ],
)
def test_unsafe_outside_its_files_is_found(layers, tree, file, text):
    assert layers.unsafe_stays_in_its_files(tree({file: f"//! unsafe\n{text}\n"})) == [f"{file}:2: unsafe code"]


@pytest.mark.parametrize(
    "file",
    [
        "rust/core/src/cache/table.rs",
        "rust/core/src/kernel/avx2.rs",
        "rust/core/src/kernel/avx2/matmul.rs",
        "rust/core/src/map.rs",
        "rust/python/src/support/values.rs",
    ],
)
def test_unsafe_in_its_files_passes(layers, tree, file):
    assert layers.unsafe_stays_in_its_files(tree({file: "#![allow(unsafe_code)]\nfn f() { unsafe { g() } }"})) == []


def test_words_about_unsafe_are_no_unsafe_code(layers, tree):
    text = '#![forbid(unsafe_code)]\n// unsafe { }\nconst WORD: &str = "unsafe";\n'
    assert layers.unsafe_stays_in_its_files(tree(core("router", text))) == []


# ---- bindings --------------------------------------------------------------------------------------------------------


def function_of(lines: int) -> str:
    return "fn f<T: Into<[u8; 4]>>(a: T) -> Vec<u8>\nwhere\n    T: Copy,\n{\n" + "    g();\n" * lines + "}\n"


def test_a_long_body_in_a_binding_is_found(layers, tree):
    root = tree({"rust/python/src/cache.rs": "//! Words.\nfn h();\n" + function_of(11)})
    assert layers.bindings_hold_no_logic(root) == ["rust/python/src/cache.rs:3: `f` has 11 lines, at most 10"]


def test_a_long_binding_file_is_found(layers, tree):
    root = tree({"rust/python/src/cache.rs": "// words\n" * 151})
    assert layers.bindings_hold_no_logic(root) == ["rust/python/src/cache.rs: 151 lines, at most 150"]


def test_short_bindings_and_support_pass(layers, tree):
    short = function_of(10) * 2 + "// words\n" * 100 + "    /// Words that Python shows.\n" * 100
    long = function_of(200)
    assert (
        layers.bindings_hold_no_logic(
            tree({"rust/python/src/cache.rs": short, "rust/python/src/support/values.rs": long})
        )
        == []
    )


# ---- Python ----------------------------------------------------------------------------------------------------------

INIT = '''"""Words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._errors import LlmfastError

_MODULE_OF = {"LlmfastError": "_errors"}

__all__ = ["LlmfastError"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Words."""


def __dir__() -> list[str]:
    """Words."""
'''


@pytest.mark.parametrize(
    "line",
    [
        "import asyncio",
        "from ._errors import LlmfastError",
        "VERSION = '1'",
        "def helper(): ...",
        "print('hello')",
        "def __getattr__(name): ...",
        "if not TYPE_CHECKING: import asyncio",
    ],
)
def test_anything_else_in_init_is_found(layers, tree, line):
    (problem,) = layers.init_is_a_table(tree({"python/llmfast/__init__.py": INIT + line + "\n"}))
    assert problem.startswith(f"python/llmfast/__init__.py:{len(INIT.splitlines()) + 1}: ")


@pytest.mark.parametrize("imports", ["from typing import TYPE_CHECKING, Any", "TYPE_CHECKING = False"])
def test_the_lazy_table_passes(layers, tree, imports):
    text = INIT.replace("from typing import TYPE_CHECKING, Any", imports)
    assert layers.init_is_a_table(tree({"python/llmfast/__init__.py": text})) == []


def test_a_public_module_is_found(layers, tree):
    root = tree(
        {
            f"python/llmfast/{name}": ""
            for name in ("__init__.py", "__main__.py", "_cache.py", "_cli/main.py", "cache.py")
        }
    )
    assert layers.modules_are_private(root) == ["python/llmfast/cache.py: a module's name begins with _"]


# ---- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "see /wor" + "k/main",
        "../sha" + "red/data",
        "https://pyp" + "i.org/simple",
        "crates" + ".io",
        "files.python" + "hosted.org",
    ],
)
def test_a_machine_or_a_registry_in_the_text_is_found(layers, tree, text):
    (problem,) = layers.text_names_no_machine(tree({"docs/page.md": f"fine\n{text}\n"}))
    assert problem.startswith("docs/page.md:2: names `")


def test_what_the_runner_and_the_lock_file_must_name_passes(layers, tree):
    files = {
        ".ci/run": "data=$PWD/../sha" + "red/data",
        "Cargo.lock": 'source = "registry+https://github.com/rust-lang/crates.i' + 'o-index"',
        "README.md": "a network/worker shared by threads; examples/work/one.py",
    }
    assert layers.text_names_no_machine(tree(files)) == []


# ---- this tree -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        "core_imports",
        "core_synchronises_through_sync",
        "unsafe_stays_in_its_files",
        "bindings_hold_no_logic",
        "init_is_a_table",
        "modules_are_private",
        "text_names_no_machine",
    ],
)
def test_this_tree_keeps_the_rules(layers, rule):
    assert getattr(layers, rule)(ROOT) == []
