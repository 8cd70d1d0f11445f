"""Runs on the emulated machine: what a bundle's graphs answer there. Needs earlet and numpy only.

    python answers.py BUNDLE MATERIAL OUT.npz

MATERIAL holds, for each precision P, P.onnx (the model alone, features to logits) and P.npy (the
features that the machine at home heard). OUT gets, for each P: P/logits, P/features and P/model,
the model's answer to the features from home.
"""

import sys
from pathlib import Path

import numpy as np

from earlet.bundle import Bundle
from earlet.golden import signals
from earlet.hearing import FEATURES, with_features
from earlet.session import INPUT, OUTPUT, open_graph


def main() -> None:
    """See the module's docstring."""
    path, material, out = map(Path, sys.argv[1:])
    bundle = Bundle.open(path)
    manifest = bundle.manifest
    waves = signals(window=manifest.window, sample_rate_hz=manifest.sample_rate_hz)
    answers = {}
    for precision in bundle.precisions:
        session = bundle.session(precision)
        answers[f"{precision}/logits"] = np.concatenate(
            [session.logits(wave[None]) for wave in waves.values()]
        )
        cut = material / f"{precision}.onnx"
        if not cut.is_file():
            continue
        data, _ = bundle.graph(precision)
        frontend = open_graph(with_features(data), source=precision, threads=1)
        answers[f"{precision}/features"] = np.concatenate(
            [frontend.run([FEATURES], {INPUT: wave[None]})[0] for wave in waves.values()]
        )
        model = open_graph(cut.read_bytes(), source=cut.name, threads=1)
        heard = np.load(material / f"{precision}.npy", allow_pickle=False)
        answers[f"{precision}/model"] = np.concatenate(
            [model.run([OUTPUT], {FEATURES: one[None]})[0] for one in heard]
        )
    # Else one called allow_pickle would be taken for the option.
    np.savez(out, allow_pickle=False, **answers)


if __name__ == "__main__":
    main()
