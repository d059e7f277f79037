"""How Sphinx builds the documentation: ``sphinx-build -W --keep-going docs docs/_build/html``."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import inspect
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parent.parent))  # the docs of this tree, whatever is installed

import dataflow

project = "dataflow"
author = "The dataflow developers"
project_copyright = author
release = version = dataflow.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "README.md"]
root_doc = "index"
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"exclude-members": "get_data, size"}  # old names: each class has them
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Image": "Image"}  # an array; its full name is long
napoleon_google_docstring = True
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 150  # of the full names: about half of that is shown

html_theme = "furo"
html_title = f"dataflow {release}"
html_static_path = ["_static"]
html_css_files = ["extra.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

copybutton_prompt_text = r">>> |\.\.\. |\$ "  # copied without prompts and output
copybutton_prompt_is_regexp = True


class Picture(SphinxDirective):
    """``{picture} NAME`` puts ``pictures/NAME.svg`` into the page, where it has the theme's colours."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the picture, with the content of the directive as its caption."""
        file = Path(self.env.srcdir, "pictures", self.arguments[0] + ".svg")
        self.env.note_dependency(str(file))
        svg = file.read_text(encoding="utf-8").partition("?>")[2]  # without its style sheet: the page has it
        caption = escape(" ".join(self.content))
        html = f'<figure class="picture">{svg}<figcaption>{caption}</figcaption></figure>'
        return [nodes.raw("", html, format="html")]


def signature_of_init(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Take the arguments from ``__init__`` where a class has a ``__new__`` that passes on anything."""
    if what != "class" or signature is None or not signature.startswith("(*args"):
        return None
    arguments = inspect.signature(obj.__init__, bound_method=True, type_aliases=autodoc_type_aliases)
    return inspect.stringify_signature(
        arguments, show_return_annotation=False, unqualified_typehints=True
    ), returns


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what is defined here."""
    app.add_directive("picture", Picture)
    app.connect("autodoc-process-signature", signature_of_init)
