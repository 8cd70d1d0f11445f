"""Looks through an ONNX file before onnxruntime opens it, and refuses what no bundle may hold.

An ONNX file is a tree of length-prefixed fields (protocol buffers). onnxruntime trusts it in three
ways that a detector from elsewhere must not be trusted: a tensor may name another file as the place
of its values, found from the folder that the program happens to run in; a node may belong to an
operator set outside the standard, some of which load files too (EPContext); and bytes that begin
like an ORT flatbuffer are taken for one, unseen by any check of ONNX. So the tree is walked here,
every length held against the bytes that are there, and nothing is opened that

1. is not one whole ONNX model, or nests deeper than any model does;
2. keeps values of a tensor outside the file;
3. uses an operator outside the standard set, or defines functions of its own;
4. declares a tensor larger than the bytes that it brings;
5. carries a seal (SHA-256 over all its bytes but the seal itself) that does not fit.

Not guarded against: a model that asks for endless time or memory in standard operators. What a
bundle's hashes do not vouch for is for its reader to trust.

Format: protobuf.dev/programming-guides/encoding and the field numbers of onnx.proto (IR 13).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from earlet.errors import BundleError

SEAL_KEY = "earlet.seal"
_OPEN_SEAL = b"0" * 64

STANDARD = ("", "ai.onnx")

# Real models nest graph, node, attribute, subgraph, ...: four levels for each If within an If.
_DEEPEST = 60
# Weights written one tag a number would be the only honest way to more; no exporter does it.
_MOST_FIELDS = 3_000_000
# Two bits is the smallest element that ONNX knows; eight leaves room for smaller ones to come.
_MOST_ELEMENTS_PER_BYTE = 8


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """What a model says of itself. `operators`: (domain, name) of every node, subgraphs included.

    `metadata`: its key-value pairs. `seal`: first byte of the seal's 64 digits, None without one.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: frozenset[tuple[str, str]]
    metadata: Mapping[str, str]
    seal: int | None


def inspect(data: bytes, *, source: str) -> OnnxFile:
    """The bytes of an ONNX file -> what is in it. Raises BundleError for rules 1 to 5.

    `source` names the file in errors. Nothing is executed, and no number in the file is trusted.
    """
    if data[4:8] == b"ORTM":
        raise BundleError(
            f"{source} is a model in ORT's own format, not in ONNX. "
            "Give the .onnx file that earlet export wrote."
        )
    found = _walk(data, source=source)
    at = found.seals.get(SEAL_KEY)
    if at is not None and data[at : at + len(_OPEN_SEAL)] != _digest(data, at):
        raise BundleError(
            f"{source} was changed after it was exported: its seal (metadata {SEAL_KEY}) does "
            "not fit its bytes. Copy or export the bundle again."
        )
    return OnnxFile(
        inputs=tuple(found.inputs),
        outputs=tuple(found.outputs),
        operators=frozenset(found.operators),
        metadata=found.metadata,
        seal=at,
    )


def seal(data: bytes, *, source: str) -> bytes:
    """An ONNX file with the metadata `earlet.seal` of 64 zeros -> the same, sealed.

    A lone file has no manifest beside it to hold its hash; the seal is that hash, inside. It shows
    damage and careless edits; like the hashes of a manifest it is no signature.
    """
    at = _walk(data, source=source).seals[SEAL_KEY]
    return data[:at] + _digest(data, at) + data[at + len(_OPEN_SEAL) :]


def unsealed() -> str:
    """The value to write where the seal will stand."""
    return _OPEN_SEAL.decode()


def _walk(data: bytes, *, source: str) -> "_Found":
    """Rules 1 to 4."""
    found = _Found(source=source)
    try:
        _message(data, 0, len(data), _MODEL, found, depth=0)
    except _MalformedError as error:
        raise BundleError(
            f"{source} is not a whole ONNX model: {error}. Copy or export the bundle again."
        ) from None
    if not found.graphs:
        raise BundleError(
            f"{source} is not a whole ONNX model: it holds no graph. "
            "Copy or export the bundle again."
        )
    return found


def _digest(data: bytes, at: int) -> bytes:
    """Hexadecimal SHA-256 of the file as it was before the seal was set."""
    # A view: the weights of a large network would be copied twice otherwise.
    whole = memoryview(data)
    sha = hashlib.sha256(whole[:at])
    sha.update(_OPEN_SEAL)
    sha.update(whole[at + len(_OPEN_SEAL) :])
    return sha.hexdigest().encode()


class _MalformedError(Exception):
    """The bytes are not the tree that they should be; the text says where."""


@dataclass
class _Found:
    """What the walk has seen so far."""

    source: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    operators: set[tuple[str, str]] = field(default_factory=set)
    metadata: dict[str, str] = field(default_factory=dict)
    seals: dict[str, int] = field(default_factory=dict)
    graphs: int = 0
    fields: int = 0


# Message -> field number -> message inside. What is not listed is passed over, as protobuf does.
_MODEL = "model"
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "main graph", 14: "metadata", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "main graph": {1: "node", 5: "tensor", 11: "input", 12: "output", 15: "sparse"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {13: "external"},
}
# Fields with text that is wanted, by message.
_TEXTS: Mapping[str, tuple[int, ...]] = {
    "metadata": (1, 2),
    "node": (3, 4, 7),
    "tensor": (8,),
    "input": (1,),
    "output": (1,),
    "external": (1, 2),
}


