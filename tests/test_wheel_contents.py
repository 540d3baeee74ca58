"""The check of a built wheel finds what must not be given to others."""

from __future__ import annotations

import importlib
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
if not (SCRIPTS / "check_wheel.py").exists():
    pytest.skip("needs the source tree: it tests the check of the wheel", allow_module_level=True)

sys.path.insert(0, str(SCRIPTS))
try:
    check_wheel = importlib.import_module("check_wheel")
    run_wheel_tests = importlib.import_module("run_wheel_tests")
    third_party_licenses = importlib.import_module("third_party_licenses")
finally:
    sys.path.remove(str(SCRIPTS))

GOOD = [
    "llmfast/__init__.py",
    "llmfast/_cli/__init__.py",
    "llmfast/_llmfast.abi3.so",
    "llmfast/_llmfast.pyi",
    "llmfast/py.typed",
    "llmfast/_data/banking77.jsonl.gz",
    "llmfast-0.1.0.dist-info/METADATA",
    "llmfast-0.1.0.dist-info/licenses/THIRD_PARTY_LICENSES",
    "llmfast-0.1.0.dist-info/licenses/LICENSE",
]


def test_what_a_user_needs_passes():
    assert check_wheel.content_problems(GOOD) == []


@pytest.mark.parametrize(
    "name",
    [
        "tests/test_import.py",
        "llmfast/_llmfast.so",
        "llmfast/_data/notes",
        "llmfast/__pycache__/x.pyc",
        "rust/core/src/lib.rs",
    ],
)
def test_what_got_in_by_accident_is_found(name):
    assert check_wheel.content_problems([*GOOD, name]) == [f"unexpected file {name}"]


@pytest.mark.parametrize("name", ["llmfast/_llmfast.abi3.so", "llmfast/py.typed", "llmfast/_llmfast.pyi"])
def test_what_lacks_is_found(name):
    assert check_wheel.content_problems([n for n in GOOD if n != name]) == [f"no {name}"]


def test_a_wheel_without_its_licence_is_found():
    assert check_wheel.content_problems(GOOD[:-1]) == ["no licence"]
    assert check_wheel.content_problems(GOOD[:-2] + GOOD[-1:]) == ["no licences of third parties"]


def test_a_crate_whose_licence_lacks_is_found():
    text = "  memchr 2.8.3: Unlicense OR MIT\n"
    assert check_wheel.licence_problems(text, {("memchr", "2.8.3")}) == []
    assert check_wheel.licence_problems(text, {("memchr", "2.8.4"), ("nom", "7.1.3")}) == [
        "THIRD_PARTY_LICENSES does not name memchr 2.8.4",
        "THIRD_PARTY_LICENSES does not name nom 7.1.3",
    ]


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_the_licences_are_those_of_the_crates_that_are_linked():
    text = (SCRIPTS.parent / "THIRD_PARTY_LICENSES").read_text(encoding="utf-8")
    assert third_party_licenses.named_crates(text) == third_party_licenses.linked_crates()


def test_a_wheel_above_25_mebibytes_is_found():
    assert check_wheel.size_problems(25 * 2**20) == []
    assert check_wheel.size_problems(26 * 2**20) == ["26.0 MiB, at most 25 MiB"]


def test_a_folder_of_the_builder_is_found():
    files = {"llmfast/_llmfast.abi3.so": b"\0at /home/someone/.cargo/registry/x.rs\0", "llmfast/__init__.py": b""}
    assert check_wheel.path_problems(files, ["/home/someone/.cargo", "/build"]) == [
        "llmfast/_llmfast.abi3.so names /home/someone/.cargo"
    ]


SHOWN = """
llmfast-0.1.0-cp311-abi3-{tag}.whl is consistent
with the following platform tag: "{tag}".
"""


@pytest.mark.parametrize(
    ("named", "found", "problems"),
    [
        ("manylinux_2_34_x86_64", "manylinux_2_34_x86_64", []),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_x86_64", []),
        ("linux_x86_64", "linux_x86_64", ["auditwheel finds linux_x86_64, not a manylinux tag"]),
        (
            "manylinux_2_17_x86_64",
            "manylinux_2_34_x86_64",
            ["the name says manylinux_2_17_x86_64, auditwheel manylinux_2_34_x86_64"],
        ),
    ],
)
def test_a_tag_that_is_not_kept_is_found(named, found, problems):
    shown = SHOWN.format(tag=found)
    assert check_wheel.tag_problems(f"llmfast-0.1.0-cp311-abi3-{named}.whl", shown) == problems


def test_what_auditwheel_cannot_read_is_found():
    assert check_wheel.tag_problems("llmfast-0.1.0-cp311-abi3-linux_x86_64.whl", "no ELF") == [
        "auditwheel says: no ELF"
    ]


def test_a_bad_wheel_fails_the_check(tmp_path, capsys):
    path = tmp_path / "llmfast-0.1.0-cp311-abi3-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tests/test_import.py", "")
    assert check_wheel.main(path) == 1
    assert "unexpected file tests/test_import.py" in capsys.readouterr().err


def test_folders_with_rust_leave_the_path(tmp_path):
    for folder, tool in [("one", "cargo"), ("two", "rustc"), ("three", "python")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / tool).touch()
    path = ":".join(str(tmp_path / folder) for folder in ("one", "three", "two"))
    assert run_wheel_tests.path_without_rust(path) == str(tmp_path / "three")
