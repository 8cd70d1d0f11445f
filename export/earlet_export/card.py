"""The card of a detector: what it is for, what it is not for, and how well it does, in words."""

from collections.abc import Sequence

from earlet.manifest import Manifest
from earlet_export.operating_points import Point, points_table
from earlet_export.report import Report, held_out_parts, ladder_rows, table
from earlet_train.checkpoint import Checkpoint


def card(
    manifest: Manifest, report: Report, checkpoint: Checkpoint, *, points: Sequence[Point] = ()
) -> str:
    """Markdown; its numbers stand in the manifest or the report, but for the other thresholds.

    `points`: where the threshold stands and could stand.
    """
    recipe, origin = checkpoint.recipe, checkpoint.origin
    window, rate = manifest.window, manifest.sample_rate_hz
    others = [label for label in manifest.labels if label != manifest.positive]
    point = manifest.operating_point
    ladder = ladder_rows(report)
    parts = [
        f"# {manifest.name} {manifest.version}",
        recipe.description,
        *filter(None, [checkpoint.network().model.note]),
        "## What it says",
        f"For a recording it gives a score: the log-odds that it is `{manifest.positive}` rather "
        f"than {' or '.join(f'`{label}`' for label in others)}. From {manifest.threshold:.3f} on "
        f"the label is `{manifest.positive}`. Labels, in the order of the logits: "
        f"{', '.join(f'`{label}`' for label in manifest.labels)}. Probability is the logistic of "
        "the score, for equally frequent classes: where one is rare, it is too high.",
        f"It listens to windows of {window.window_samples / rate:.2f} s at {rate} Hz, one channel, "
        f"every {window.hop_samples / rate:.2f} s, and takes the {POOLING[window.pooling]} of "
        f"their scores. Shorter recordings, down to {window.min_samples / rate:.2f} s, "
        f"{SHORT[window.short]}.",
        "## What it is for, and what it is not",
        "It is meant as one hint among several about recordings like those it was trained on. It "
        "is no proof: not for courts, not for judging a person, not as the only lock on a door. "
        "It has been measured only on the systems, voices, languages and microphones of its "
        "corpus. Expect more errors on synthesizers it never heard, on other languages, on music, "
        "noise, telephone lines and re-recorded sound; someone who knows the detector can fool it.",
        "## Training data",
        f"{origin.corpus}: {origin.train_trials} recordings to train, {origin.dev_trials} to "
        f"choose the epoch, calibrate and set the threshold. Their sources and licences are listed "
        f"in that corpus's `corpus.json`; no audio of it is part of this bundle. Protocol hash "
        f"`{origin.corpus_sha256}`.",
        "## How well it does",
        f"On the dev split of {report.data} ({report.recordings} recordings; the split that chose "
        "the epoch and the threshold, so these rates flatter it). Intervals: 95 %, resampled over "
        "voices and systems. For rates on your own recordings: `earlet bench FOLDER --data "
        "CORPUS`.",
        table(ladder[0], ladder[1:]),
        f"At the threshold ({point.name}, {point.data}): {100 * point.miss_rate:.1f} % of "
        f"`{manifest.positive}` missed, {100 * point.false_alarm_rate:.1f} % of the others "
        "reported.",
        *_points(manifest, points),
        *held_out_parts(report),
        "## How to use it",
        "```\nearlet detect recording.wav --model FOLDER\nearlet verify FOLDER\n```",
        f'```python\nimport earlet\n\ndetector = earlet.load("FOLDER")\n'
        f"verdict = detector(waveform, {rate})\n```",
        "## Licence",
        f"{manifest.provenance.licence}, as the program that made it. The licences of the "
        "recordings are those named in the corpus.",
    ]
    return "\n\n".join(parts) + "\n"


def _points(manifest: Manifest, points: Sequence[Point]) -> list[str]:
    if not points:
        return []
    return [
        f"Where else a threshold could stand, as the {manifest.default_precision} graph scores the "
        "same recordings (compare a verdict's `score` with it). The others were chosen on them "
        "too: expect somewhat more errors elsewhere.",
        points_table(points, positive=manifest.positive),
    ]


POOLING = {"mean": "mean", "max": "largest", "first": "first"}
SHORT = {
    "tile": "are repeated end to end",
    "stretch": "are slowed down to fill the window",
    "zero": "are followed by silence",
    "reject": "are refused",
}
