"""Joins the frontend's graph and the model's at the features, and puts the manifest inside."""

import onnx
from onnx import compose

from earlet.manifest import METADATA_KEY, PRECISION_KEY, Manifest
from earlet.onnx_file import SEAL_KEY, seal, unsealed
from earlet_export.passes.short_names import short_names
from earlet_export.trace import FEATURES, FRONTEND, MODEL


def join(frontend: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Waveform -> features, features -> logits: one graph waveform -> logits, checked.

    Other inputs and outputs that the two have (a stream's states) keep their names.
    """
    joined = compose.merge_models(
        _with_ends_prefixed(frontend, FRONTEND),
        _with_ends_prefixed(model, MODEL),
        io_map=[(f"{FRONTEND}/{FEATURES}", f"{MODEL}/{FEATURES}")],
        name="earlet",
        producer_name="earlet",
        producer_version="",
    )
    ends = {f"{FRONTEND}/{name}": name for name in _ends(frontend)}
    _rename(joined, ends | {f"{MODEL}/{name}": name for name in _ends(model)})
    # Each part lists the operator set, and they are the same one; general tools (the quantizer of
    # onnxruntime is one) refuse a file that lists it twice.
    del joined.opset_import[1:]
    joined = short_names(joined)
    joined.doc_string = ""
    joined.graph.doc_string = ""
    del joined.graph.value_info[:]
    onnx.checker.check_model(joined, full_check=True)
    return joined


def with_manifest(graph: onnx.ModelProto, manifest: Manifest, *, precision: str) -> bytes:
    """The bytes of the file: the graph, which one it is, a copy of the manifest, and its seal."""
    marked = onnx.ModelProto()
    marked.CopyFrom(graph)
    del marked.metadata_props[:]
    marked.metadata_props.add(key=METADATA_KEY, value=manifest.without_hashes().to_json())
    marked.metadata_props.add(key=PRECISION_KEY, value=precision)
    marked.metadata_props.add(key=SEAL_KEY, value=unsealed())
    content: bytes = marked.SerializeToString(deterministic=True)
    return seal(content, source=f"the {precision} graph")


def _with_ends_prefixed(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """So that the two graphs share no name: both have an end that is called `features`."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _rename(copy, {name: f"{prefix}/{name}" for name in _ends(model)})
    return copy


def _ends(model: onnx.ModelProto) -> list[str]:
    return [value.name for value in (*model.graph.input, *model.graph.output)]


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