def _message(
    data: bytes, start: int, end: int, kind: str, found: _Found, *, depth: int
) -> dict[int, str]:
    """Walk one message; -> the texts in it that are wanted, by field number (the last one wins)."""
    if depth > _DEEPEST:
        raise _MalformedError(f"it nests more than {_DEEPEST} levels deep")
    inside, wanted = _INSIDE.get(kind, {}), _TEXTS.get(kind, ())
    texts: dict[int, str] = {}
    places: dict[int, int] = {}
    externals: list[dict[int, str]] = []
    elements, outside = 1, False
    for number, wire, first, last in _fields(data, start, end, found):
        if kind == "tensor" and number == 1:
            for size in _numbers(data, wire, first, last):
                elements *= size
        elif kind == "tensor" and number == 14 and wire == 0:
            outside = outside or first != 0
        elif number in inside or number in wanted:
            if wire != 2:
                raise _MalformedError(f"a {kind} holds a number where its field {number} belongs")
            if number in wanted:
                texts[number] = _text(data, first, last)
                places[number] = first
            else:
                held = _message(data, first, last, inside[number], found, depth=depth + 1)
                if inside[number] == "external":
                    externals.append(held)
    if kind == "tensor":
        _check_tensor(
            texts.get(8, ""), externals, found, elements=elements, size=end - start, outside=outside
        )
    else:
        _note(kind, texts, places, found)
    return texts


def _note(kind: str, texts: Mapping[int, str], places: Mapping[int, int], found: _Found) -> None:
    """Keep what a message said, or refuse it."""
    if kind == "main graph":
        found.graphs += 1
    elif kind == "input":
        found.inputs.append(texts.get(1, ""))
    elif kind == "output":
        found.outputs.append(texts.get(1, ""))
    elif kind == "node":
        operator, domain = texts.get(4, ""), texts.get(7, "")
        if domain not in STANDARD:
            raise BundleError(
                f"{found.source} uses the operator {operator!r} of the domain {domain!r} (node "
                f"{texts.get(3, '')!r}); earlet runs standard ONNX operators only. Export the "
                "model without custom operators."
            )
        found.operators.add((domain, operator))
    elif kind == "metadata":
        key = texts.get(1, "")
        if key in found.metadata:
            raise BundleError(
                f"{found.source} has the metadata {key!r} twice, so it says two things. Copy or "
                "export the bundle again."
            )
        found.metadata[key] = texts.get(2, "")
        if key == SEAL_KEY and len(texts.get(2, "")) == len(_OPEN_SEAL):
            found.seals[key] = places[2]
    elif kind in ("function", "sparse", "training"):
        what = {
            "function": "defines functions of its own",
            "sparse": "holds a sparse tensor",
            "training": "holds a training graph",
        }[kind]
        raise BundleError(
            f"{found.source} {what}, which earlet export never writes and earlet does not run. "
            "Export the model for inference, with plain operators and tensors."
        )


def _check_tensor(
    name: str,
    externals: list[dict[int, str]],
    found: _Found,
    *,
    elements: int,
    size: int,
    outside: bool,
) -> None:
    if outside or externals:
        place = next((e.get(2, "") for e in externals if e.get(1) == "location"), "")
        raise BundleError(
            f"{found.source} keeps the values of its tensor {name!r} in another file ({place!r}). "
            "earlet reads nothing that a model points to: save the model with its weights inside."
        )
    if elements > _MOST_ELEMENTS_PER_BYTE * size:
        raise BundleError(
            f"{found.source} declares {elements} values for its tensor {name!r}, which has "
            f"{size} bytes in the file. It is damaged: copy or export the bundle again."
        )


def _fields(
    data: bytes, start: int, end: int, found: _Found
) -> Iterator[tuple[int, int, int, int]]:
    """(field number, wire type, first byte, end) of each field; a varint's value as `first`."""
    at = start
    while at < end:
        found.fields += 1
        if found.fields > _MOST_FIELDS:
            raise _MalformedError(f"it has more than {_MOST_FIELDS} fields")
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise _MalformedError(f"field number {number} at byte {at}")
        if wire == 0:
            value, at = _varint(data, at, end)
            yield number, wire, value, at
            continue
        if wire == 2:
            length, at = _varint(data, at, end)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise _MalformedError(f"wire type {wire} at byte {at}")
        if length > end - at:
            raise _MalformedError(
                f"at byte {at} it announces {length} bytes, and {end - at} are left"
            )
        yield number, wire, at, at + length
        at += length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """-> (the number that begins at byte `at`, the byte behind it)."""
    value = shift = 0
    while shift < 70:
        if at >= end:
            raise _MalformedError(f"it ends inside a number, at byte {at}")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _MalformedError(f"a number of more than ten bytes before byte {at}")


def _numbers(data: bytes, wire: int, first: int, last: int) -> Iterator[int]:
    """A repeated integer field, packed or one at a time; a negative one is malformed."""
    values = [first] if wire == 0 else []
    while wire == 2 and first < last:
        value, first = _varint(data, first, last)
        values.append(value)
    for value in values:
        if value >= 1 << 63:
            raise _MalformedError("a tensor has a negative size")
        yield value


def _text(data: bytes, first: int, last: int) -> str:
    try:
        return data[first:last].decode("utf-8")
    except UnicodeDecodeError:
        raise _MalformedError(f"a name at byte {first} is not text") from None
