"""A Sphinx extension: buttons that open a page's notebook on Binder and on Colab.

They need a public repository.  A build on GitHub names it in the variable ``GITHUB_REPOSITORY``; any other has no buttons.
"""

from __future__ import annotations

import os
from typing import Any


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", _add_buttons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_buttons(app: Any, config: Any) -> None:
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        config.html_theme_options |= {
            "repository_url": f"https://github.com/{repository}",
            "repository_branch": os.environ.get("GITHUB_REF_NAME", "main"),
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
                "notebook_interface": "jupyterlab",
            },
        }
