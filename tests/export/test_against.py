"""A written bundle held against a checkpoint: the right one, another one, and what cannot be."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from earlet.against import Plan
from earlet.bundle import Bundle
from earlet.cli import run
from earlet.errors import CorpusError, ParityError
from earlet.manifest import Calibration, canonical_json
from earlet_export.against import Against, climb_bundle, contract_differences
from earlet_export.export import Exported
from earlet_export.ladder import FLOAT64
from earlet_train.checkpoint import Checkpoint, save_checkpoint

Climb = Callable[..., Against]


@pytest.fixture
def climb(exported: Exported, run_folder: Path, corpus: Path) -> Climb:
    """`climb(run=..., data=...)`: the exported bundle against a run."""

    def against(*, run: Path = run_folder, data: Path | None = corpus, **plan: object) -> Against:
        wanted = Plan(
            precisions=("fp32", "int8"),
            data=data,
            split="dev",
            limit=400,
            threads=1,
            skip_bad=False,
            on_step=lambda _: None,
        )
        changed = dataclasses.replace(wanted, **plan)  # type: ignore[arg-type]
        return climb_bundle(Bundle.open(exported.path), run, changed)

    return against


@pytest.fixture
def other_run(checkpoint: Checkpoint, tmp_path: Path) -> Callable[..., Path]:
    """`other_run(scale=1.1)`: a run whose weights differ, or whose recipe's text does."""

    def write(*, scale: float = 1.0, replace: tuple[str, str] = ("", "")) -> Path:
        text = checkpoint.recipe.text.replace(*replace)
        weights = {
            name: value * scale if name.startswith("model.output") else value
            for name, value in checkpoint.weights.items()
        }
        folder = tmp_path / "other"
        folder.mkdir()
        save_checkpoint(
            folder / "best.safetensors",
            weights=weights,
            recipe=dataclasses.replace(checkpoint.recipe, text=text),
            origin=checkpoint.origin,
        )
        return folder

    return write


def test_the_ladder_of_a_bundle_has_every_rung_at_every_depth(climb: Climb) -> None:
    found = climb()
    assert found.broken == ()
    assert set(found.rungs) == set(found.ladder.features) == set(found.ladder.logits)
    assert found.ladder.float64 is not None
    assert found.rungs["fp32"].max_abs_logit < 1e-4 < found.rungs["int8"].max_abs_logit
    lines = found.lines()
    for depth in ("features:", "logits:", "decisions:", "levels, lengths and extremes:"):
        assert depth in lines
    assert sum(line.strip().startswith(FLOAT64) for line in lines) == 3


def test_the_record_is_json_with_the_numbers_of_the_words(climb: Climb) -> None:
    found = climb(precisions=("int8",))
    record = json.loads(canonical_json(found.record()))
    assert set(record["rungs"]) == {"int8"}
    assert record["rungs"]["int8"]["flips"] == found.rungs["int8"].flips
    assert record["ladder"]["logits"]["int8"]["from_torch"]["max_abs"] == pytest.approx(
        found.rungs["int8"].max_abs_logit
    )
    assert record["recordings"] == 24
    assert record["broken"] == []


def test_fewer_recordings_than_the_export_had_are_said(climb: Climb) -> None:
    found = climb(limit=10, precisions=("fp32",))
    assert found.recordings == 10
    assert any("The export was proved on 24 recordings" in line for line in found.lines())


def test_another_checkpoint_is_found_by_its_hash_and_by_its_answers(
    climb: Climb, other_run: Callable[..., Path]
) -> None:
    broken = climb(run=other_run(scale=1.1)).broken
    assert broken[0].startswith("the manifest's checkpoint is not the checkpoint's: it says")
    assert any("golden answers are not the original's" in one for one in broken)
    assert any("fp32 moves a logit by" in one for one in broken)


def test_a_checkpoint_of_another_window_cannot_be_asked_the_same(
    climb: Climb, other_run: Callable[..., Path]
) -> None:
    other = other_run(replace=("hop_samples = 4000", "hop_samples = 2000"))
    with pytest.raises(ParityError, match=r"window policy is not the checkpoint's.*asked the same"):
        climb(run=other)


def test_each_claim_of_the_manifest_is_held_against_the_checkpoint(
    exported: Exported, checkpoint: Checkpoint
) -> None:
    manifest = exported.manifest
    assert contract_differences(manifest, checkpoint) == []
    for changes in (
        {"positive": "bonafide"},
        {"labels": ("spoof", "bonafide")},
        {"sample_rate_hz": 8_000},
        {"threshold": manifest.threshold + 0.5},
        {"calibration": Calibration(scale=2.0)},
        {"window": dataclasses.replace(manifest.window, pooling="max")},
        {"operating_point": dataclasses.replace(manifest.operating_point, miss_rate=0.0123)},
        {"provenance": dataclasses.replace(manifest.provenance, recipe="another one")},
        {"provenance": dataclasses.replace(manifest.provenance, checkpoint_sha256="0" * 64)},
    ):
        changed = dataclasses.replace(manifest, **changes)
        assert len(contract_differences(changed, checkpoint)) == 1, changes


def test_an_original_that_is_not_finite_has_a_message_of_its_own(
    climb: Climb, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    weights["model.output.bias"] = torch.full_like(weights["model.output.bias"], float("inf"))
    save_checkpoint(
        tmp_path / "best.safetensors",
        weights=weights,
        recipe=checkpoint.recipe,
        origin=checkpoint.origin,
    )
    with pytest.raises(ParityError, match=r"the PyTorch original on .* logits .* not finite"):
        climb(run=tmp_path)


def test_recordings_of_one_kind_alone_are_refused(
    climb: Climb, corpus: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(corpus, tmp_path / "own"))
    protocol = next(own.glob("*_protocols/*dev*"))
    rows = [row for row in protocol.read_text().splitlines() if row.endswith("spoof")]
    protocol.write_text("\n".join(rows) + "\n")
    with pytest.raises(CorpusError, match="12 are labelled 'spoof'"):
        climb(data=own)


def test_a_missing_recording_is_named_or_left_out(
    climb: Climb, corpus: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(corpus, tmp_path / "own"))
    (own / "SOUNDS_dev" / "flac" / "dev_03.flac").unlink()
    with pytest.raises(CorpusError, match=r"dev_03\.flac is missing"):
        climb(data=own)
    found = climb(data=own, skip_bad=True, precisions=("fp32",))
    assert (found.recordings, found.left_out) == (23, ("dev_03",))


def test_json_on_stdout_holds_replay_and_ladder(
    exported: Exported, run_folder: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        [
            *("verify", str(exported.path), "--against", str(run_folder)),
            *("--data", str(corpus), "--precision", "fp32", "--json"),
        ]
    )
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert (code, record["ok"]) == (0, True)
    assert record["features"][0]["ok"] is True
    assert record["against"]["broken"] == []
    assert record["against"]["split"] == "dev"
    assert "asking the PyTorch original" in captured.err
