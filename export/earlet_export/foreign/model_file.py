"""Reads the file of a foreign model, and names what is no ONNX."""

from pathlib import Path

import onnx
from onnx import inliner

from earlet.errors import BundleError
from earlet.onnx_file import inspect

_BY_FACTORY = (
    "Name a function that builds the network with its weights instead: earlet adopt "
    "package.module:factory."
)
_BY_TF2ONNX = "Convert it with tf2onnx, and adopt the .onnx file."
# Place of the first bytes, the bytes, what they say.
_OTHER_FORMATS = (
    (4, b"TFL3", f"a TensorFlow Lite model. {_BY_TF2ONNX}"),
    (0, b"\x89HDF", f"an HDF5 file, as Keras writes them. {_BY_TF2ONNX}"),
    (0, b"PK\x03\x04", f"a zip archive, as PyTorch and Keras write them. {_BY_FACTORY}"),
    (0, b"\x80\x02", f"a Python pickle, as PyTorch wrote them. {_BY_FACTORY}"),
    (8, b'{"', f"a safetensors file: weights without their network. {_BY_FACTORY}"),
)


def read_model(path: Path) -> onnx.ModelProto:
    """An ONNX file, weights beside it taken in, its own functions written out. BundleError."""
    try:
        model = onnx.load(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}.") from None
    # The parser's own error shares no base with others below Exception.
    except Exception as error:
        what = _other_format(path)
        raise BundleError(
            f"{path} is {what}"
            if what
            else f"{path} is not a whole ONNX model: {str(error).splitlines()[0]}. Get it again."
        ) from None
    if model.functions:
        model = inliner.inline_local_functions(model)
    # Same doors as every graph of a bundle: no custom operators, no pointers to other files.
    inspect(model.SerializeToString(), source=str(path))
    return model


def _other_format(path: Path) -> str:
    """What a file that is no ONNX is by its first bytes, and the way from there; or nothing."""
    with path.open("rb") as file:
        head = file.read(16)
    for at, magic, what in _OTHER_FORMATS:
        if head[at:].startswith(magic):
            return what
    return ""
