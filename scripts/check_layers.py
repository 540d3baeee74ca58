"""Checks the directions that the parts may know each other in; exits 1 and names each file and line that breaks one.

Every rule is a function of the tree's root that returns what breaks it, so that a test can break it on purpose
(`tests/test_layers.py`). The tables here are the place to add a module or a data type.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _rust_text import external_paths, functions, paths, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _rust_text import Token

# What the core must not depend on, whatever its features.
FOREIGN_TO_CORE = ("pyo3", "tokio")

# What every module of the core may import.
FOUNDATION = frozenset({"error", "sync", "kernel"})
ROOT_NAMES = frozenset({"Error", "ErrorKind", "Result"})

# Data types without behaviour of their own that modules hand to each other: module -> names.
PLAIN_DATA: dict[str, frozenset[str]] = {
    "request": frozenset({"ExactKey", "Value"}),
    "row": frozenset({"Usage"}),
}

# Module of the core -> modules it may import. Itself, and plain data of the others, go without saying.
CORE_IMPORTS: dict[str, frozenset[str]] = {
    "error": frozenset(),
    "sync": frozenset(),
    "kernel": frozenset({"error", "sync"}),
    "map": frozenset({"error", "sync"}),
    "index": FOUNDATION | {"map"},
    "encoder": FOUNDATION | {"map"},
    **dict.fromkeys(("batch", "cache", "flight", "ledger", "request", "router", "row", "semantic"), FOUNDATION),
}
MAY_NOT_TAKE_PLAIN_DATA = frozenset({"error", "sync", "kernel", "map"})

# Where `unsafe` may stand.
UNSAFE_FILES = re.compile(
    r"rust/core/src/(cache/(table(/\w+)?|reclaim/\w+|(tests/)?home)|map|kernel/[\w/]+)\.rs"
    r"|rust/python/src/support(/\w+)?\.rs"
)

BINDING_MAX_LINES = 150
BINDING_MAX_BODY = 10
# Tables in the shape of a function: one entry a line, as many as there are entries.
BINDING_TABLES = frozenset({("errors.rs", "class_name"), ("lib.rs", "_llmfast"), ("row.rs", "new")})

# Text that must not stand in the repository: a machine's paths, a registry's host. Spelled so as not to match itself.
FORBIDDEN_TEXT = re.compile(
    r"(?<![\w.])/wor[k]/|\.\./share[d]\b|\b(pypi|pythonhosted|npmjs|maven|golan[g])\.(org|com)\b|\bcrates\.i[o]\b(?!-index)"
)
MAY_NAME = {".ci/run": re.compile(r"\.\./shared"), "Cargo.lock": re.compile(r"crates\.io")}


def core_stays_pure(root: Path) -> list[str]:
    """Core depends neither on Python nor on a runtime: `cargo tree -p llmfast-core -i NAME` finds nothing."""
    return [
        f"rust/core/Cargo.toml: llmfast-core depends on {name}:\n{found}"
        for name in FOREIGN_TO_CORE
        if (found := _inverse_tree(root, name))
    ]


def _inverse_tree(root: Path, name: str) -> str | None:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise SystemExit("cargo is not on the PATH: install Rust, see rustup.rs")
    command = [
        cargo,
        "tree",
        "-p",
        "llmfast-core",
        "--all-features",
        "--target",
        "all",
        "-e",
        "normal,build",
        "-i",
        name,
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return done.stdout or None
    if "did not match any packages" in done.stderr:
        return None
    raise SystemExit(f"cargo tree failed: {done.stderr}")


def core_imports(root: Path) -> list[str]:
    """Core modules import the foundation and each other's plain data, as the table says."""
    broken = []
    for file in _rust_files(root / "rust/core/src"):
        module = _module_of(file, root / "rust/core/src")
        if not module:
            continue
        if module[0] not in CORE_IMPORTS:
            broken.append(f"{file.relative_to(root)}: `{module[0]}` is not in CORE_IMPORTS of scripts/check_layers.py")
            continue
        for line, path in paths(file.read_text(encoding="utf-8"), module):
            if not _may_import(module[0], path):
                broken.append(f"{file.relative_to(root)}:{line}: `{module[0]}` imports crate::{'::'.join(path)}")
    return broken


def _may_import(module: str, path: tuple[str, ...]) -> bool:
    if not path or path[0] == module or path[0] in ROOT_NAMES or path[0] in CORE_IMPORTS[module]:
        return bool(path)
    plain = PLAIN_DATA.get(path[0], frozenset())
    return module not in MAY_NOT_TAKE_PLAIN_DATA and len(path) > 1 and path[1] in plain


def core_synchronises_through_sync(root: Path) -> list[str]:
    """Only `sync.rs` names `std::sync`, so that a model checker can take its place."""
    source = root / "rust/core/src"
    return [
        f"{file.relative_to(root)}:{line}: {'::'.join(path)}; take it from crate::sync"
        for file in _rust_files(source)
        if file != source / "sync.rs"
        for line, path in external_paths(file.read_text(encoding="utf-8"), ("std", "core", "alloc"))
        if path[1:2] == ("sync",)
    ]


