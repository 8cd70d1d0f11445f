"""Makes an ONNX graph of a torch module that someone else's package builds: `package.module:name`.

What is named is called without arguments and gives a torch.nn.Module in eval mode that takes
waveforms [B, T] and gives what the manifest's [output] says. Its code runs: name only code that you
trust.
"""

import contextlib
import hashlib
import importlib
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn

from earlet.errors import RecipeError
from earlet_export.foreign.moments import by_moment
from earlet_export.foreign.ports import Array
from earlet_export.foreign.spec import Spec
from earlet_export.quiet import quiet
from earlet_export.trace import OPSET, WAVEFORM


@dataclass(frozen=True, kw_only=True, eq=False)
class TorchOriginal:
    """The module as it came, in eval mode: windows [B, T] -> answers [B, 1, M, n]."""

    module: nn.Module
    spec: Spec

    def __call__(self, windows: Array) -> Array:
        """One window at a time, as the runtime asks."""
        with torch.inference_mode():
            said = [
                by_moment(self.module(torch.from_numpy(window[None])).float().numpy(), self.spec)
                for window in windows
            ]
        return np.stack(said)[:, None]


def build_module(named: str) -> nn.Module:
    """`package.module:factory` -> its module, in eval mode. Raises RecipeError."""
    place, _, name = named.partition(":")
    try:
        factory = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(
            f"{named} names nothing that can be imported: {error}. Write package.module:factory, "
            "and install the package into this environment."
        ) from None
    module = factory if isinstance(factory, nn.Module) else factory()
    if not isinstance(module, nn.Module):
        raise RecipeError(
            f"{named} gives a {type(module).__name__}; expected a torch.nn.Module that takes "
            "waveforms [B, T]."
        )
    return module.eval()


def export_module(module: nn.Module, spec: Spec) -> onnx.ModelProto:
    """Module -> ONNX, length that of the window. Raises RecipeError.

    The batch is open where the module exports so, else one recording.
    """
    if spec.chunks is not None:
        raise RecipeError(
            f"{spec.source}: [chunks] is for ONNX models; let the module's forward walk over the "
            "pieces of a window itself."
        )
    try:
        return _exported(module, spec, batch=2)
    except torch.onnx.errors.OnnxExporterError as error:
        with contextlib.suppress(torch.onnx.errors.OnnxExporterError):
            return _exported(module, spec, batch=1)
        cause = str(error.__cause__ or error).splitlines()[0].rstrip(".")
        raise RecipeError(
            f"{spec.source}: the module does not export to ONNX: {cause}. Write that part with "
            "operations that torch.onnx knows, and with the batch left open."
        ) from error


def _exported(module: nn.Module, spec: Spec, *, batch: int) -> onnx.ModelProto:
    """Of several recordings the batch is left open."""
    rng = torch.Generator().manual_seed(0)
    example = torch.randn((batch, spec.data.window_samples), generator=rng) * 0.1
    open_batch = {0: torch.export.Dim("B", min=1, max=4096)}
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            dynamic_shapes=(open_batch,) if batch > 1 else None,
            input_names=[WAVEFORM],
            output_names=["answer"],
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def weights_sha256(module: nn.Module) -> str:
    """SHA-256 over names and values of all parameters and buffers, in the order of their names."""
    sha = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        sha.update(f"{name}\n{tuple(value.shape)} {value.dtype}\n".encode())
        numbers = value.detach().cpu().contiguous().reshape(-1)
        sha.update(numbers.view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
