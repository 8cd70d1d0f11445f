"""PyTorch modules of other packages: found by their name, exported, wrapped as files are."""

import sys
import types

import numpy as np
import pytest
import torch
from foreign.small import BANDS, agree, filters, sound, spec

from earlet.errors import RecipeError
from earlet_export.foreign.torch_module import TorchOriginal, build_module, export_module
from earlet_export.foreign.wrapped import wrap


class Tones(torch.nn.Module):
    """A detector as another package might have one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("dft", torch.from_numpy(filters()))
        self.conv = torch.nn.Conv1d(BANDS, 16, 3, padding=1)
        self.last = torch.nn.Linear(16, 2)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        bands = torch.nn.functional.conv1d(waveform[:, None], self.dft, stride=50)  # type: ignore[arg-type]
        log = torch.log(torch.clamp(bands**2, min=1e-6))
        answer: torch.Tensor = self.last(torch.relu(self.conv(log)).mean(dim=2))
        return answer


def test_a_torch_module_is_wrapped_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("someones_package")
    package.detector = Tones  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "someones_package", package)
    module = build_module("someones_package:detector")
    chosen = spec('[output]\nmeans = "logits"\n')
    wrapped = wrap(
        export_module(module, chosen),
        chosen,
        sha256="",
        untouched=TorchOriginal(module=module),
    )
    logits = agree(wrapped)
    with torch.no_grad():
        np.testing.assert_allclose(logits, module(torch.from_numpy(sound())).numpy(), atol=1e-5)


@pytest.mark.parametrize("named", ["nothing.there:f", "json:nothing", "json"])
def test_a_module_that_is_not_there_is_refused(named: str) -> None:
    with pytest.raises(RecipeError, match="names nothing that can be imported"):
        build_module(named)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"expected a torch\.nn\.Module"):
        build_module("collections:OrderedDict")