def unsafe_stays_in_its_files(root: Path) -> list[str]:
    """`unsafe`, and the permission for it, stand in the files of `UNSAFE_FILES` alone."""
    broken = []
    for crate in sorted((root / "rust").glob("*/src")):
        for file in _rust_files(crate):
            name = file.relative_to(root).as_posix()
            if UNSAFE_FILES.fullmatch(name):
                continue
            lines = {token.line for token in _permissions_and_uses(file.read_text(encoding="utf-8"))}
            broken += [f"{name}:{line}: unsafe code" for line in sorted(lines)]
    return broken


def _permissions_and_uses(text: str) -> Iterator[Token]:
    level = ""
    for token in tokens(text):
        if token.text in {"allow", "expect", "warn", "deny", "forbid"}:
            level = token.text
        if token.text == "unsafe" or (token.text == "unsafe_code" and level in {"allow", "expect", "warn"}):
            yield token


def bindings_hold_no_logic(root: Path) -> list[str]:
    """A binding file is short and so are its functions: what needs more belongs in core (`support/` apart).

    Doc comments do not count: Python shows them.
    """
    broken = []
    for file in sorted((root / "rust/python/src").glob("*.rs")):
        text = file.read_text(encoding="utf-8")
        name = file.relative_to(root)
        lines = sum(not line.lstrip().startswith("///") for line in text.splitlines())
        if lines > BINDING_MAX_LINES:
            broken.append(f"{name}: {lines} lines, at most {BINDING_MAX_LINES}")
        broken += [
            f"{name}:{function.line}: `{function.name}` has {function.body_lines} lines, at most {BINDING_MAX_BODY}"
            for function in functions(text)
            if function.body_lines > BINDING_MAX_BODY and (file.name, function.name) not in BINDING_TABLES
        ]
    return broken


def init_is_a_table(root: Path) -> list[str]:
    """`llmfast/__init__.py` holds `__all__`, the table of the lazy `__getattr__` and what type checkers read."""
    file = root / "python/llmfast/__init__.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [f"{file.relative_to(root)}:{node.lineno}: {why}" for node in tree.body if (why := _not_of_the_table(node))]


def _not_of_the_table(node: ast.stmt) -> str | None:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return None
        case ast.ImportFrom(module="__future__" | "typing"):
            return None
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return None
        case ast.If(
            test=ast.UnaryOp(op=ast.Not(), operand=ast.Name(id="TYPE_CHECKING")),
            body=[ast.FunctionDef(name="__getattr__")],
            orelse=[],
        ):
            return None  # a type checker that saw it would take every misspelt name for one of ours
        case ast.Assign(targets=[ast.Name(id="TYPE_CHECKING")], value=ast.Constant(value=False)):
            return None  # `from typing import TYPE_CHECKING` would cost half of the import's time
        case (
            ast.Assign(targets=[ast.Name(id="__all__" | "_MODULE_OF")])
            | ast.AnnAssign(target=ast.Name(id="_MODULE_OF"))
        ):
            return None
        case ast.FunctionDef(name="__dir__"):
            return None
    return f"`{ast.unparse(node).splitlines()[0]}` is neither __all__ nor the lazy table"


def modules_are_private(root: Path) -> list[str]:
    """Below `llmfast/`, a module or one of its packages begins with `_`: public names come from the package."""
    package = root / "python/llmfast"
    return [
        f"{file.relative_to(root)}: a module's name begins with _"
        for file in sorted(package.rglob("*.py"))
        if not any(part.startswith("_") for part in file.relative_to(package).parts)
    ]


def text_names_no_machine(root: Path) -> list[str]:
    """No file of the repository names a path of one machine or the host of a registry."""
    broken = []
    for file in _repository_files(root):
        name = file.relative_to(root).as_posix()
        try:
            text = file.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        allowed = MAY_NAME.get(name)
        for number, line in enumerate(text.splitlines(), 1):
            found = FORBIDDEN_TEXT.search(allowed.sub("", line) if allowed else line)
            if found:
                broken.append(f"{name}:{number}: names `{found.group()}`")
    return broken


def _repository_files(root: Path) -> list[Path]:
    """Return what git tracks or would track; every file below `root` where git knows nothing."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return sorted({root / os.fsdecode(name) for name in done.stdout.split(b"\0") if name})
    return sorted(path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts)


def _rust_files(source: Path) -> list[Path]:
    return sorted(source.rglob("*.rs"))


def _module_of(file: Path, source: Path) -> tuple[str, ...]:
    """Return the module path of a file: `()` for `lib.rs`, `("cache", "table")` for `cache/table.rs`."""
    parts = file.relative_to(source).with_suffix("").parts
    return tuple(part for part in parts if part not in {"lib", "mod"})


RULES: tuple[Callable[[Path], list[str]], ...] = (
    core_stays_pure,
    core_imports,
    core_synchronises_through_sync,
    unsafe_stays_in_its_files,
    bindings_hold_no_logic,
    init_is_a_table,
    modules_are_private,
    text_names_no_machine,
)


def main() -> int:
    """Run every rule on the repository and print what breaks them."""
    root = Path(__file__).resolve().parents[1]
    failed = 0
    for rule in RULES:
        broken = rule(root)
        failed += bool(broken)
        for problem in broken:
            print(f"{rule.__name__}: {problem}")
    print(f"layers: {len(RULES) - failed} of {len(RULES)} rules hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
