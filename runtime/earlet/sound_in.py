"""Sound that arrives: from a pipe or a file, in pieces of a tenth of a second, as it comes.

A pipe carries either raw samples, whose rate, format and channels must then be said, or a WAV,
whose header says them. Nothing else is guessed at: what begins like another known format is named
in the refusal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError, UsageError
from earlet.resample import check_rate

Encoding = Literal["u8", "s16", "s24", "s32", "f32", "f64"]
Samples = NDArray[np.generic]

PIECE_S = 0.1
_BYTES: dict[Encoding, int] = {"u8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}
# (format tag, bits) of a WAV -> how its samples are written.
_WAV: dict[tuple[int, int], Encoding] = {
    **{(1, 8): "u8", (1, 16): "s16", (1, 24): "s24", (1, 32): "s32"},
    **{(3, 32): "f32", (3, 64): "f64"},
}
_EXTENSIBLE = 0xFFFE
# What a writer puts where it does not know the length; arecord's is just below two gigabytes.
_ENDLESS_FROM = 0x7FFF0000
# The chunks before the samples: a header, not an archive.
_MOST_HEADER_BYTES = 1 << 20
_KNOWN = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"FORM": "AIFF", b"caff": "CAF"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Where sound comes from. `pieces`: samples [T] or [T, channels], in the order they arrive."""

    name: str
    sample_rate_hz: int
    channels: int
    pieces: Iterator[Samples]


class Pipe(Protocol):
    """What is read of a pipe: `sys.stdin.buffer`, for one."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, or fewer at the end."""
        ...

    def read1(self, size: int, /) -> bytes:
        """What is there, at most so many bytes; waits for the first."""
        ...


def from_pipe(
    pipe: Pipe,
    *,
    name: str,
    sample_rate_hz: int | None = None,
    encoding: Encoding | None = None,
    channels: int | None = None,
) -> Source:
    """Raw samples, or a WAV that says itself what the arguments say. AudioError, UsageError."""
    head = pipe.read(12)
    if not head:
        raise AudioError(f"{name} ended before it began: no sound arrived.")
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        found, left = _wav_header(pipe, name=name)
        _check_said(found, sample_rate_hz, encoding, channels, name=name)
        return _source(pipe, found, name=name, begun=b"", left=left)
    other = next((kind for mark, kind in _KNOWN.items() if head.startswith(mark)), None)
    if other is not None:
        raise AudioError(
            f"{name} begins like {other}, and only raw samples and WAV can be heard as they come. "
            "Turn it into WAV on the way: ffmpeg -i INPUT -f wav - | earlet listen -"
        )
    if sample_rate_hz is None:
        raise UsageError(
            f"{name} has no WAV header, so it is raw samples: say their rate with --rate (and "
            "--format, --channels where they are not s16 and 1), as in: "
            "arecord -f S16_LE -r 16000 -c 1 -t raw | earlet listen - --rate 16000"
        )
    check_rate(sample_rate_hz)
    said = _Pcm(rate=sample_rate_hz, encoding=encoding or "s16", channels=channels or 1)
    return _source(pipe, said, name=name, begun=head, left=None)


def from_file(path: Path) -> Source:
    """Any sound file that can be read, a piece at a time. Raises AudioError."""
    from earlet.audio import open_sound

    file = open_sound(path)

    def pieces() -> Iterator[Samples]:
        with file:
            yield from file.blocks(round(PIECE_S * file.samplerate) or 1, dtype="float32")

    return Source(
        name=str(path),
        sample_rate_hz=int(file.samplerate),
        channels=int(file.channels),
        pieces=pieces(),
    )


@dataclass(frozen=True, kw_only=True)
class _Pcm:
    rate: int
    encoding: Encoding
    channels: int

    @property
    def frame_bytes(self) -> int:
        return _BYTES[self.encoding] * self.channels


def _source(pipe: Pipe, pcm: _Pcm, *, name: str, begun: bytes, left: int | None) -> Source:
    return Source(
        name=name,
        sample_rate_hz=pcm.rate,
        channels=pcm.channels,
        pieces=_pieces(pipe, pcm, begun=begun, left=left),
    )


