"""The documentation as a site: `sphinx-build -W docs site`."""

from accelsim.version import __version__

project = "accelsim"
author = "the accelsim authors"
copyright = "the accelsim authors, Apache License 2.0"
version = release = __version__
extensions = ["myst_parser"]
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = f"accelsim {__version__}"
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]
nitpicky = True
