"""How released weights are named and laid out in their authors' files, one class per public source.

The names are facts of the published code, learnt by reading it; nothing of it is copied.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from earlet.errors import BundleError, RecipeError
from earlet_train.models.aasist import Aasist
from earlet_train.models.lcnn import Lcnn
from earlet_train.models.model import Model
from earlet_train.models.residual import ResidualNetwork
from earlet_train.models.resnet50 import ResNet50

Weights = Mapping[str, Tensor]

BONAFIDE, SPOOF = "bonafide", "spoof"
# Counts batches in training; released files older than it do without.
COUNTER = "num_batches_tracked"


def layout_of(model: Model, labels: Sequence[str]) -> "Layout":
    """The released layout that belongs to this model. Raises RecipeError for others."""
    for kind, layout in LAYOUTS:
        if isinstance(model, kind):
            return layout(model, labels)
    raise RecipeError(
        f"nobody released weights for {type(model).__name__} that earlet knows. Known: "
        f"{', '.join(kind.__name__ for kind, _ in LAYOUTS)}."
    )


class Layout(ABC):
    """One way in which released weights are named and laid out."""

    def __init__(self, model: Model, labels: Sequence[str]) -> None:
        self.model = model
        self.labels = tuple(labels)

    @abstractmethod
    def modules(self, stored: Weights, *, source: Path) -> dict[str, str]:
        """Names of our modules, or of single tensors -> theirs. What is not named keeps its own."""

    def fitted(self, name: str, tensor: Tensor) -> Tensor:
        """Their tensor as ours: `name` is ours."""
        return tensor

    def rows(self, tensor: Tensor, published: tuple[str, ...]) -> Tensor:
        """Outputs [K, ...] in their order -> in the recipe's."""
        if sorted(self.labels) != sorted(published):
            raise RecipeError(
                f"the released weights tell {' from '.join(published)}; the recipe's labels are "
                f"{', '.join(self.labels)}. Set labels = {list(published)}, in any order."
            )
        if len(tensor) != len(published):
            return tensor  # the shape will be refused
        return tensor[[published.index(label) for label in self.labels]]


class UclaNesl(Layout):
    """nesl/asvspoof2019: conv1, block1 to block9 or block11, bn, fc1, fc2.

    The Spec-ResNet that is stored has eleven blocks, 315,490 parameters, of which six ever ran:
    every second. Their batch norms counted batches, the others' did not.
    """

    WITHIN: ClassVar[dict[str, str]] = {
        "before.0": "pre_bn",
        "main.0": "conv1",
        "main.1": "bn1",
        "main.4": "conv2",
        "skip": "conv11",
    }

    def modules(self, stored: Weights, *, source: Path) -> dict[str, str]:
        """By the blocks that ran."""
        assert isinstance(self.model, ResidualNetwork)
        refuse_preactivation(self.model)
        ran, wanted = blocks_that_ran(stored), len(self.model.blocks)
        if len(ran) != wanted:
            raise BundleError(
                f"{source}: {len(ran)} residual blocks were trained in it; expected {wanted}, the "
                "recipe's [model] blocks. These are the weights of another network."
            )
        modules = {"stem": "conv1", "norm": "bn", "hidden": "fc1", "output": "fc2"}
        for i, number in enumerate(ran):
            modules |= {f"blocks.{i}.{a}": f"block{number}.{b}" for a, b in self.WITHIN.items()}
        return modules

    def fitted(self, name: str, tensor: Tensor) -> Tensor:
        """Outputs in the recipe's order."""
        return self.rows(tensor, (SPOOF, BONAFIDE)) if name.startswith("output.") else tensor


def refuse_preactivation(model: ResidualNetwork | Aasist) -> None:
    """Raises RecipeError where the model would use what never trained."""
    if model.preact:
        raise RecipeError(
            "the released weights were trained without pre-activation (the published code "
            "overwrites it). Set [model] preact = false."
        )


def blocks_that_ran(stored: Weights) -> list[int]:
    """Numbers of the blocks that ever saw a batch; where nothing was counted, by their number.

    Nine stored blocks all run (MFCC), of eleven every second (Spec).
    """
    numbers = sorted(
        int(name.split(".")[0].removeprefix("block"))
        for name in stored
        if name.startswith("block") and name.endswith(".conv1.weight")
    )
    counted = [n for n in numbers if bool(stored.get(f"block{n}.bn1.{COUNTER}", torch.tensor(0)))]
    if counted:
        return counted
    return numbers[::2] if len(numbers) == 11 else numbers


