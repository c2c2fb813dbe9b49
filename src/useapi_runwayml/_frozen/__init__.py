"""What PyInstaller has to know of this package: it asks by the entry point `pyinstaller40`, without any setting of the user's."""

from __future__ import annotations

from pathlib import Path


def hook_dirs() -> list[str]:
    """Where the hooks are."""
    return [str(Path(__file__).parent)]
