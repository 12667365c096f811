"""Tables for a download or a file, always with the manifest of their numbers."""

import io
import json
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from core.manifest import Manifest, write_manifest
from core.tables.writing import json_ready, write_table


def export_table(frame: pd.DataFrame, path: Path, manifest: Manifest) -> Path:
    """Writes a table (CSV, JSON, JSON lines or Parquet) and its manifest, whose path it returns.

    Raises:
        TableError: when the ending is unknown or a file cannot be written.
    """
    write_table(frame, path)
    return write_manifest(manifest, path)


def table_bytes(frame: pd.DataFrame, suffix: str) -> bytes:
    """A table as the content of a file with this ending, for a download.

    Raises:
        TableError: when the ending is unknown.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        write_table(frame, path)
        return path.read_bytes()


def tables_archive(
    tables: Mapping[str, pd.DataFrame], suffix: str, manifest: Manifest | Mapping[str, Any]
) -> bytes:
    """Several tables and their manifest as one ZIP file, for a download.

    Args:
        tables: the tables; each is named after its key.
        suffix: one of `OUTPUT_SUFFIXES`.
        manifest: what gave the numbers.

    Raises:
        TableError: when the ending is unknown.
    """
    content = io.BytesIO()
    names: Counter[str] = Counter()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, frame in tables.items():
            stem = file_stem(name)
            names[stem] += 1
            number = f"-{names[stem]}" if names[stem] > 1 else ""
            archive.writestr(f"{stem}{number}{suffix}", table_bytes(frame, suffix))
        archive.writestr("manifest.json", manifest_bytes(manifest))
    return content.getvalue()


def manifest_bytes(manifest: Manifest | Mapping[str, Any]) -> bytes:
    """A manifest as the content of a JSON file, for a download."""
    told = manifest if isinstance(manifest, Mapping) else manifest.to_dict()
    text = json.dumps(json_ready(told), ensure_ascii=False, indent=2) + "\n"
    return text.encode("utf-8", "backslashreplace")


def file_stem(name: str) -> str:
    """A name that every file system takes: letters, digits, dots, hyphens and underscores."""
    stem = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII)[:80].strip("-.")
    return stem or "export"