def _pieces(pipe: Pipe, pcm: _Pcm, *, begun: bytes, left: int | None) -> Iterator[Samples]:
    """Whole frames as they come; `left`: bytes that still belong to the sound, None: all.

    A rest that is no whole frame at the end is not sound, and left out.
    """
    wanted = max(1, round(PIECE_S * pcm.rate)) * pcm.frame_bytes
    held = begun
    while True:
        whole = len(held) - len(held) % pcm.frame_bytes
        if whole:
            yield _decode(held[:whole], pcm)
            held = held[whole:]
        # No more than is missing of a piece, and no less than what is there: no waiting for it.
        more = pipe.read1(wanted if left is None else min(wanted, left))
        if not more:
            return
        left = None if left is None else left - len(more)
        held += more


def _decode(data: bytes, pcm: _Pcm) -> Samples:
    """Bytes of whole frames, little-endian -> samples [T] or [T, channels] of a type with scale."""
    samples: NDArray[Any]
    if pcm.encoding == "u8":
        samples = (np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8
    elif pcm.encoding == "s24":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = wide.view("<i4").ravel()
    else:
        kind = {"s16": "<i2", "s32": "<i4", "f32": "<f4", "f64": "<f8"}[pcm.encoding]
        samples = np.frombuffer(data, kind)
    return samples if pcm.channels == 1 else samples.reshape(-1, pcm.channels)


def _wav_header(pipe: Pipe, *, name: str) -> tuple[_Pcm, int | None]:
    """What follows RIFF....WAVE, up to the first sample -> (what it says, bytes of sound)."""
    passed, found = 0, None
    while True:
        head = _exactly(pipe, 8, name=name)
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"data":
            break
        # A chunk of odd length is followed by a byte that belongs to nobody.
        passed += size + size % 2
        if passed > _MOST_HEADER_BYTES:
            raise AudioError(f"{name} begins like a WAV, but no samples follow its header.")
        content = _exactly(pipe, size + size % 2, name=name)
        if kind == b"fmt ":
            found = _format(content, name=name)
    if found is None:
        raise AudioError(f"{name} is a WAV that does not say how its samples are written.")
    return found, (None if size == 0 or size >= _ENDLESS_FROM else size)


def _format(content: bytes, *, name: str) -> _Pcm:
    if len(content) < 16:
        raise AudioError(f"{name} is a WAV with a damaged header.")
    tag, channels = (int.from_bytes(content[k : k + 2], "little") for k in (0, 2))
    rate, bits = int.from_bytes(content[4:8], "little"), int.from_bytes(content[14:16], "little")
    if tag == _EXTENSIBLE and len(content) >= 26:
        tag = int.from_bytes(content[24:26], "little")
    if (tag, bits) not in _WAV or not channels:
        raise AudioError(
            f"{name} is a WAV of {channels} channels with {bits} bits in format {tag}; expected "
            "integers of 8 to 32 bits or floats. Convert it on the way: ffmpeg -i INPUT -f wav -"
        )
    check_rate(rate)
    return _Pcm(rate=rate, encoding=_WAV[tag, bits], channels=channels)


def _exactly(pipe: Pipe, size: int, *, name: str) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise AudioError(f"{name} ended within the header of a WAV: no sound arrived.")
    return data


def _check_said(
    found: _Pcm,
    rate: int | None,
    encoding: Encoding | None,
    channels: int | None,
    *,
    name: str,
) -> None:
    """A header and an option that contradict each other: one of them is wrong."""
    said = (
        ("--rate", rate, found.rate),
        ("--format", encoding, found.encoding),
        ("--channels", channels, found.channels),
    )
    for option, value, holds in said:
        if value is not None and value != holds:
            raise UsageError(
                f"{name} is a WAV, and its header says {option} {holds}, not {value}. Leave the "
                "option out, or correct what writes the header."
            )
