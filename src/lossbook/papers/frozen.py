"""The frozen tier: real classes on two cores.

A pretrained backbone's features of CIFAR-100, FashionMNIST and Omniglot were computed once; a run trains what comes after
them, a linear map to 128 dimensions and the objective.  So losses, heads and their comparison are real, but no loss shapes
the backbone.  Nothing was tuned: the learning rate is the quick tier's.
"""

from __future__ import annotations

from lossbook.runs.spec import RunSpec

# The linear map has a layer norm in front.  The first 50 training images of each class, all test images.
CIFAR100 = RunSpec(
    dataset="cifar100-efficientnet_lite0",
    model="identity",
    embedding_size=128,
    train_per_class=50,
    epochs=10,
    batch_size=100,
    lr=0.03,
)
LONG_TAIL = CIFAR100.replace(train_per_class=0, imbalance=100.0)
HALF = tuple(range(50))  # of the classes: trained on these, retrieval among the others
FASHION = CIFAR100.replace(dataset="fashion-mnist-efficientnet_lite0", train_per_class=500)  # as many images

# Claims whose check reads what was run here, with the same meaning as at the quick tier.
CLAIMS = {
    "uniform": (
        *("uniform-ordering", "uniform-auni-linear", "uniform-auni-cosine", "uniform-acw-linear", "uniform-acw-cosine"),
        *("uniform-asw", "uniform-best", "uniform-learned-threshold", "uniform-softmax-bias"),
        *("uniform-softmaxed", "uniform-rejection", "uniform-verification"),
    ),
    "bce3s": (
        *("bce3s-joint-few", "bce3s-joint-all", "bce3s-joint-many", "bce3s-contrastive-all", "bce3s-uniform-all"),
        *("bce3s-joint-compactness", "bce3s-contrastive-compactness", "bce3s-test-compactness"),
        *("bce3s-uniform-spread", "bce3s-benchmark-best", "bce3s-benchmark-few"),
    ),
    "multicenter": (
        *("multicenter-accuracy", "multicenter-accuracy-code", "multicenter-diversity", "multicenter-rank"),
        "multicenter-purity",
    ),
    "warped": (
        *("warped-beats-euclidean", "warped-beats-euclidean-map", "warped-two-phases", "warped-beats-proxy-nca"),
        *("warped-reality-euclidean", "warped-reality-nca", "warped-ensemble-best", "warped-complete-aggregate"),
    ),
}
