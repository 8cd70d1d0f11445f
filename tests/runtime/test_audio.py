"""Sound files are read as they are; what is none is told apart by name."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earlet import audio
from earlet.audio import BLOCK_SAMPLES, blocks, formats, open_piped, open_sound, read
from earlet.errors import AudioError, MissingExtra

SAMPLES = np.random.default_rng(6).uniform(-0.9, 0.9, 3000).astype(np.float32)

Wav = Callable[..., Path]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff"])
def test_a_lossless_file_gives_its_samples(wav: Wav, name: str) -> None:
    recording = read(wav(name, SAMPLES, 22_050))
    assert recording.sample_rate_hz == 22_050
    assert recording.samples.dtype == np.float32
    np.testing.assert_allclose(recording.samples, SAMPLES, atol=1 / 2**15)


def test_channels_come_last(wav: Wav) -> None:
    stereo = np.stack([SAMPLES, -SAMPLES], axis=1)
    np.testing.assert_allclose(read(wav("a.wav", stereo)).samples, stereo, atol=1 / 2**15)


def test_float_files_are_not_scaled(wav: Wav) -> None:
    loud = 1000 * SAMPLES
    np.testing.assert_array_equal(read(wav("a.wav", loud, subtype="FLOAT")).samples, loud)


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, SAMPLES, 16_000, format="OGG", subtype="VORBIS")
    assert len(read(path).samples) == len(SAMPLES)


def whole(file: Any) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.concatenate(list(blocks(file, name="it")))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "OGG", "MP3"])
def test_block_by_block_a_file_gives_the_samples_of_the_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    noise = np.random.default_rng(7).uniform(-0.5, 0.5, (3 * BLOCK_SAMPLES + 17, 2))
    soundfile.write(path, noise, 44_100, format=kind)
    with open_sound(path) as file:
        assert file.samplerate == 44_100
        np.testing.assert_array_equal(whole(file), read(path).samples)


def test_a_piped_file_is_the_same_recording(wav: Wav, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wav("a.wav", SAMPLES)
    for most in (1 << 24, 100):
        monkeypatch.setattr(audio, "_PIPED_IN_MEMORY_BYTES", most)
        with path.open("rb") as pipe, open_piped(pipe, name="stdin") as file:
            np.testing.assert_array_equal(whole(file)[:, 0], read(path).samples)


def test_a_file_that_ends_within_its_samples_gives_those_that_are_there(
    wav: Wav, tmp_path: Path
) -> None:
    """As far as libsndfile can tell; what it cannot read is refused by name."""
    path = wav("a.wav", SAMPLES)
    path.write_bytes(path.read_bytes()[:-2000])
    with open_sound(path) as file:
        np.testing.assert_array_equal(whole(file)[:, 0], read(path).samples)
    assert len(read(path).samples) == 2000


def test_text_named_wav_is_no_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("this is a shopping list\n")
    with pytest.raises(AudioError, match=r"notes\.wav is not a sound file that can be read \("):
        read(path)


def test_a_wav_without_samples_is_told_apart_from_an_empty_file(wav: Wav, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"a\.wav holds no samples"):
        read(wav("a.wav", SAMPLES[:0]))
    with open_sound(tmp_path / "a.wav") as file, pytest.raises(AudioError, match="it holds no"):
        whole(file)
    (tmp_path / "b.wav").touch()
    with pytest.raises(AudioError, match=r"b\.wav is empty: it has 0 bytes"):
        read(tmp_path / "b.wav")
    with (
        pytest.raises(AudioError, match="stdin is empty: it has 0 bytes"),
        open_piped(io.BytesIO(), name="stdin"),
    ):
        pass


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"nowhere\.wav cannot be read: No such file"):
        read(tmp_path / "nowhere.wav")
    with pytest.raises(AudioError, match=r"is a folder\. Give the sound files in it"):
        read(tmp_path)


def test_a_wav_cut_off_in_its_header_is_refused(wav: Wav) -> None:
    path = wav("a.wav", SAMPLES)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(AudioError, match=r"a\.wav"):
        read(path)


def test_the_formats_are_those_of_libsndfile() -> None:
    assert {"WAV", "FLAC", "OGG"} <= set(formats())


def test_without_soundfile_it_says_what_to_install(
    wav: Wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wav("a.wav", SAMPLES)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtra, match="pip install soundfile"):
        read(path)
