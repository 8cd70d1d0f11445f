"""Sound from a pipe is what was put in, however its bytes arrive."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from earlet.errors import AudioError, UsageError
from earlet.sound_in import Source, from_file, from_pipe


class Drips:
    """A pipe whose writer hands over so many bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes, self._at = io.BytesIO(data), sizes, 0

    def read(self, size: int, /) -> bytes:
        return self._data.read(size)

    def read1(self, size: int, /) -> bytes:
        self._at += 1
        return self._data.read(min(size, self._sizes[self._at % len(self._sizes)]))


def whole(source: Source) -> np.ndarray:
    return np.concatenate(list(source.pieces))


def wav(samples: np.ndarray, rate: int = 16_000, *, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


NOISE = np.random.default_rng(5).uniform(-1, 1, (999, 2))


@given(
    st.sampled_from([("s16", "<i2"), ("s32", "<i4"), ("f32", "<f4")]),
    st.integers(1, 3),
    st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_raw_samples_arrive_whatever_the_bytes_come_in(
    kind: tuple[str, str], channels: int, sizes: list[int], rest: int
) -> None:
    encoding, dtype = kind
    sent = np.round(np.random.default_rng(1).uniform(-1, 1, (500, channels)) * 1000).astype(dtype)
    # Bytes that are no whole sample at the end are not sound.
    data = sent.tobytes() + bytes(min(rest, sent.itemsize * channels - 1))
    source = from_pipe(
        Drips(data, sizes),
        name="p",
        sample_rate_hz=48_000,
        encoding=encoding,  # type: ignore[arg-type]
        channels=channels,
    )
    assert (source.sample_rate_hz, source.channels) == (48_000, channels)
    heard = whole(source)
    assert heard.dtype == np.dtype(dtype)
    assert np.array_equal(heard, sent[:, 0] if channels == 1 else sent)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_says_itself_how_it_is_written(subtype: str, channels: int) -> None:
    sent = NOISE[:, :channels]
    data = wav(sent, 44_100, subtype=subtype)
    source = from_pipe(Drips(data, [7, 4096]), name="p")
    heard = whole(source).astype(np.float64)
    scale = {"PCM_U8": 2**15, "PCM_16": 2**15, "PCM_24": 2**31, "PCM_32": 2**31}.get(subtype, 1)
    expected, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert source.sample_rate_hz == rate
    assert heard.reshape(expected.shape) / scale == pytest.approx(expected, abs=1e-9)


def test_a_wav_of_unknown_length_goes_on_and_one_of_known_length_ends() -> None:
    data = bytearray(wav(NOISE[:, 0]))
    at = data.index(b"data") + 4
    known = from_pipe(io.BytesIO(bytes(data) + b"LIST" + bytes(100)), name="p")
    assert len(whole(known)) == 999
    for endless in (0, 0x7FFFF000, 0xFFFFFFFF):
        data[at : at + 4] = endless.to_bytes(4, "little")
        source = from_pipe(Drips(bytes(data) + bytes(200), [64]), name="p")
        assert len(whole(source)) == 999 + 100


def test_an_extensible_header_and_chunks_in_front_are_understood() -> None:
    plain = wav(NOISE[:, 0])
    fmt = plain[plain.index(b"fmt ") + 8 :][:16]
    wide = b"\xfe\xff" + fmt[2:16] + b"\x16\x00" + bytes(6) + b"\x01\x00" + bytes(14)
    data = plain[plain.index(b"data") :]
    made = b"RIFF" + bytes(4) + b"WAVE" + b"JUNK\x03\x00\x00\x00abc\x00"
    made += b"fmt " + len(wide).to_bytes(4, "little") + wide + data
    assert np.array_equal(
        whole(from_pipe(Drips(made, [99]), name="p")), np.frombuffer(data[8:], "<i2")
    )


@pytest.mark.parametrize(
    ("data", "options", "error", "words"),
    [
        (b"", {"sample_rate_hz": 8000}, AudioError, "no sound arrived"),
        (bytes(400), {}, UsageError, "no WAV header.*--rate"),
        (bytes(400), {"sample_rate_hz": 5}, AudioError, "5"),
        (b"fLaC" + bytes(400), {"sample_rate_hz": 8000}, AudioError, "begins like FLAC.*ffmpeg"),
        (b"OggS" + bytes(400), {}, AudioError, "begins like Ogg"),
        (b"RIFF1234WAVEfmt ", {}, AudioError, "ended within the header"),
        (wav(NOISE[:, 0])[:30], {}, AudioError, "ended within the header"),
        (wav(NOISE[:, 0], subtype="ALAW"), {}, AudioError, "8 bits in format 6; expected"),
        (wav(NOISE[:, 0]), {"sample_rate_hz": 8000}, UsageError, "says --rate 16000, not 8000"),
        (wav(NOISE), {"channels": 1}, UsageError, "says --channels 2, not 1"),
        (wav(NOISE), {"encoding": "f32"}, UsageError, "says --format s16, not f32"),
        (b"RIFF1234WAVEdata" + bytes(99), {}, AudioError, "does not say how"),
        (b"RIFF1234WAVEabcd\xff\xff\xff\x7f", {}, AudioError, "no samples follow"),
    ],
)
def test_what_cannot_be_heard_is_refused(
    data: bytes, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        from_pipe(io.BytesIO(data), name="p", **options)  # type: ignore[arg-type]


def test_a_file_is_read_in_pieces(wav: Callable[..., Path]) -> None:
    path = wav("a.wav", NOISE, 8_000)
    source = from_file(path)
    assert (source.sample_rate_hz, source.channels) == (8_000, 2)
    pieces = list(source.pieces)
    assert [len(piece) for piece in pieces] == [800, 199]
    assert np.concatenate(pieces) == pytest.approx(NOISE, abs=2**-15)
    with pytest.raises(AudioError, match="cannot be read"):
        from_file(path.with_name("none.wav"))
