"""Rejection and verification with one threshold (`uniform`), with the images of another data set as the unknown ones."""

from __future__ import annotations

import dataclasses

from lossbook.data.load import load_test
from lossbook.data.other_sets import others_of
from lossbook.data.unknown import unknown_for
from lossbook.runs.suites import rejection
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """As the suite ``rejection`` measures a run on some classes, with another data set in the place of the classes left out."""
    (name,) = others_of("rejection_others", outputs.spec.dataset)
    known = outputs.data.test.images
    images = unknown_for(outputs.spec.dataset, name, known, known.shape[-1])
    labels = load_test(name).labels
    return rejection.measure(dataclasses.replace(outputs, unknown_features=outputs.extract(images), unknown_labels=labels))


SUITE = Suite(measure, rejection.SUITE.metrics)
