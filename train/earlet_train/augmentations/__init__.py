"""What training may do to a recording: one file and one line here per augmentation."""

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.augmentations.band_mask import BandMask
from earlet_train.augmentations.gain import Gain
from earlet_train.augmentations.noise import Noise

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "band-mask": BandMask,
    "gain": Gain,
    "noise": Noise,
}
