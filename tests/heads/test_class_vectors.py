"""Class vectors: with them a product is what the head computes, of the features or of their directions."""

import pytest
import torch
import torch.nn.functional as F

from lossbook.heads.class_vectors import class_vectors
from lossbook.heads.linear import CosineHead, LinearHead
from lossbook.heads.multicenter import MultiCenterCosineHead, MultiCenterHead


class NearlyCosineHead(LinearHead):
    """Lengths with a constant added, so that twice the length changes the similarities a little."""

    def similarities(self, features):
        return F.linear(features / (features.norm(dim=1, keepdim=True) + 1e-5), self.weight)


HEADS = {
    LinearHead: False,
    MultiCenterHead: False,
    CosineHead: True,
    MultiCenterCosineHead: True,
    NearlyCosineHead: True,
}


@pytest.mark.parametrize(("kind", "directions_only"), HEADS.items())
def test_products_with_them_are_the_similarities(kind, directions_only):
    torch.manual_seed(0)
    head, features = kind(6, 4), 3 * torch.randn(20, 6)
    vectors, found = class_vectors(head)
    assert found is directions_only
    inputs = F.normalize(features, dim=1) if found else features
    torch.testing.assert_close(F.linear(inputs, vectors), head.similarities(features), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("kind", "directions_only"), HEADS.items())
def test_half_precision_tells_them_apart(kind, directions_only, dtype):
    torch.manual_seed(0)
    assert class_vectors(kind(6, 4).to(dtype))[1] is directions_only


def test_a_linear_head_has_its_weight_to_the_last_bit():
    head = LinearHead(6, 4)
    assert class_vectors(head)[0].equal(head.weight)
