"""What a program adds to the registries while it runs.

It stands here beside the registries because their syntax trees do not show it: the fingerprint of a run looks here.
Importing this does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossbook.data.dataset import DataSet
    from lossbook.objectives.entry import Entry

OBJECTIVES: dict[str, Entry] = {}
DATASETS: dict[str, DataSet] = {}
