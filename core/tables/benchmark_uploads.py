"""A benchmark's files as they arrive in an upload: single files, or its folder as a ZIP file."""

import io
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from core.errors import TableError
from core.tables.benchmarks import BenchmarkTable, read_benchmark
from core.tables.files import INPUT_SUFFIXES

MAX_UNPACKED_BYTES = 400_000_000
MAX_MEMBERS = 5_000
"""What a ZIP file may hold: more than any of the benchmarks, less than would fill a server."""

ARCHIVE = ".zip"


def read_uploaded_benchmark(name: str, files: Sequence[tuple[str, bytes]]) -> BenchmarkTable:
    """A benchmark from uploaded files.

    Args:
        name: the benchmark's name.
        files: name and content of each; a ZIP file stands for the folder that is in it.

    Raises:
        TableError: when a ZIP file is damaged, too large or names a place outside itself, two files
            have one name, or nothing of the benchmark can be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # Resolved as read_benchmark names it in its messages, where it has no business.
        folder = Path(scratch).resolve()
        for file_name, content in files:
            if file_name.lower().endswith(ARCHIVE):
                _unpack(file_name, content, folder)
            else:
                _write(folder, PurePosixPath(file_name.replace("\\", "/")).name, content)
        try:
            return read_benchmark(name, folder)
        except TableError as error:
            message = error.message.replace(str(folder), "The upload")
            raise TableError(message, fix=error.fix) from error


def _unpack(name: str, content: bytes, folder: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and member.filename.lower().endswith(INPUT_SUFFIXES)
            ]
            _check_members(name, members)
            for member in members:
                _write(folder, member.filename, archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise TableError(f"{name}: cannot be unpacked: {error}.", fix="Make it again.") from error


def _check_members(name: str, members: Sequence[zipfile.ZipInfo]) -> None:
    # Sizes as the archive states them; zipfile stops reading a member where it is longer.
    total = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or total > MAX_UNPACKED_BYTES:
        raise TableError(
            f"{name}: {len(members):,} files with {total / 1e6:,.0f} MB are more than the "
            f"{MAX_MEMBERS:,} files and {MAX_UNPACKED_BYTES / 1e6:,.0f} MB that are read.",
            fix="Keep only the benchmark's own files in it.",
        )


def _write(folder: Path, name: str, content: bytes) -> None:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or path == folder:
        raise TableError(f"{name}: this name leads out of the upload.")
    if path.exists():
        raise TableError(
            f"Two files are called {name}.",
            fix="Upload the benchmark's folder as one ZIP file: their places tell them apart.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
