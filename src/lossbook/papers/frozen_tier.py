"""The frozen tier: real classes on two cores.

A pretrained backbone's features of CIFAR-100, FashionMNIST and Omniglot were computed once; a run trains what comes after
them, a linear map to 128 dimensions and the objective.  So losses, heads and their comparison are real, but no loss shapes
the backbone.  The learning rate of these specs is that of the runs that are not tuned; a paper with searches takes over its own.
"""

from __future__ import annotations

from lossbook.runs.spec import RunSpec

# A layer norm comes before the linear map.  Runs train on the first 50 images of each class and test on all test images.
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
HALF = tuple(range(50))  # the classes to train on where retrieval is among the others
FASHION = CIFAR100.replace(dataset="fashion-mnist-efficientnet_lite0", train_per_class=500)  # as many images in all