class Baseline2021(Layout):
    """The LFCC-LCNN of the ASVspoof 2021 baselines: m_transform, m_before_pooling, m_output_act.

    Time lies before frequency there, so kernels are turned; its one output is the log-odds of bona
    fide, so the output of a spoof is nought and the difference stays what it was.
    """

    def modules(self, stored: Weights, *, source: Path) -> dict[str, str]:
        """The convolutions stand in the same order, one by one."""
        assert isinstance(self.model, Lcnn)
        trained = sum(name.endswith("l_blstm.weight_ih_l0") for name in stored)
        if trained != len(self.model.lstms):
            raise BundleError(
                f"{source}: {trained} LSTMs were trained in it; expected {len(self.model.lstms)}, "
                "the recipe's [model] lstms. Set them equal."
            )
        body = {f"body.{i}": f"m_transform.0.{i}" for i in range(len(self.model.body))}
        lstms = {
            f"lstms.{i}": f"m_before_pooling.0.{i}.l_blstm" for i in range(len(self.model.lstms))
        }
        return body | lstms | {"output": "m_output_act.0"}

    def fitted(self, name: str, tensor: Tensor) -> Tensor:
        """Kernels turned, the one output made two."""
        if name.startswith("output.") and len(tensor) == 1:
            return self.rows(torch.cat([torch.zeros_like(tensor), tensor]), (SPOOF, BONAFIDE))
        return tensor.transpose(2, 3).contiguous() if tensor.ndim == 4 else tensor


class Clova(Layout):
    """clovaai/aasist: AASIST and AASIST-L."""

    BLOCK: ClassVar[dict[str, str]] = {
        "before.0": "bn1",
        "main.0": "conv1",
        "main.1": "bn2",
        "main.3": "conv2",
        "skip": "conv_downsample",
    }
    GRAPH: ClassVar[dict[str, str]] = {
        "edge": "att_proj",
        "weight": "att_weight",
        "attended": "proj_with_att",
        "own": "proj_without_att",
        "norm": "bn",
    }
    KINDS: ClassVar[dict[str, str]] = GRAPH | {
        "kind_1": "proj_type1",
        "kind_2": "proj_type2",
        "edge_master": "att_projM",
        "weight_11": "att_weight11",
        "weight_22": "att_weight22",
        "weight_12": "att_weight12",
        "weight_master": "att_weightM",
        "attended_master": "proj_with_attM",
        "own_master": "proj_without_attM",
    }

    def modules(self, stored: Weights, *, source: Path) -> dict[str, str]:
        """One by one."""
        assert isinstance(self.model, Aasist)
        refuse_preactivation(self.model)
        names = {"norm": "first_bn", "positions": "pos_S", "output": "out_layer"}
        for i in range(len(self.model.blocks)):
            names |= {f"blocks.{i}.{a}": f"encoder.{i}.0.{b}" for a, b in self.BLOCK.items()}
        for kind in "st":
            names[f"pool_{kind}.score"] = f"pool_{kind.upper()}.proj"
            graph = f"GAT_layer_{kind.upper()}"
            names |= {f"attention_{kind}.{a}": f"{graph}.{b}" for a, b in self.GRAPH.items()}
        for i in (0, 1):
            names[f"branches.{i}.master"] = f"master{i + 1}"
            for kind in "st":
                names[f"branches.{i}.pool_{kind}.score"] = f"pool_h{kind.upper()}{i + 1}.proj"
            for layer, number in (("first", 1), ("second", 2)):
                ours, theirs = f"branches.{i}.{layer}", f"HtrgGAT_layer_ST{i + 1}{number}"
                names |= {f"{ours}.{a}": f"{theirs}.{b}" for a, b in self.KINDS.items()}
        return names

    def fitted(self, name: str, tensor: Tensor) -> Tensor:
        """Outputs in the recipe's order."""
        return self.rows(tensor, (SPOOF, BONAFIDE)) if name.startswith("output.") else tensor


class Torchvision(Layout):
    """ResNet50 under torchvision's names. Its last layer names ImageNet's classes: ours stays."""

    def modules(self, stored: Weights, *, source: Path) -> dict[str, str]:
        """The same names."""
        return {name: name for name, _ in self.model.named_modules() if name != "output"}

    def fitted(self, name: str, tensor: Tensor) -> Tensor:
        """For one channel the kernels of three are added: what a grey image would have given."""
        if name == "conv1.weight" and tensor.ndim == 4 and self._is_grey:
            return tensor.sum(dim=1, keepdim=True)
        return tensor

    @property
    def _is_grey(self) -> bool:
        assert isinstance(self.model, ResNet50)
        return self.model.conv1.in_channels == 1


LAYOUTS: tuple[tuple[type[Model], type[Layout]], ...] = (
    (ResidualNetwork, UclaNesl),
    (Lcnn, Baseline2021),
    (Aasist, Clova),
    (ResNet50, Torchvision),
)
