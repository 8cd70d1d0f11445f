"""Reads the weights that a system's authors released into our model of that system.

    model = build_network(recipe).model
    load_released(Path("spec_logical.pth"), model, labels=recipe.labels)

`earlet_train.adopt` makes a checkpoint of a network whose weights were released.

Known: the weights published with Spec- and MFCC-ResNet (nesl/asvspoof2019), those of the LFCC-LCNN
baseline of ASVspoof 2021, those of AASIST and AASIST-L (clovaai/aasist), and any weights of an
ImageNet ResNet50 under torchvision's names; `released_layouts` says how each is laid out. The files
are not part of earlet: download them where their authors publish them. They are read as numbers
only (`weights_only`), so a file cannot run anything.

The released files do not say which label an output means. Their authors' code does: the first is
a spoof, the second bona fide. Here the recipe orders its labels, and the outputs follow it.
"""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from earlet.errors import BundleError
from earlet_train.models.model import Model
from earlet_train.released_layouts import COUNTER, layout_of

# Under which keys people put the weights when they save more than the weights.
_WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state", "weights")


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
        if name in modules:
            theirs = modules[name]
        elif module in modules:
            theirs = f"{modules[module]}.{leaf}"
        else:
            fresh.append(name)
            continue
        if theirs not in stored:
            if leaf == COUNTER:
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
