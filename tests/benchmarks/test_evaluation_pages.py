"""Pages and pictures hold together also where detectors are faultless, hopeless or many."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet.labelled import LabelledSet
from earlet.protocol import Trial
from earlet_bench.evaluation.binary import Settings
from earlet_bench.evaluation.evaluation import Evaluation, Judged, evaluate_scores
from earlet_bench.evaluation.multiclass import report_classes
from earlet_bench.evaluation.page import check_folder, markdown, write_folder
from earlet_bench.evaluation.pictures import draw_all
from earlet_bench.evaluation.score_file import ScoreFile

Floats = NDArray[np.float64]

SPOOF = np.arange(60) % 3 > 0
TRIALS = [
    Trial(
        speaker=f"S{n % 7}",
        file=f"E_{n}",
        system=f"A0{7 + n % 2}" if spoof else "-",
        key="spoof" if spoof else "bonafide",
        path=Path(f"E_{n}.flac"),
        extras={"codec": ("none", "alaw", "opus")[n % 3 if n % 5 else 0]},
    )
    for n, spoof in enumerate(SPOOF)
]


def judged(scores: Floats, *, name: str = "cm.txt", resamples: int = 20) -> Judged:
    """A score file's evaluation; higher = spoof."""
    file = ScoreFile(
        name=name,
        higher="spoof",
        scores={t.file: float(s) for t, s in zip(TRIALS, scores, strict=True)},
    )
    labelled = LabelledSet(
        corpus=Path("made up"),
        name="made up",
        split="eval",
        listed=60,
        trials=TRIALS,
        seed=None,
        known=frozenset(["A07"]),
    )
    return evaluate_scores(file, labelled, settings=Settings(by="codec", resamples=resamples))


def noisy(distance: float, *, seed: int = 1) -> Floats:
    scores: Floats = np.random.default_rng(seed).normal(size=60) + distance * SPOOF
    return scores


@pytest.mark.parametrize(
    "scores", [noisy(0.0), noisy(1.5), noisy(100.0), -noisy(100.0)], ids=["lost", "fair", "1", "0"]
)
def test_every_picture_can_be_drawn_of_any_detector(scores: Floats, tmp_path: Path) -> None:
    for resamples in (0, 20):
        files = draw_all([judged(scores, resamples=resamples)], tmp_path)
        assert [f.name for f in files] == [
            *("det.png", "histogram.png", "conditions.png", "confusion.png")
        ]
        assert all(imread(f).std() > 0.01 for f in files)
    assert not list(tmp_path.glob(".*")), "nothing half-written"


def painted(file: Path, colour: str) -> int:
    """How many pixels are near a colour drawn with the bars' opacity."""
    wanted = 0.8 * np.array(to_rgb(colour)) + 0.2
    return int((np.abs(imread(file)[..., :3] - wanted) < 0.02).all(axis=-1).sum())


def test_bars_are_as_long_as_the_rates(tmp_path: Path) -> None:
    two = [judged(noisy(6.0), name="good"), judged(noisy(0.2, seed=3), name="poor")]
    draw_all(two, tmp_path)
    file = tmp_path / "conditions.png"
    assert painted(file, "#D55E00") > 4 * painted(file, "#0072B2") > 0


def test_the_page_warns_of_scores_upside_down_before_any_table() -> None:
    page = markdown([judged(-noisy(4.0)).evaluation])
    assert page.index("**Attention.** cm.txt: the EER is above 50 %") < page.index("## All trials")
    assert "Attention" not in markdown([judged(noisy(4.0)).evaluation])


def test_tables_tell_each_attack_and_codec_and_how_many_were_called_spoof() -> None:
    one = judged(noisy(1.0))
    page = markdown([one.evaluation])
    chosen = np.array([t.system == "A07" for t in TRIALS])
    share = 100 * np.mean(one.scores[chosen] >= 0)
    row = next(line for line in page.splitlines() if line.startswith("| A07 | 20 |"))
    assert row.endswith(f"| {share:.2f} |")
    assert "## cm.txt: by codec" in page
    assert "## cm.txt: EER % by attack and codec" in page
    assert "known" in page


def classes(labels: Sequence[str], *, resamples: int) -> Judged:
    rng = np.random.default_rng(4)
    true = np.arange(90) % len(labels)
    scores = rng.normal(size=(90, len(labels))) + 2 * np.eye(len(labels))[true]
    report = report_classes(
        scores,
        [labels[int(k)] for k in true],
        labels=labels,
        groups=[str(n) for n in range(90)],
        resamples=resamples,
    )
    evaluation = Evaluation(
        subject="many",
        precision="fp32",
        sha256="0" * 64,
        data="made up",
        split="eval",
        listed=90,
        trials=90,
        seed=None,
        skipped=("bad.wav is empty",),
        classes=report,
    )
    return Judged(evaluation=evaluation, trials=TRIALS, scores=scores)


@pytest.mark.parametrize("count", [2, 3, 12])
def test_detectors_of_many_classes_get_their_own_page(count: int, tmp_path: Path) -> None:
    labels = tuple(f"class {n}" for n in range(count))
    written = write_folder([classes(labels, resamples=20 * (count > 2))], tmp_path / "out")
    assert [f.name for f in written] == [
        *("evaluation.md", "evaluation.json", "recall.png", "confusion.png")
    ]
    page = written[0].read_text()
    assert f"| class {count - 1} | {90 // count + (90 % count >= count)} |" in page
    assert "Left out as asked: 1 recordings (bad.wav is empty)." in page
    assert "mAP %" in page


def test_a_file_is_no_folder_for_a_page(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; name a folder"):
        check_folder(tmp_path / "file")
    check_folder(tmp_path / "new")
