import shutil
from pathlib import Path

import pytest

from earlet.errors import CorpusError
from earlet_train.baseline import run_baseline, table


def test_mixtures_tell_voices_from_buzzes_and_report_by_pool(corpus: Path) -> None:
    stages: list[str] = []
    result = run_baseline(
        corpus, mixtures=2, seed=1, on_progress=lambda stage, done, total: stages.append(stage)
    )
    assert set(result.pools) == {"dev", "eval", "eval-known", "eval-unknown"}
    assert all(rate.eer < 0.2 for rate in result.pools.values())
    assert set(result.attacks) == {"A01", "A07"}
    # 12 bona fide and 12 spoofed, six of either attack: A07 is unknown to train.
    assert result.trials == {"dev": 24, "eval": 24, "eval-known": 18, "eval-unknown": 18}
    assert {"features of train", "scoring dev", "scoring eval"} < set(stages)
    printed = table(result)
    assert "eval-unknown" in printed
    assert "95 % interval" in printed
    assert "A07" in printed


def test_the_same_seed_gives_the_same_rates(corpus: Path) -> None:
    one, two = (run_baseline(corpus, mixtures=2, seed=5) for _ in range(2))
    assert one == two


def test_too_many_mixtures_for_the_speech_at_hand_are_refused(corpus: Path) -> None:
    with pytest.raises(CorpusError, match="fewer with --mixtures"):
        run_baseline(corpus, mixtures=5000, seed=1)


def test_a_corpus_without_one_of_both_labels_is_refused(corpus: Path, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    protocol = tree / "tiny_cm_protocols" / "tiny.cm.eval.trl.txt"
    rows = protocol.read_text().splitlines()
    protocol.write_text("\n".join(row for row in rows if row.endswith("spoof")) + "\n")
    with pytest.raises(CorpusError, match="split 'eval' has recordings labelled spoof; the base"):
        run_baseline(tree, mixtures=2, seed=1)
