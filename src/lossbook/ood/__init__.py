"""Out-of-distribution detectors as modules: ``detector.fit(train_features, head, labels)`` once, then ``detector(features)``.

Each gives the score of the function of the same name in :mod:`lossbook.metrics.ood`, (B,), larger = more likely known.
:func:`lossbook.metrics.thresholds.calibrate` chooses a threshold on it.
"""

from lossbook.ood.classifiers import DICE, SCALE, ViM
from lossbook.ood.detector import Detector, linear_classifier
from lossbook.ood.distances import KNN, RMDS
from lossbook.ood.logits import MSP, ODIN, Energy
from lossbook.ood.patterns import SHE, Relation

__all__ = [
    "DICE",
    "KNN",
    "MSP",
    "ODIN",
    "RMDS",
    "SCALE",
    "SHE",
    "Detector",
    "Energy",
    "Relation",
    "ViM",
    "linear_classifier",
]
