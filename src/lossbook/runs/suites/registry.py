"""All suites, written out; a run spec names those that measure the run."""

from __future__ import annotations

from lossbook.runs.suites import (
    bench,
    collapse,
    corruption,
    diversity,
    geometry,
    layers,
    longtail,
    neighbours,
    ood,
    ood_printed,
    openset,
    plane,
    posthoc,
    reality_check,
    rejection,
    rejection_others,
    retrieval,
    tsne,
    uniformity,
    verification,
)
from lossbook.runs.suites.suite import Suite

SUITES: dict[str, Suite] = {
    "bench": bench.SUITE,
    "collapse": collapse.SUITE,
    "corruption": corruption.SUITE,
    "diversity": diversity.SUITE,
    "geometry": geometry.SUITE,
    "layers": layers.SUITE,
    "longtail": longtail.SUITE,
    "neighbours": neighbours.SUITE,
    "ood": ood.SUITE,
    "ood_printed": ood_printed.SUITE,
    "openset": openset.SUITE,
    "plane": plane.SUITE,
    "posthoc": posthoc.SUITE,
    "reality_check": reality_check.SUITE,
    "rejection": rejection.SUITE,
    "rejection_others": rejection_others.SUITE,
    "retrieval": retrieval.SUITE,
    "tsne": tsne.SUITE,
    "uniformity": uniformity.SUITE,
    "verification": verification.SUITE,
}
