"""What training may do to a recording: one file and one line here per augmentation."""

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.augmentations.band_mask import BandMask
from earlet_train.augmentations.codec import Codec
from earlet_train.augmentations.gain import Gain
from earlet_train.augmentations.image_geometry import ImageGeometry
from earlet_train.augmentations.mixup import Mixup
from earlet_train.augmentations.noise import Noise
from earlet_train.augmentations.pitch import Pitch
from earlet_train.augmentations.random_specmix import RandomSpecMix
from earlet_train.augmentations.room import Room
from earlet_train.augmentations.specmix import SpecMix
from earlet_train.augmentations.speed import Speed
from earlet_train.augmentations.telephone import Telephone

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "band-mask": BandMask,
    "codec": Codec,
    "gain": Gain,
    "image-geometry": ImageGeometry,
    "mixup": Mixup,
    "noise": Noise,
    "pitch": Pitch,
    "random-specmix": RandomSpecMix,
    "room": Room,
    "specmix": SpecMix,
    "speed": Speed,
    "telephone": Telephone,
}
