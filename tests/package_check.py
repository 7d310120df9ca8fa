"""Build the sdist and the wheel and try them outside the repository, as a user would: ``make package-check``.

The wheel goes into a fresh environment beside torch and numpy; the sdist's tests run with this environment's Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT = 5 * 2**20  # bytes that the wheel may take, packed or installed
# A quick selection: one folder of each kind, the package itself, and a run that is trained.
SDIST_TESTS = ("tests/heads", "tests/losses/test_uniform.py", "tests/objectives/test_create.py", "tests/runs/test_spec.py")

# Runs in the fresh environment, outside the repository.
TRY = """
import time
start = time.perf_counter()
import lossbook
seconds = time.perf_counter() - start
import sys
assert "torch" not in sys.modules and "numpy" not in sys.modules, "import lossbook loads torch or numpy"
assert seconds < 0.5, f"import lossbook took {seconds:.2f} s"

import torch
from lossbook.optional import MissingPackage
torch.manual_seed(0)
heavy = ["pandas", "scipy", "sklearn", "torchmetrics", "pytorch_metric_learning", "lightning", "torchvision", "matplotlib"]
counts = torch.tensor([50, 20, 10, 8, 4])
trained, refused = [], []
for name in lossbook.list_objectives():
    features = torch.randn(16, 8, requires_grad=True)
    labels = torch.arange(16) % 5
    try:
        objective = lossbook.create_objective(name, in_features=8, num_classes=5, class_counts=counts)
    except MissingPackage as error:
        assert 'pip install "lossbook[metric-learning]"' in str(error), error
        refused.append(name)
        continue
    objective.start_epoch(0, 10)
    loss = objective(features, labels)
    loss.backward()
    assert loss.ndim == 0 and bool(loss.isfinite()) and bool(features.grad.isfinite().all()), name
    assert objective.logits(features).shape == (16, 5), name
    trained.append(name)
assert len(trained) >= 52 and len(refused) <= 9, (trained, refused)
for name in lossbook.__all__:
    getattr(lossbook, name)
logits = torch.randn(4, 3)
assert lossbook.losses.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).isfinite()
assert lossbook.metrics.uniform_accuracy(logits, torch.tensor([0, 1, 2, 0]))
try:
    lossbook.metrics.nmi(logits, torch.tensor([0, 1, 2, 0]))
except MissingPackage as error:
    assert 'pip install "lossbook[metrics]"' in str(error), error
else:
    raise AssertionError("nmi needs scikit-learn, which is not here")
loaded = [name for name in heavy if name in sys.modules]
assert not loaded, f"the library loads {loaded}"
print(f"import lossbook: {1000 * seconds:.0f} ms; {len(trained)} objectives train, {len(refused)} ask for an extra")
"""


def run(*command: str | Path, **options) -> str:
    """What a command prints; its error ends the check."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"FAILED: {' '.join(map(str, command))[:300]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    known = run("git", "ls-files", "-z", cwd=ROOT).strip("\0").split("\0")
    copy = folder / "project"
    for name in known:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", copy)
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in known if name not in held and (ROOT / name).is_file()]
    if missing:
        sys.exit(f"FAILED: the sdist lacks {len(missing)} files of the project: {', '.join(missing[:10])}; see MANIFEST.in")
    return sdist, wheel


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")


def try_wheel(wheel: Path, folder: Path) -> None:
    """It adds itself and nothing else to an environment that has torch, is small, and trains."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = [re.search(rf"^{name}==\S+", lock, re.MULTILINE)[0] for name in ("torch", "numpy")]
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-compile", *pins)
    before = set(run(*pip, "freeze").splitlines())
    run(*pip, "install", "--quiet", "--no-compile", wheel)
    after = set(run(*pip, "freeze").splitlines())
    changed = {line.split("==")[0].split(" @")[0] for line in before ^ after}
    if changed != {"lossbook"}:
        sys.exit(f"FAILED: installing the wheel beside torch and numpy changes {', '.join(sorted(changed))}")
    (installed,) = (folder / "venv").glob("lib/python*/site-packages/lossbook")
    sizes = {"wheel": wheel.stat().st_size, "installed": size(installed)}
    if max(sizes.values()) >= LIMIT:
        sys.exit(f"FAILED: the wheel takes {sizes} bytes, expected less than {LIMIT}")
    if not (installed / "py.typed").is_file():
        sys.exit("FAILED: the wheel has no py.typed")
    outside = folder / "outside"
    outside.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    print(run(python, "-c", TRY, cwd=outside, env=environment).strip())
    command = subprocess.run(
        [folder / "venv/bin/lossbook", "list"], cwd=outside, env=environment, capture_output=True, text=True, check=False
    )
    if command.returncode != 1 or 'pip install "lossbook[run]"' not in command.stderr or "Traceback" in command.stderr:
        sys.exit(f"FAILED: without the extra `run`, `lossbook list` printed\n{command.stdout}{command.stderr}")
    print(f"wheel {sizes['wheel'] / 2**20:.1f} MiB, installed {sizes['installed'] / 2**20:.1f} MiB")


def try_sdist(sdist: Path, folder: Path) -> None:
    """A quick selection of its tests, run from the unpacked files."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (project,) = (folder / "unpacked").iterdir()
    tests = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SDIST_TESTS,
        cwd=project, env=os.environ | {"PYTHONPATH": str(project / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    print(f"sdist {sdist.stat().st_size / 2**20:.1f} MiB: {tests.strip().splitlines()[-1]}")


def main() -> None:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = build(folder)
        try_wheel(wheel, folder)
        try_sdist(sdist, folder)
    print(f"The package is fine ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
