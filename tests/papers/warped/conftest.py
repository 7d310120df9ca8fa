"""Made-up results of `warped`."""

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.warped.read import AT_R, EVIDENCE, RETRIEVAL, SETTINGS
from lossbook.runs.spec import spec_columns


@pytest.fixture
def made() -> pd.DataFrame:
    """Every run of the quick tier: its recall is decided by its loss alone, its reality check by method, setting and split."""
    runs = [
        {"table": table.name, "run_id": spec.run_id} | spec_columns(spec)
        for table in EVIDENCE.tables
        for spec in table.runs("quick")
    ]
    frame = pd.DataFrame(runs).reindex(columns=["table", "run_id", *EVIDENCE.spec_columns])
    for metric in RETRIEVAL:
        frame[f"unknown_{metric}"] = np.where(frame["objective"] == "warped-softmax", 0.9, 0.8) + 0.001 * frame["seed"]
        frame[f"unknown_{metric}_cosine"] = 0.7
    for name in ("none", "gaussian", "jigsaw"):
        frame[f"corrupted_{name}"] = frame["unknown_recall@1"] - 0.1 * (name != "none")
    frame["train_avg_dtp"] = frame["arg_alpha"].fillna(2.0).clip(0.5, 100)
    level = frame["objective"].map({"warped-softmax": 0.7, "euclidean-softmax": 0.6, "proxy-nca++": 0.5})
    level += [0.01 * min(classes, default=0) for classes in frame["classes"]]
    for part in SETTINGS:
        for metric in AT_R:
            frame[f"{part}_{metric}"] = level + {"complete": 0.05, "concatenated": 0.1}.get(part, 0.0)
    return frame
