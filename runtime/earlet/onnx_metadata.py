"""Gives an ONNX file other metadata, without the package onnx and without touching anything else.

An ONNX file is a list of tagged fields; one kind of them (number 14) holds its key-value pairs.
Here those pairs alone are taken out, changed and put back at the end, where every writer that keeps
to the order of numbers has them. The graph's own bytes are carried over one by one.
"""

from collections.abc import Iterator, Mapping

from earlet.onnx_file import SEAL_KEY, inspect, seal, unsealed

_PAIRS_TAG = 14 << 3 | 2


def with_metadata(data: bytes, changes: Mapping[str, str], *, source: str) -> bytes:
    """An ONNX file -> the same with these values, in the order it had; sealed anew if it was.

    Raises BundleError on what `earlet.onnx_file.inspect` refuses; `source` names the file.
    """
    before = inspect(data, source=source)
    pairs = {**before.metadata, **changes}
    if SEAL_KEY in pairs:
        pairs[SEAL_KEY] = unsealed()
    rest = b"".join(data[start:end] for tag, start, end in _fields(data) if tag != _PAIRS_TAG)
    changed = rest + b"".join(_pair(key, value) for key, value in pairs.items())
    return seal(changed, source=source) if SEAL_KEY in pairs else changed


def _fields(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(tag, first byte, end) of each field at the top of a file that `inspect` let pass."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _number(data, at)
        wire = tag & 7
        if wire == 0:
            _, at = _number(data, at)
        elif wire == 2:
            length, at = _number(data, at)
            at += length
        else:
            at += 8 if wire == 1 else 4
        yield tag, start, at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """-> (the number that begins there, the byte behind it): seven bits a byte, low ones first."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _pair(key: str, value: str) -> bytes:
    held = _text(1, key) + _text(2, value)
    return _as_number(_PAIRS_TAG) + _as_number(len(held)) + held


def _text(number: int, value: str) -> bytes:
    content = value.encode()
    return _as_number(number << 3 | 2) + _as_number(len(content)) + content


def _as_number(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
