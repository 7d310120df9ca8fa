"""The errata of all papers."""

from __future__ import annotations

from lossbook.papers.bce3s import errata as bce3s
from lossbook.papers.erratum import Erratum
from lossbook.papers.multicenter import errata as multicenter
from lossbook.papers.onecold import errata as onecold
from lossbook.papers.uniform import errata as uniform
from lossbook.papers.warped import errata as warped

ERRATA: dict[str, tuple[Erratum, ...]] = {
    "uniform": uniform.ERRATA,
    "bce3s": bce3s.ERRATA,
    "multicenter": multicenter.ERRATA,
    "warped": warped.ERRATA,
    "onecold": onecold.ERRATA,
}
