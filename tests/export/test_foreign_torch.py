"""PyTorch modules of other packages: found by their name, exported, wrapped as files are."""

import sys
import types

import numpy as np
import pytest
import torch
from foreign.small import BANDS, agree, filters, sound, spec

from earlet.errors import RecipeError
from earlet_export.foreign.torch_module import (
    TorchOriginal,
    build_module,
    export_module,
    weights_sha256,
)
from earlet_export.foreign.wrapped import wrap
from earlet_export.join import join
from earlet_export.quantize import layers
from earlet_export.run import Runner


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
        untouched=TorchOriginal(module=module, spec=chosen),
    )
    logits = agree(wrapped)
    with torch.no_grad():
        np.testing.assert_allclose(logits, module(torch.from_numpy(sound())).numpy(), atol=1e-5)


class Loudest(torch.nn.Module):
    """As torchaudio's AmplitudeToDB does with [B, F, N]: a floor below the loudest of the batch.

    `below`: how far, in nepers of power; `sure`: its answer is a probability near 0.
    """

    def __init__(self, *, behind: bool = False, below: float = 6.0, sure: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("dft", torch.from_numpy(filters()))
        self.body = torch.nn.Sequential(
            torch.nn.Conv1d(BANDS, 16, 3), torch.nn.BatchNorm1d(16), torch.nn.ReLU()
        )
        self.last = torch.nn.Linear(16, 2)
        self.behind, self.below, self.sure = behind, below, sure

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        bands = torch.nn.functional.conv1d(waveform[:, None], self.dft, stride=50)  # type: ignore[arg-type]
        log = torch.log(torch.clamp(bands**2, min=1e-12))
        log = torch.maximum(log, log.max() - self.below)
        h = self.body(log)
        if self.behind:
            h = h / (1 + h.max())
        answer: torch.Tensor = self.last(h.mean(dim=2))
        return torch.sigmoid(answer[:, :1] - 30) if self.sure else answer


@pytest.mark.parametrize("behind", [False, True])
def test_recordings_that_heed_each_other_in_a_batch_are_heard_one_at_a_time(behind: bool) -> None:
    module, chosen = Loudest(behind=behind).eval(), spec('[output]\nmeans = "logits"\n')
    original = TorchOriginal(module=module, spec=chosen)
    wrapped = wrap(export_module(module, chosen), chosen, sha256="", untouched=original)
    assert wrapped.one_by_one == (not behind)
    assert wrapped.ports.batched == (not behind)
    assert bool(layers(wrapped.cut.traced.model)) == (not behind)
    waves = (sound() * np.array([[1], [0.1], [0.01], [0.001]])).astype(np.float32)
    run = Runner.of(join(wrapped.cut.traced.frontend, wrapped.cut.traced.model))
    np.testing.assert_allclose(run(waves), wrapped.logits(waves), atol=1e-5)


def test_recordings_that_heed_each_other_are_found_out_by_a_model_that_is_sure_of_all() -> None:
    """80 dB below the loudest, and no probability above 1e-5."""
    module = Loudest(below=18.4, sure=True).eval()
    chosen = spec('[output]\nmeans = "probability"\n')
    original = TorchOriginal(module=module, spec=chosen)
    wrapped = wrap(export_module(module, chosen), chosen, sha256="", untouched=original)
    assert original(sound()).max() < 1e-5
    assert (wrapped.one_by_one, wrapped.ports.batched) == (True, True)
    agree(wrapped)


class Grouped(torch.nn.Module):
    """As torchaudio's ComputeDeltas does: as many groups as there are rows in the batch."""

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        rows = waveform.reshape(1, -1, waveform.shape[1])
        kernel = torch.tensor([-1.0, 0.0, 1.0]).repeat(rows.shape[1], 1, 1)
        slopes = torch.nn.functional.conv1d(rows, kernel, groups=rows.shape[1]).abs()
        return torch.log(slopes.mean(dim=2) + 1e-6).reshape(-1, 1)


def test_a_module_that_exports_with_one_recording_only_is_taken_so() -> None:
    module, chosen = Grouped().eval(), spec()
    original = TorchOriginal(module=module, spec=chosen)
    wrapped = wrap(export_module(module, chosen), chosen, sha256="", untouched=original)
    agree(wrapped)


def test_the_hash_of_a_module_counts_every_number() -> None:
    module = Loudest(behind=False)
    before = weights_sha256(module)
    assert weights_sha256(Loudest(behind=False)) == before
    dict(module.named_buffers())["body.1.num_batches_tracked"].add_(1)
    assert weights_sha256(module) != before


@pytest.mark.parametrize("named", ["nothing.there:f", "json:nothing", "json"])
def test_a_module_that_is_not_there_is_refused(named: str) -> None:
    with pytest.raises(RecipeError, match="names nothing that can be imported"):
        build_module(named)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"expected a torch\.nn\.Module"):
        build_module("collections:OrderedDict")
