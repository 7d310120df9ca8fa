"""SHA-256 over the shape, the images and the labels of every data set (see ``content_hash``).

``gtsrb`` is an unknown set: 1,500 test images at 32 x 32 pixels, every label 0.
"""

SHA256 = {
    "mnist5k": {
        "train": "ed7501b168a0bce9b3a054f2687edcd826fc5d38d7f6f43160f412129d935520",
        "test": "bfeff0e8795ac1f86c9855af4d825436d265842b7b3db86c5344e7b862582a52",
    },
    "digits": {
        "train": "2d892ad0f9c2dd29d7ff27ac5adc17b94a9287187b7fc023238c815db02e287d",
        "test": "b89b944b1480fe43a63d916b349ba9e96d356792185770cf65183d5356a476db",
    },
    "patches": {
        "train": "1daaad1df9465ca93f900538e728c279b05423726a3c96fe9c2450af4e89aef4",
        "test": "98d0b5c8ee907faa621c2add74c76bf6b268bf6e1adc7b5eabb88e7c1170ac33",
    },
    "fashion-mnist": {
        "train": "a8007d7be041707b663947cf4c2d8a73d1704ccde85043273b866d5181bde6c2",
        "test": "3581bf52f521803120533f28e81ae934decd1771980630083c739dc6da7d3bc6",
    },
    "cifar10": {
        "train": "f3120a8fa253dbdad16aeebfcbcdbe65951c58226061082bf1b61dde3add92d7",
        "test": "815bee49b92162b075142619fb16b9562d1186e49d0509d9cf0af8940f739265",
    },
    "cifar100": {
        "train": "f317bded07d1d3a909562a1178725e166e72f0c555c98e0a08304de390c326c2",
        "test": "c4e5d0f8abe8dec50f355ad5e622c815abd93293ca7b5ab9fd56af32924c2061",
    },
    "omniglot": {
        "train": "1c23a56a57944e44474be2746fa22b2ea93a7e1a4c9bcb593c7761ed1d1ac7c7",
        "test": "aeff99f6d9c89dcf4ae87f44fcc8704ea5f50408673b0788d69ccdf79f5a03ca",
    },
    "gtsrb": {"test": "6b7a2803fe6aa7daab3ae090ea1b5e1d487dfc14d31331146ed393f0c5621f24"},
}

# Photographs are decoded and resized by a library whose last bit may differ between versions: counted, not hashed.
COUNTS = {
    "imagenet-lt": {"train": 115_846, "test": 50_000},
    "inaturalist2018": {"train": 437_513, "test": 24_426},
    "cub-retrieval": {"train": 11_788, "test": 11_788},
    "cars-retrieval": {"train": 16_185, "test": 16_185},
    "sop": {"train": 120_053, "test": 120_053},
}
