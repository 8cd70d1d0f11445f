"""Puts the manifest of an adopted model together, and names every file of its bundle."""

import dataclasses
import datetime
import os
from collections.abc import Mapping, Sequence

import onnx

from earlet.bundle import sha256
from earlet.golden import GoldenRecord
from earlet.manifest import MANIFEST_FILE, Golden, Graph, Manifest, Provenance
from earlet_export.foreign.page import Adoption, card, report_json, report_markdown
from earlet_export.foreign.spec import Spec
from earlet_export.join import with_manifest
from earlet_export.operating_points import Point
from earlet_export.pack import CARD_FILE, GOLDEN_FILE, INT8_MARGIN, REPORT_FILE, REPORT_PAGE
from earlet_export.prove import Rung


def pack(
    adoption: Adoption,
    *,
    graphs: Mapping[str, onnx.ModelProto],
    record: GoldenRecord,
    pictures: Mapping[str, bytes],
    points: Sequence[Point],
) -> tuple[Manifest, dict[str, bytes]]:
    """-> (the manifest, file name -> bytes of the whole bundle, the manifest included)."""
    bare = bare_manifest(adoption)
    onnx_files = {
        bare.graphs[precision].file: with_manifest(graph, bare, precision=precision)
        for precision, graph in graphs.items()
    }
    sizes = {precision: len(onnx_files[g.file]) for precision, g in bare.graphs.items()}
    golden = record.to_bytes()
    pages = {
        REPORT_FILE: report_json(adoption, sizes),
        REPORT_PAGE: report_markdown(adoption, sizes, pictures=tuple(pictures)),
        CARD_FILE: card(bare, adoption, points),
    }
    texts = {name: text.encode() for name, text in pages.items()} | dict(pictures)
    manifest = dataclasses.replace(
        bare,
        graphs={
            precision: dataclasses.replace(
                graph, sha256=sha256(onnx_files[graph.file]), size_bytes=sizes[precision]
            )
            for precision, graph in bare.graphs.items()
        },
        golden=dataclasses.replace(bare.golden, sha256=sha256(golden)),
        files={name: sha256(text) for name, text in texts.items()},
    )
    listed = {**onnx_files, GOLDEN_FILE: golden, **texts}
    return manifest, {**listed, MANIFEST_FILE: manifest.to_json().encode()}


def bare_manifest(adoption: Adoption) -> Manifest:
    """The manifest as it rides inside the graphs: without hashes and sizes."""
    spec = adoption.spec
    return Manifest(
        name=spec.name,
        version=spec.version,
        labels=spec.labels,
        positive=spec.positive,
        sample_rate_hz=spec.data.sample_rate_hz,
        window=spec.data.window,
        threshold=adoption.threshold,
        operating_point=adoption.operating_point,
        calibration=adoption.scale,
        graphs={
            precision: Graph(
                file=f"{precision}.onnx",
                sha256="",
                size_bytes=0,
                max_abs_logit=rung.max_abs_logit,
                decision_flips=rung.flips,
                decisions=rung.decisions,
            )
            for precision, rung in adoption.rungs.items()
        },
        default_precision=adoption.default_precision,
        golden=Golden(
            file=GOLDEN_FILE,
            sha256="",
            tolerances={name: _tolerance(rung, spec) for name, rung in adoption.rungs.items()},
        ),
        provenance=Provenance(
            recipe=spec.text,
            checkpoint_sha256=adoption.original_sha256,
            training_data=spec.training_data,
            versions=adoption.versions,
            created=_created(),
            licence=spec.licence,
        ),
    )


def _tolerance(rung: Rung, spec: Spec) -> float:
    """The largest distance from the original that `earlet verify` accepts on golden signals."""
    promised = spec.promises.fp32_max_abs_logit
    return promised if rung.precision == "fp32" else INT8_MARGIN * rung.golden.max_abs + promised


def _created() -> str:
    """Now, in UTC; SOURCE_DATE_EPOCH, the convention of reproducible builds, overrides it."""
    said = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(tz=datetime.UTC)
    moment = datetime.datetime.fromtimestamp(int(said), tz=datetime.UTC) if said else now
    return moment.isoformat(timespec="seconds")
