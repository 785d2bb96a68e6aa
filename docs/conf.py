"""Sphinx configuration: builds offline and without warnings (``sphinx -W``)."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "chemnet"
author = "the chemnet developers"
copyright = "the chemnet developers"
release = version = installed_version("chemnet")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "links",
    "mathml",
    "reference_pages",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext", "jupyter_execute"]
html_theme = "furo"
html_title = f"chemnet {release}"
html_show_sourcelink = False
html_math_renderer = "mathml"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# `sphinx -b linkcheck`: journals answer robots with an error
linkcheck_ignore = [r"https://doi\.org/.*", r"http://127\.0\.0\.1.*"]
# notebooks are committed executed; tests/end_to_end re-runs them
nb_execution_mode = "off"
nb_merge_streams = True

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
# each object is described where it is defined; packages link what they re-export
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False
# STYLE.md's literals: `name` in a docstring is code
default_role = "code"
# a short name in an annotation may be that of two classes (Network, the class, and Network, the verb)
suppress_warnings = ["ref.python"]
