"""How a picture becomes a judgement: one file and one line here per model."""

from earlet_train.models.model import Model
from earlet_train.models.narrow_cnn import NarrowCnn
from earlet_train.models.spec_resnet import SpecResNet

MODELS: dict[str, type[Model]] = {
    "narrow-cnn": NarrowCnn,
    "spec-resnet": SpecResNet,
}
