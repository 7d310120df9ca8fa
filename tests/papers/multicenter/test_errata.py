"""Numbers behind the errata of `multicenter` that are counted by hand."""

import pytest
import torch

from lossbook.models import create_model
from lossbook.papers.multicenter.errata import resnet_parameters


@pytest.mark.parametrize(("name", "blocks"), [("resnet50", (3, 4, 6, 3)), ("resnet101", (3, 4, 23, 3))])
def test_parameters_of_a_resnet_are_those_of_the_network(name, blocks):
    with torch.device("meta"):  # shapes only
        network, features = create_model(name)
    assert features == 2048
    assert resnet_parameters(blocks) == sum(p.numel() for p in network.parameters() if p.ndim != 2)
