from pathlib import Path

import numpy as np
import pytest
import soundfile

from earlet.errors import CorpusError
from earlet_train.corpus.engine import Codec
from earlet_train.corpus.prepared import Prepared, find_cuts, load_prepared, prepare_recordings
from earlet_train.corpus.sources.recording import Recording
from earlet_train.corpus.speech_level import speech_level_db
from earlet_train.corpus.utterances import load_utterance, sentence_hash, to_utterances


def speech_like(seconds: float, *, rate_hz: int, seed: int = 0) -> np.ndarray:
    """Noise in syllables of 0.2 s between silences: enough for energy to find speech in."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    syllables = 0.05 + np.sin(np.pi * time_s / 0.2) ** 2
    silence = np.zeros(rate_hz // 2)
    spoken = 0.1 * rng.standard_normal(len(time_s)) * syllables
    return np.concatenate([silence, spoken, silence]).astype(np.float32)


def recording(
    path: Path, *, speaker: str = "TUX_fr", text: str | None = None, codec: Codec = "pcm"
) -> Recording:
    return Recording(
        name=f"package/{path.name}",
        path=path,
        package="package",
        speaker=speaker,
        language="fr",
        text=text,
        codec=codec,
    )


def prepared(
    name: str, length_s: float, *, speaker: str = "TUX_fr", text: str | None = "mot"
) -> Prepared:
    return Prepared(
        recording=recording(Path(f"{name}.wav"), speaker=speaker, text=text),
        file=Path(f"{name}.flac"),
        md5=(name * 32)[:32].translate(
            str.maketrans("ghijklmnopqrstuvwxyz", "0123456789abcdef0123")
        ),
        length_s=length_s,
        source_rate_hz=44_100,
    )


def test_a_recording_is_trimmed_to_its_speech_at_16_khz_and_one_level(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", speech_like(2.5, rate_hz=44_100), 44_100)
    (one,) = prepare_recordings([recording(tmp_path / "one.wav")], cache=tmp_path / "c", jobs=1)
    assert one.source_rate_hz == 44_100
    assert one.length_s == pytest.approx(2.6, abs=0.1)  # 50 ms are kept on each side
    assert speech_level_db(load_prepared(one.file)) == pytest.approx(-23.0, abs=0.1)


def test_copies_count_once_and_a_file_that_two_speakers_claim_not_at_all(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2), ("d", 2)):
        soundfile.write(
            tmp_path / f"{name}.wav", speech_like(2.5, rate_hz=16_000, seed=seed), 16_000
        )
    files = [recording(tmp_path / f"{name}.wav") for name in ("a", "b", "c")]
    files.append(recording(tmp_path / "d.wav", speaker="TUX_ru"))
    found = prepare_recordings(files, cache=tmp_path / "cache", jobs=1)
    assert [p.recording.path.stem for p in found] == ["a"]


def test_silence_and_narrow_band_recordings_are_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(48_000, np.float32), 16_000)
    soundfile.write(tmp_path / "narrow.wav", speech_like(2.5, rate_hz=8_000), 8_000)
    files = [recording(tmp_path / "none.wav"), recording(tmp_path / "narrow.wav")]
    assert prepare_recordings(files, cache=tmp_path / "cache", jobs=1) == []


def test_what_cannot_be_decoded_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF, but no more")
    with pytest.raises(CorpusError, match=r"bad\.wav cannot be decoded"):
        prepare_recordings([recording(tmp_path / "bad.wav")], cache=tmp_path / "cache", jobs=1)


def test_long_recordings_stand_alone_and_short_ones_are_joined() -> None:
    names = "abcdefghijkl"
    short = [prepared(name, 0.8, text=f"mot {name}") for name in names]
    found = to_utterances([prepared("z", 3.0, text="Une phrase."), *short])
    assert [u.length_s for u in found if len(u.pieces) == 1] == [3.0]
    joined = [u for u in found if len(u.pieces) > 1]
    assert joined
    for utterance in joined:
        assert 2.0 <= utterance.length_s <= 6.0
        assert utterance.text is not None
        assert utterance.text.count("mot") == len(utterance.pieces)


def test_only_one_speakers_pieces_are_joined() -> None:
    short = [prepared(name, 1.2, speaker=s) for name in "abcdef" for s in ("TUX_fr", "TUX_ru")]
    for utterance in to_utterances(short):
        assert len(utterance.pieces) > 1
        assert utterance.split == {"TUX_fr": "dev", "TUX_ru": "train"}[utterance.speaker]


def test_a_sentence_that_two_splits_say_is_left_in_the_stricter_one() -> None:
    both = [
        prepared("a", 3.0, speaker="TUX_es", text="Es la hora."),
        prepared("b", 3.0, speaker="AST_allison", text="es la HORA"),
    ]
    assert [u.split for u in to_utterances(both)] == ["eval"]


def test_a_joined_utterance_is_as_long_as_its_pieces_less_the_crossfades(tmp_path: Path) -> None:
    files = []
    for name in "abcd":
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, speech_like(1.0, rate_hz=16_000, seed=ord(name)), 16_000)
        files.append(recording(path, text=name))
    (utterance, *_) = to_utterances(prepare_recordings(files, cache=tmp_path / "c", jobs=1))
    speech = load_utterance(utterance)
    lost_s = (len(utterance.pieces) - 1) * 80 / 16_000
    assert len(speech.waveform) / 16_000 == pytest.approx(utterance.length_s - lost_s, abs=1e-3)


def test_a_sentence_hash_sees_words_and_language_alone() -> None:
    assert sentence_hash("Bonjour, toi!", language="fr") == sentence_hash(
        "bonjour toi", language="fr"
    )
    assert sentence_hash("pause", language="fr") != sentence_hash("pause", language="it")


def test_a_long_recording_is_cut_in_its_pauses_and_loses_nothing(tmp_path: Path) -> None:
    sentence = speech_like(3.0, rate_hz=16_000)[4_000:]
    soundfile.write(tmp_path / "long.wav", np.concatenate([sentence] * 4), 16_000)
    told = [recording(tmp_path / "long.wav", text="Quatre fois une phrase.")]
    (one,) = prepare_recordings(told, cache=tmp_path / "cache", jobs=1)
    found = to_utterances([one])
    assert len(found) == len(one.cuts_s) + 1 >= 3
    assert sum(u.length_s for u in found) == pytest.approx(one.length_s)
    for utterance in found:
        assert 2.0 <= utterance.length_s <= 6.0
        assert (utterance.text, utterance.part_of) == (None, "Quatre fois une phrase.")
        sound = load_utterance(utterance).waveform
        assert len(sound) / 16_000 == pytest.approx(utterance.length_s, abs=1e-3)
        assert np.abs(sound[:400]).max() < 0.02  # each begins in a pause


def test_speech_without_pauses_is_not_cut() -> None:
    assert find_cuts(np.random.default_rng(0).standard_normal(160_000).astype(np.float32)) == ()
