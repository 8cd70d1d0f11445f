"""What the tests of several source roots share."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings
from torch.onnx._internal.exporter import _registration

# A red run should mean that a change broke something: the same examples every time. To look for
# others: pytest --hypothesis-profile=explore.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=500, deadline=None)
settings.load_profile("same")

# PyTorch parses the source of some five hundred functions at every export, half of the time that a
# small network takes. What it makes of them is the same each time, so here it is made once.
_registration.ONNXRegistry.from_torchlib = staticmethod(  # type: ignore[method-assign]
    functools.cache(_registration.ONNXRegistry.from_torchlib)
)

RATE_HZ, WINDOW = 8_000, 4_000


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled tree: noise for people, tones for machines; A01 is in train, A08 is not.

    Four speakers a class, so that intervals have something to resample.
    """
    root = tmp_path_factory.mktemp("corpus") / "tiny"
    protocols = root / "tiny_cm_protocols"
    protocols.mkdir(parents=True)
    rng = np.random.default_rng(5)
    suffix = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}
    for split, per_speaker in (("train", 1), ("dev", 1), ("eval", 3)):
        audio = root / f"tiny_{split}" / "flac"
        audio.mkdir(parents=True)
        rows = []
        for speaker in ("S1", "S2", "S3", "S4"):
            for system in ("-", "A01", *(("A08",) if split == "eval" else ())):
                for take in range(per_speaker):
                    name = f"{split}_{speaker}_{system.strip('-') or 'human'}_{take}"
                    wave = 0.1 * rng.normal(size=WINDOW + 500)
                    if system != "-":
                        hz = 300 if system == "A01" else 2_000
                        time_s = np.arange(WINDOW + 500) / RATE_HZ
                        wave = 0.05 * wave + 0.3 * np.sin(2 * np.pi * hz * time_s)
                    soundfile.write(audio / f"{name}.flac", wave, RATE_HZ)
                    key = "bonafide" if system == "-" else "spoof"
                    rows.append(f"{speaker} {name} - {system} {key}")
        (protocols / f"tiny.cm.{suffix[split]}.txt").write_text("\n".join(rows) + "\n")
    systems = {"A01": {"method": "tts"}, "A08": {"method": "vc"}}
    (root / "corpus.json").write_text(json.dumps({"systems": systems}))
    return root
