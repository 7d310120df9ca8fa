import hypothesis
import pytest
import torch

torch.set_num_threads(1)

hypothesis.settings.register_profile("lossbook", derandomize=True, deadline=None, max_examples=60, database=None)
hypothesis.settings.load_profile("lossbook")


@pytest.fixture(
    params=["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))]
)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)
