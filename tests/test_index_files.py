"""The files of an index: what replacing one leaves as it was, and what the operating system refuses."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmfast import FlatIndex, HnswIndex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Everything that writes an index to a file.
WRITERS = [(FlatIndex, "save"), (FlatIndex, "compact"), (HnswIndex, "save")]

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links of files are those of POSIX")


def writing(kind: Any, method: str) -> tuple[Any, Callable[[Any], None]]:
    """Return an index with one row, and what writes it."""
    index = kind(2)
    index.add(1, [1.0, 0.0])
    return index, getattr(index, method)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize(("kind", "method"), WRITERS)
def test_a_file_that_is_replaced_keeps_its_mode(kind: Any, method: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.index"
    _, write = writing(kind, method)
    write(path)
    assert mode(path) == 0o666 & ~umask()
    for kept in (0o600, 0o640, 0o664):
        path.chmod(kept)
        write(path)
        assert mode(path) == kept
    assert [file.name for file in tmp_path.iterdir()] == ["rows.index"]


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_root_replaces_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "rows.index"
    index, write = writing(FlatIndex, "save")
    write(path)
    os.chown(path, 12, 34)
    path.chmod(0o640)
    index.save(path)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (12, 34, 0o640)


@posix
@pytest.mark.parametrize(("kind", "method"), WRITERS)
@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_and_is_followed(kind: Any, method: str, there: bool, tmp_path: Path) -> None:
    data, links = tmp_path / "data", tmp_path / "links"
    data.mkdir()
    links.mkdir()
    if there:
        (data / "rows.index").write_bytes(b"what was there before")
    (links / "inner").symlink_to("../data/rows.index")
    (links / "outer").symlink_to(links / "inner")
    _, write = writing(kind, method)
    write(links / "outer")
    assert ((links / "inner").is_symlink(), (links / "outer").is_symlink()) == (True, True)
    assert [file.name for file in data.iterdir()] == ["rows.index"]
    assert len(kind.load(data / "rows.index")) == 1


@pytest.mark.parametrize(("kind", "method"), WRITERS)
def test_what_the_system_refuses_has_its_number_and_the_file(kind: Any, method: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    _, write = writing(kind, method)
    for path, error, number in [
        (tmp_path / "missing" / "rows.index", FileNotFoundError, errno.ENOENT),
        (file / "rows.index", NotADirectoryError, errno.ENOTDIR),
        (tmp_path, IsADirectoryError, errno.EISDIR),
        ("/", IsADirectoryError, errno.EISDIR),
        ("", FileNotFoundError, errno.ENOENT),
    ]:
        if os.name != "posix" and error is not FileNotFoundError:
            continue
        with pytest.raises(error) as raised:
            write(path)
        assert (raised.value.errno, raised.value.filename) == (number, str(path))
        assert raised.value.strerror == os.strerror(number)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file"]


@posix
def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as raised:
        FlatIndex(2).save(tmp_path / "a")
    assert (raised.value.errno, raised.value.filename) == (errno.ELOOP, str(tmp_path / "a"))


@pytest.mark.parametrize("kind", [FlatIndex, HnswIndex])
def test_a_file_that_cannot_be_read_is_refused_by_its_number(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        kind.load(tmp_path / "missing.index")
    assert (missing.value.errno, missing.value.filename) == (errno.ENOENT, str(tmp_path / "missing.index"))
    if os.name == "posix":
        with pytest.raises(IsADirectoryError) as folder:
            kind.load(tmp_path)
        assert (folder.value.errno, folder.value.filename) == (errno.EISDIR, str(tmp_path))


@posix
@pytest.mark.parametrize(("kind", "method"), WRITERS)
def test_a_file_that_the_system_has_no_room_for_leaves_the_old_one(kind: Any, method: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.index"
    _, write = writing(kind, method)
    write(path)
    before = path.read_bytes()
    # Files of at most so many bytes, which is what a full disk looks like.
    program = f"""if True:
        import errno, resource, sys
        from llmfast import FlatIndex, HnswIndex
        index = {kind.__name__}(64)
        index.add_many(range(1_000), [[1.0 + row % 7, *([1.0] * 63)] for row in range(1_000)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            index.{method}(sys.argv[1])
        except OSError as error:
            print(error.errno == errno.EFBIG, error.filename == sys.argv[1])
        """
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["rows.index"]
