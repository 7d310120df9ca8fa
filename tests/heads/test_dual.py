"""The dual head of `onecold`: its three predictions."""

import pytest
import reference_onecold as ref
import torch

from lossbook.heads import DualHead


def test_combined_prediction_is_the_difference_of_sec_3_3():
    head = DualHead(8, 5).double()
    features = torch.randn(4, 8, dtype=torch.float64)
    for row, ce, occe in zip(head(features), head.ce(features), head.occe(features), strict=True):
        p, anti = ref.probabilities(ce.tolist()), ref.anti_probabilities(occe.tolist())
        assert row.tolist() == pytest.approx([x - y / max(anti) for x, y in zip(p, anti, strict=True)])


@pytest.mark.parametrize("prediction", DualHead.predictions)
def test_the_dual_head_answers_as_the_head_that_predicts(prediction):
    head = DualHead(6, 4, prediction)
    features = 3 * torch.randn(5, 6)
    own = head.occe if prediction == "occe" else head.ce
    assert head.weight is own.weight and head.bias is own.bias
    torch.testing.assert_close(head(features), head.similarities(features) - head.threshold())
    if prediction != "combined":
        torch.testing.assert_close(head(features), own(features))
        torch.testing.assert_close(head.threshold(), own.threshold())
    half = head.to(torch.bfloat16)(features.bfloat16())
    assert half.dtype == (torch.float32 if prediction == "combined" else torch.bfloat16)
