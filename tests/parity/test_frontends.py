"""`make frontends` in small: every frontend in its first case, without a corpus."""

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from parity.cases import CASES, Case
from parity.frontends import main
from parity.measure import Measured, difference, measure, oracle_of
from parity.page import page
from parity.signals import SAMPLES, Signals, artificial_speech, signals
from parity.spectra import written_out

from earlet_train.frontends import FRONTENDS

# The first case of each kind; the variants are left to `make frontends`.
FIRST = {case.kind: case for case in reversed(CASES)}


@cache
def sounds() -> Signals:
    return signals([artificial_speech()])


@cache
def measured(kind: str) -> Measured:
    torch.set_num_threads(1)
    return measure(FIRST[kind], sounds())


@pytest.mark.parametrize("kind", sorted(FIRST))
def test_a_frontend_equals_its_definition_and_its_graph_equals_it(kind: str) -> None:
    assert measured(kind).broken() == []


def test_every_frontend_of_the_registry_is_compared() -> None:
    assert set(FIRST) == set(FRONTENDS)


def test_the_bounds_would_notice_another_window() -> None:
    kind, clip = FRONTENDS["bands"], torch.from_numpy(sounds()["speech"][0])[None]
    hann, hamming = (
        kind(kind.Settings(window=w), sample_rate_hz=16_000)(clip) for w in ("hann", "hamming")
    )
    assert (hann - hamming).abs().max() > 100 * FIRST["bands"].largest


def test_a_broken_bound_is_named_with_sound_value_and_unit() -> None:
    item = measured("bands")
    strict = dataclasses.replace(item, case=dataclasses.replace(item.case, typical=0.0))
    assert strict.broken()[0].startswith("bands on speech: the 99.9th percentile of |torch")
    assert "ln power / 4, the bound is 0" in strict.broken()[0]


def test_not_a_number_is_an_infinite_error() -> None:
    error = difference([np.array([0.0, np.nan])])
    assert error.largest == error.typical == np.inf


def test_a_frontend_without_a_definition_is_refused() -> None:
    with pytest.raises(LookupError, match=r"write tests/oracles/no_such\.py"):
        oracle_of("no-such")


def test_the_page_shows_every_sound_and_every_reason() -> None:
    item = measured("bands")
    text = page([item], speech="one clip")
    assert item.case.reason in text
    for sound in sounds():
        assert f"| bands | {sound} | " in text


def test_artificial_speech_fills_the_clip_and_repeats() -> None:
    speech = artificial_speech()
    assert len(speech) == SAMPLES
    assert np.array_equal(speech, artificial_speech())
    assert 0.1 < np.abs(speech).max() < 1
    assert np.array_equal(speech * 32768, np.round(speech * 32768))


def test_without_a_corpus_it_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as stopped:
        main(data=tmp_path / "none", out=tmp_path / "page.md")
    assert stopped.value.exit_code == 2
    assert "run `make demo` once" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize(("typical", "code"), [(1e-12, 1), (FIRST["bands"].typical, 0)])
def test_a_broken_bound_is_exit_code_1_and_the_page_is_written_all_the_same(
    typical: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = dataclasses.replace(FIRST["bands"], typical=typical)
    monkeypatch.setattr("parity.frontends.CASES", (case,))
    monkeypatch.setattr("parity.frontends.timed", lambda: [])
    monkeypatch.setattr("parity.frontends.real_speech", lambda *_, **__: [artificial_speech()])
    with pytest.raises(typer.Exit) as stopped:
        main(data=tmp_path, out=tmp_path / "page.md")
    assert stopped.value.exit_code == code
    assert f"| {'no' if code else 'yes'} |" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_a_case_says_why_its_bounds_are_no_tighter() -> None:
    def is_complete(case: Case) -> bool:
        return bool(case.reason) and 0 < case.typical <= case.largest

    assert all(is_complete(case) for case in CASES)


def test_spectra_of_other_models_are_exact_once_written_out_and_stand_on_the_page() -> None:
    rows = written_out([("STFT", 400, 160), ("DFT", 400, 160), ("convolution", 512, 160)], rounds=1)
    assert all(row.error_after < 1e-6 for row in rows)
    assert [row.error_before > 1e-5 for row in rows] == [True, True, False]
    text = page([measured("bands")], speech="none", adopted=rows)
    assert "| STFT | 400 / 160 |" in text
