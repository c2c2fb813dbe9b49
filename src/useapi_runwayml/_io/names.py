"""Names of files, as they are typed and as they stand on the disk."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def as_on_disk(path: Path) -> Path:
    """The path, in the form of Unicode in which its letters stand on the disk: people and programs type either."""
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return path if os.path.lexists(path) else next(filter(os.path.lexists, forms), path)
