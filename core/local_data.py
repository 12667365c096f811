"""Which folders and files of this machine a visitor of the app may have read."""

from collections.abc import Sequence
from pathlib import Path

from core.errors import TableError


def find_local_data(name: str, roots: Sequence[Path]) -> Path:
    """The folder or file a visitor named, where it lies in a folder that may be read.

    What is outside those folders is refused in the same words whether it exists or not, so that
    nobody learns from the answer what else the machine holds.

    Args:
        name: what was typed: a path, or one relative to a root; "~" is the home folder.
        roots: the folders that may be read, with all that is in them.

    Raises:
        TableError: when nothing may be read, or the path is outside the roots or not there.
    """
    if not roots:
        raise TableError(
            "This server reads no folders.",
            fix="Upload the file, or have the operator name data_folders in settings.toml.",
        )
    allowed = [root.expanduser().resolve() for root in roots]
    for path in _candidates(name.strip(), allowed):
        if any(path.is_relative_to(root) for root in allowed):
            if path.exists():
                return path
            raise TableError(f"{name}: there is no such folder or file.")
    listed = ", ".join(map(str, allowed))
    raise TableError(f"{name}: not a folder this server may read.", fix=f"It may read {listed}.")


def _candidates(name: str, roots: Sequence[Path]) -> list[Path]:
    """What the name may stand for, links followed; those that are there come first."""
    try:
        path = Path(name).expanduser()
        paths = [path] if path.is_absolute() else [root / path for root in roots]
        found = [each.resolve() for each in paths]
        return sorted(found, key=lambda each: not each.exists())
    except (OSError, RuntimeError, ValueError):
        # A loop of links, an unknown user's home, a null character: no path at all.
        return []
