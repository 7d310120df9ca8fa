"""Import torchvision, also beside a torch that it was not built for.

The wheel of torchvision expects a CUDA build of torch.  With a CPU build its compiled operators cannot load, and its
import then fails because two operator names, ``nms`` and ``qnms``, are unknown.  Declaring their schemas cures it:
models, transforms and data sets need neither.  Everything that needs torchvision (timm too) imports it from here.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch

from lossbook.optional import extra

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a library's operators vanish with the object


def _import() -> ModuleType:
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
    return importlib.import_module("torchvision")


with extra("run"):
    torchvision = _import()
datasets = importlib.import_module("torchvision.datasets")
