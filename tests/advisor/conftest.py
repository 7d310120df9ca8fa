"""A backbone of a user's own."""

import sys
import types

import pytest
import torch

from lossbook.advisor.images import Backbone


class Colours(torch.nn.Module):
    """Mean of every channel."""

    def forward(self, images):
        return images.mean((2, 3))


@pytest.fixture
def tiny(monkeypatch):
    """Found as ``module:function``."""
    module = types.ModuleType("my_backbone")
    module.colours = Colours
    monkeypatch.setitem(sys.modules, "my_backbone", module)
    return Backbone("my_backbone:colours", side=8)
