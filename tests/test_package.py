"""What an installed package promises: light imports, public names, its version, and links that work on a package index."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import yaml

import lossbook
from lossbook.models import create_model
from lossbook.optional import MissingPackage, extra

ROOT = Path(__file__).parents[1]
HEAVY = (
    "sklearn",
    "scipy",
    "pandas",
    "torchmetrics",
    "pytorch_metric_learning",
    "lightning",
    "transformers",
    "torchvision",
    "timm",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def loaded_by(code: str, *names: str) -> set[str]:
    """Which of some packages a fresh Python has loaded after some code."""
    program = f"{code}\nimport sys\nprint(*(set({names!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


# Imports ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import lossbook; dir(lossbook); lossbook.__version__",
        "import lossbook.runs.spec",
        "from lossbook.runs.fingerprint import objective_sources; objective_sources()",
        "from lossbook.data.registry import DATASETS",
        "from lossbook.papers.registry import PAPERS",
    ],
)
def test_what_lists_and_plans_does_not_load_torch(code):
    assert loaded_by(code, "torch") == set()


def test_the_library_loads_torch_and_numpy_only():
    code = "from lossbook import create_objective, heads, losses, metrics; create_objective('bce-nu', 4, 3)"
    assert loaded_by(code, "torch", "numpy", *HEAVY) <= {"torch", "numpy"}


def test_the_core_dependencies_are_torch_and_numpy():
    assert PROJECT["dependencies"] == ["torch>=2.10", "numpy>=2"]


# Public names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", lossbook.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(lossbook)
    assert getattr(lossbook, name) is not None


def test_type_checkers_see_the_names_that_are_loaded_when_used():
    tree = ast.parse(Path(lossbook.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    shown = {alias.asname or alias.name: getattr(node, "module", alias.name) for node in block.body for alias in node.names}
    assert shown == lossbook._MODULES
    assert {*shown, "__version__"} == set(lossbook.__all__)


@pytest.mark.parametrize("package", ["losses", "heads", "objectives", "metrics"])
def test_the_names_of_a_package_are_sorted_and_there(package):
    module = importlib.import_module(f"lossbook.{package}")
    assert list(module.__all__) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'lossbook' has no attribute 'loss'"):
        lossbook.loss  # noqa: B018


# Extras -------------------------------------------------------------------------------------------------------------


def test_a_missing_package_says_which_extra_brings_it(monkeypatch):
    for loaded in ("sklearn", "sklearn.metrics"):  # an earlier test may have loaded the submodule
        monkeypatch.setitem(sys.modules, loaded, None)
    message = r'the package sklearn is not installed, which comes with: pip install "lossbook\[metrics\]"'
    with pytest.raises(MissingPackage, match=message), extra("metrics"):
        from sklearn.metrics import roc_auc_score  # noqa: F401


def test_an_error_of_our_own_is_not_said_to_be_a_missing_package():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'lossbook.nothing'") as caught, extra("run"):
        import lossbook.nothing  # noqa: F401
    assert not isinstance(caught.value, MissingPackage)


@pytest.mark.parametrize(
    ("package", "name", "use"),
    [
        ("pytorch_metric_learning", "metric-learning", lambda: lossbook.create_objective("arcface", 4, 3)),
        ("pytorch_metric_learning", "metric-learning", lambda: lossbook.create_objective("softtriple", 4, 3)),
        ("sklearn.cluster", "metrics", lambda: lossbook.metrics.nmi(torch.randn(4, 2), torch.tensor([0, 0, 1, 1]))),
        ("timm", "run", lambda: create_model("resnet18", 3)),
    ],
)
def test_what_needs_a_missing_package_says_which_extra_brings_it(monkeypatch, package, name, use):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=rf'is not installed, which comes with: pip install "lossbook\[{name}\]"$'):
        use()


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("typer", "from lossbook.__main__ import main; main()"),
        ("yaml", "from lossbook.__main__ import main; main()"),
        ("lightning_fabric", "import lossbook.runs.train"),
    ],
)
def test_runs_without_their_extra_say_how_to_install_it_in_the_last_line(package, code):
    program = f"import sys; sys.modules[{package!r}] = None; {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    expected = f'the package {package} is not installed, which comes with: pip install "lossbook[run]"'
    assert done.stderr.splitlines()[-1].endswith(expected)
    assert ("Traceback" in done.stderr) == (package == "lightning_fabric"), "the command prints one line"


@pytest.mark.parametrize("package", ["lightning", "transformers"])
def test_an_integration_without_its_package_says_how_to_install_it(package):
    program = f"import sys; sys.modules[{package!r}] = None; import lossbook.integrations.{package}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    expected = f"the package {package} is not installed, which comes with: pip install {package}"
    assert done.stderr.splitlines()[-1].endswith(expected)


def test_all_holds_every_extra():
    extras = PROJECT["optional-dependencies"]

    def held(name: str) -> set[str]:
        inner = [part for line in extras[name] for part in re.findall(r"^lossbook\[(.*)\]$", line)]
        return {name}.union(*(held(part) for names in inner for part in names.split(",")))

    assert held("all") == set(extras)


# Version and README -------------------------------------------------------------------------------------------------


def test_the_version_is_the_same_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == lossbook.__version__
    assert json.loads((ROOT / ".zenodo.json").read_text())["version"] == lossbook.__version__
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == lossbook.__version__


def test_the_readme_has_no_link_that_breaks_on_a_package_index():
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)]*)\)|(?:src|href)=[\"']([^\"']*)|^\[[^\]]+\]:\s*(\S+)", text, re.MULTILINE)
    assert all(re.match(r"https?://|#", next(filter(None, link))) for link in links), links


def test_the_readmes_paths_are_there():
    words = re.findall(r"`([^`\s]+)`", (ROOT / "README.md").read_text())
    paths = [word for word in words if "/" in word and not re.search(r"[<>*(]|^_build|^http", word)]
    assert len(paths) > 5
    assert not [path for path in paths if not (ROOT / path).exists()]
