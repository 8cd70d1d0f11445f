"""Reads the weights that a system's authors released into our model of that system.

    model = build_network(recipe).model
    load_released(Path("spec_logical.pth"), model, labels=recipe.labels)

`earlet_train.adopt` makes a checkpoint of a network whose weights were released.

Known: the weights published with Spec- and MFCC-ResNet (nesl/asvspoof2019), those of the LFCC-LCNN
baseline of ASVspoof 2021, and any weights of an ImageNet ResNet50 under torchvision's names. The
files are not part of earlet: download them where their authors publish them. They are read as
numbers only (`weights_only`), so a file cannot run anything.

The released files do not say which label an output means. Their authors' code does: the first is
a spoof, the second bona fide. Here the recipe orders its labels, and the outputs follow it.
"""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from earlet.errors import BundleError, RecipeError
from earlet_train.models.lcnn import Lcnn
from earlet_train.models.model import Model
from earlet_train.models.residual import ResidualNetwork
from earlet_train.models.resnet50 import ResNet50

Weights = Mapping[str, Tensor]

BONAFIDE, SPOOF = "bonafide", "spoof"
# Under which keys people put the weights when they save more than the weights.
_WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state", "weights")
# Counts batches in training; released files older than it do without.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """How much was taken; names of what the file holds beside it, and of ours that it lacks."""

    tensors: int
    numbers: int
    left: tuple[str, ...]
    fresh: tuple[str, ...]


def load_released(path: Path, model: Model, *, labels: Sequence[str]) -> Loaded:
    """Put the released weights in `path` into `model`, all or none.

    `labels`: the recipe's, in the order of the model's outputs. Raises BundleError where the file
    is not one of weights, or does not fit: the message names the first tensor that does not;
    RecipeError for labels that the released weights do not know.
    """
    stored = read_weights(path)
    layout = layout_of(model, labels)
    modules = layout.modules(stored, source=path)
    weights, used, fresh = model.state_dict(), set(), []
    for name, ours in weights.items():
        module, _, leaf = name.rpartition(".")
        if module not in modules:
            fresh.append(name)
            continue
        theirs = f"{modules[module]}.{leaf}"
        if theirs not in stored:
            if leaf == _COUNTER:
                continue
            raise _misfit(path, f"it holds no tensor {theirs!r}", name, ours)
        fitted = layout.fitted(name, stored[theirs])
        if fitted.shape != ours.shape:
            found = f"its tensor {theirs!r} has the shape {list(stored[theirs].shape)}"
            raise _misfit(path, found, name, ours)
        weights[name] = fitted.to(ours.dtype)
        used.add(theirs)
    model.load_state_dict(weights)
    return Loaded(
        tensors=len(used),
        numbers=sum(stored[name].numel() for name in used),
        left=tuple(name for name in stored if name not in used),
        fresh=tuple(fresh),
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """A file of torch.save or safetensors -> its tensors by name, wrappers taken off. BundleError.

    Wrappers: a table around the weights (`{"model": ...}`), `module.` before every name.
    """
    if not path.is_file():
        raise BundleError(f"there is no file {path}. Give the path of the released weights.")
    try:
        if path.suffix == ".safetensors":
            content: object = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise BundleError(
            f"{path} is not a file of weights that PyTorch can read without running code "
            f"({str(error).splitlines()[0]}). Download it again; if it holds a whole pickled "
            "model, save its state_dict() with the code it came from."
        ) from None
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    tensors = (
        {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    if not tensors:
        raise BundleError(
            f"{path} holds no table of tensors, but {type(content).__name__}. Expected a "
            f"state_dict, bare or under one of {', '.join(_WRAPPERS)}."
        )
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


def _misfit(path: Path, found: str, name: str, ours: Tensor) -> BundleError:
    return BundleError(
        f"{path}: {found}; expected one of shape {list(ours.shape)} for {name!r}. These are the "
        "weights of another network, or the recipe's [frontend] and [model] differ from those "
        "that they were trained with."
    )


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
        """Names of our modules -> theirs. Modules that are not named keep their weights."""

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
        if self.model.preact:
            raise RecipeError(
                "the released weights were trained without pre-activation (the published code "
                "overwrites it). Set [model] preact = false."
            )
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


def blocks_that_ran(stored: Weights) -> list[int]:
    """Numbers of the blocks that ever saw a batch; where nothing was counted, by their number.

    Nine stored blocks all run (MFCC), of eleven every second (Spec).
    """
    numbers = sorted(
        int(name.split(".")[0].removeprefix("block"))
        for name in stored
        if name.startswith("block") and name.endswith(".conv1.weight")
    )
    counted = [n for n in numbers if bool(stored.get(f"block{n}.bn1.{_COUNTER}", torch.tensor(0)))]
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
    (ResNet50, Torchvision),
)
