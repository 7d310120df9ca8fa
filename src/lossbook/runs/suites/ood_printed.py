"""Out-of-distribution detection against the very data sets of the paper (`onecold`, Tables 4, 7 and 8)."""

from __future__ import annotations

from lossbook.data.other_sets import others_of
from lossbook.runs.suites.ood import METRICS, measure_against
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """The metrics of the suite ``ood``, against the unknown sets that the paper prints."""
    return Measured(measure_against(outputs, others_of("ood_printed", outputs.spec.dataset)))


SUITE = Suite(measure, METRICS)
