"""Sphinx's settings; scripts/docs builds with them, warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

from useapi_runwayml import __version__  # noqa: E402

project = "useapi-runwayml"
author = "its authors"
release = version = __version__
html_title = f"useapi-runwayml {release}"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "cyclopts.ext.sphinx",
    "generated",
]
exclude_patterns = ["_ext"]
html_theme = "furo"
html_static_path = ["_static"]
html_copy_source = False
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
default_role = "code"  # what docstrings have between backticks
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
python_display_short_literal_types = True
python_maximum_signature_line_length = 88
maximum_signature_line_length = 88
add_module_names = False
suppress_warnings = ["myst.xref_ambiguous"]
