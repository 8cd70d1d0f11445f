"""Puts the manifest of an adopted model together, and names every file of its bundle."""

import time
from collections.abc import Mapping, Sequence

import onnx

from earlet.golden import GoldenRecord
from earlet.manifest import Manifest, Provenance
from earlet_export.foreign.page import Adoption, card, report_json, report_markdown
from earlet_export.operating_points import Point
from earlet_export.pack import (
    CARD_FILE,
    REPORT_FILE,
    REPORT_PAGE,
    bare_golden,
    bare_graphs,
    created,
    hashed,
)


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

    def pages(sizes: Mapping[str, int]) -> dict[str, str]:
        return {
            REPORT_FILE: report_json(adoption, sizes),
            REPORT_PAGE: report_markdown(adoption, sizes, pictures=tuple(pictures)),
            CARD_FILE: card(bare, adoption, points),
        }

    return hashed(bare, pages, graphs=graphs, record=record, pictures=pictures)


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
        graphs=bare_graphs(adoption.rungs),
        default_precision=adoption.default_precision,
        golden=bare_golden(adoption.rungs, promised=spec.promises.fp32_max_abs_logit),
        provenance=Provenance(
            recipe=spec.text,
            checkpoint_sha256=adoption.original_sha256,
            training_data=spec.training_data,
            versions=adoption.versions,
            created=created(time.time()),
            licence=spec.licence,
        ),
    )
