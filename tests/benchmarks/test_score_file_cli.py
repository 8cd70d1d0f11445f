"""Files of scores, `earlet evaluate` on them and `earlet fuse` of several, as a user runs it."""

from pathlib import Path

import numpy as np
import pytest
from commands.evaluate import QUICK, evaluated, refused

from earlet.cli import run as earlet
from earlet.protocol import Trial, read_protocol
from earlet.table import write_table
from earlet_bench.evaluation.curve import two_sets


def write_asvspoof(file: Path, scores: dict[str, float]) -> Path:
    file.write_text("".join(f"{name} {score}\n" for name, score in scores.items()))
    return file


def made_up(
    corpus: Path, *, seed: int, split: str = "eval", distance: float = 1.5
) -> dict[str, float]:
    """Scores with the ASVspoof sign."""
    rng = np.random.default_rng(seed)
    return {
        t.file: float(rng.normal() + distance * (not t.is_spoof))
        for t in read_protocol(corpus, split)
    }


def test_lines_of_detect_are_scores_too(
    exported: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [str(t.path) for t in read_protocol(corpus, "eval")]
    assert earlet(["detect", *files, "--model", str(exported), "--json"]) == 0
    lines, _ = capfd.readouterr()
    (tmp_path / "lines.jsonl").write_text(lines)
    (found,) = evaluated(["evaluate", str(tmp_path / "lines.jsonl"), "--data", str(corpus)], capfd)
    _, int8 = evaluated(["evaluate", str(exported), "--data", str(corpus)], capfd)
    assert found["binary"]["pooled"] == int8["binary"]["pooled"]
    assert found["binary"]["decisions"]["origin"] == "the detector's own"


def test_a_score_file_upside_down_is_pointed_out_and_can_be_turned(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = made_up(corpus, seed=1, distance=3)
    right = write_asvspoof(tmp_path / "right.txt", scores)
    wrong = write_asvspoof(tmp_path / "wrong.txt", {n: -s for n, s in scores.items()})
    assert earlet(["evaluate", str(right), "--data", str(corpus), *QUICK]) == 0
    out, err = capfd.readouterr()
    assert "above 50 %" not in out + err
    assert earlet(["evaluate", str(wrong), "--data", str(corpus), *QUICK]) == 0
    _, err = capfd.readouterr()
    assert "wrong.txt: the EER is above 50 %" in err
    assert "--higher spoof" in err
    turned = ["evaluate", str(wrong), "--data", str(corpus), "--higher", "spoof"]
    (found,) = evaluated(turned, capfd)
    (expected,) = evaluated(["evaluate", str(right), "--data", str(corpus)], capfd)
    assert found["binary"] == expected["binary"]


def test_costs_stand_beside_the_warning_not_to_compare_them(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = write_asvspoof(tmp_path / "cm.txt", made_up(corpus, seed=2))
    rng = np.random.default_rng(3)
    rows = [f"bonafide target {s}" for s in rng.normal(3, 1, 50)]
    rows += [f"bonafide nontarget {s}" for s in rng.normal(0, 1, 50)]
    rows += [f"A01 spoof {s}" for s in rng.normal(2, 1, 50)]
    (tmp_path / "asv.txt").write_text("\n".join(rows) + "\n")
    arguments = ["evaluate", str(scores), "--data", str(corpus), "--asv", str(tmp_path / "asv.txt")]
    (found,) = evaluated(arguments, capfd)
    pooled = found["binary"]["pooled"]
    assert pooled["legacy"]["floor"] == 0
    assert 0 < pooled["revised"]["floor"] < pooled["revised"]["minimum"]["value"] <= 1
    a01, a08 = found["binary"]["attacks"]
    assert a01["legacy"] is not None
    assert a08["legacy"] is None, "the verifier never heard that attack"
    assert earlet([*arguments, *QUICK]) == 0
    out, _ = capfd.readouterr()
    assert "are not comparable with each other" in out


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    """An imported corpus that tells codecs, without any audio: scores need none."""
    root = tmp_path / "coded"
    root.mkdir()
    trials = [
        Trial(
            speaker=f"S{n % 5}",
            file=f"E_{n}",
            system="-" if n % 3 == 0 else f"A0{7 + n % 2}",
            key="bonafide" if n % 3 == 0 else "spoof",
            path=Path(f"E_{n}.flac"),
            extras={"codec": ("none", "alaw")[n // 6 % 2]}
            | ({} if n % 3 == 0 else {"vocoder": ("neural", "plain")[n % 2]}),
        )
        for n in range(60)
    ]
    for split, own in (("eval", trials[:48]), ("progress", trials[48:])):
        with (root / f"{split}.tsv").open("w", newline="") as stream:
            write_table(stream, own)
    (root / "corpus.json").write_text("{}")
    return root


def test_codecs_are_told_apart_and_another_splits_scores_may_be_there(
    coded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = made_up(coded, seed=4) | made_up(coded, seed=5, split="progress")
    file = write_asvspoof(tmp_path / "cm.txt", scores)
    (found,) = evaluated(["evaluate", str(file), "--data", str(coded)], capfd)
    report = found["binary"]
    assert report["by"] == "codec"
    assert [c["value"] for c in report["values"]] == ["alaw", "none"]
    assert len(report["grid"]) == 4
    chosen = [t for t in read_protocol(coded, "eval") if t.extras["codec"] == "alaw"]
    bona_fide, spoof = (
        np.array([scores[t.file] for t in chosen if t.key == key and t.system in ("-", "A08")])
        for key in ("bonafide", "spoof")
    )
    (cell,) = [c for c in report["grid"] if (c["attack"], c["value"]) == ("A08", "alaw")]
    assert cell["eer"]["value"] == two_sets(bona_fide, spoof).curve().eer
    err = refused(["evaluate", str(file), "--data", str(coded), "--by", "room"], capfd)
    assert "--by room: the split 'eval' of" in err
    assert "it has codec, vocoder" in err
    by_vocoder = ["evaluate", str(file), "--data", str(coded), "--by", "vocoder"]
    (found,) = evaluated(by_vocoder, capfd)
    neural, plain = found["binary"]["values"]
    assert neural["bona_fide"] == plain["bona_fide"] == 16, "bona fide trials have no vocoder"
    assert neural["spoof"] + plain["spoof"] == 32


def test_scores_that_do_not_fit_the_corpus_are_refused_by_name(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = made_up(corpus, seed=1)
    first = next(iter(scores))
    for change, words in (
        ({"stranger": 1.0}, "scores 1 trials that the corpus does not list; the first is 'strang"),
        ({first: float("nan")}, f"the score of {first!r} is nan"),
        ({n: float(s > 0) for n, s in scores.items()}, "only 2 different value"),
    ):
        file = write_asvspoof(tmp_path / "cm.txt", scores | change)
        assert words in refused(["evaluate", str(file), "--data", str(corpus)], capfd)
    del scores[first]
    file = write_asvspoof(tmp_path / "cm.txt", scores)
    err = refused(["evaluate", str(file), "--data", str(corpus)], capfd)
    assert f"lacks the scores of 1 of 36 trials; the first is {first!r}" in err


def test_fusing_evaluates_each_system_and_all_together(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = [made_up(corpus, seed=seed) for seed in (1, 2)]
    files = [str(write_asvspoof(tmp_path / f"{n}.txt", s)) for n, s in enumerate(own)]
    fused = tmp_path / "fused.txt"
    found = evaluated(["fuse", *files, "--data", str(corpus), "--save", str(fused)], capfd)
    assert [e["subject"] for e in found] == ["0.txt", "1.txt", "fused (mean)"]
    for line in fused.read_text().splitlines():
        name, score = line.split()
        assert float(score) == pytest.approx((own[0][name] + own[1][name]) / 2)
    dev = [
        *("--dev", write_asvspoof(tmp_path / "d0.txt", made_up(corpus, seed=7, split="dev"))),
        *("--dev", write_asvspoof(tmp_path / "d1.txt", made_up(corpus, seed=8, split="dev"))),
    ]
    learned = [*map(str, ["fuse", *files, "--data", corpus, "--how", "logistic", *dev])]
    assert evaluated(learned, capfd)[-1]["subject"] == "fused (logistic)"
    assert "give --dev once for each" in refused(learned[:-2], capfd)
    assert "--dev is for --how logistic" in refused(
        [a for a in learned if a not in ("--how", "logistic")], capfd
    )
    assert "nothing to fuse" in refused(["fuse", files[0], "--data", str(corpus)], capfd)
