"""How a picture becomes a judgement: one file and one line here per model."""

from earlet_train.models.aasist import Aasist
from earlet_train.models.clstm import Clstm
from earlet_train.models.cqcc_resnet import CqccResNet
from earlet_train.models.fcn import Fcn
from earlet_train.models.lcnn import Lcnn
from earlet_train.models.mfcc_resnet import MfccResNet
from earlet_train.models.model import Model
from earlet_train.models.narrow_cnn import NarrowCnn
from earlet_train.models.res2net import Res2Net
from earlet_train.models.resnet50 import ResNet50
from earlet_train.models.spec_resnet import SpecResNet
from earlet_train.models.vgg import Vgg

MODELS: dict[str, type[Model]] = {
    "aasist": Aasist,
    "clstm": Clstm,
    "cqcc-resnet": CqccResNet,
    "fcn": Fcn,
    "lcnn": Lcnn,
    "mfcc-resnet": MfccResNet,
    "narrow-cnn": NarrowCnn,
    "res2net": Res2Net,
    "resnet50": ResNet50,
    "spec-resnet": SpecResNet,
    "vgg": Vgg,
}
