"""Puts the manifest together and names every file of a bundle, all still in memory."""

import dataclasses
import datetime
import os
from collections.abc import Callable, Mapping, Sequence

import onnx

from earlet.bundle import sha256, stream_graphs
from earlet.golden import GoldenRecord
from earlet.manifest import MANIFEST_FILE, Golden, Graph, Manifest, Provenance
from earlet.streaming import Streaming
from earlet_export.card import card
from earlet_export.join import with_manifest
from earlet_export.operating_points import Point
from earlet_export.prove import Rung
from earlet_export.report import Report, report_json, report_markdown
from earlet_export.streaming.streams import Streams
from earlet_train.checkpoint import Checkpoint

GOLDEN_FILE, CARD_FILE = "golden.npz", "card.md"
REPORT_FILE, REPORT_PAGE = "report.json", "report.md"
# Another processor rounds the frontend differently, and a feature near the border between two
# integer steps then falls on its other side: a board may stray this much farther than was seen.
INT8_MARGIN = 1.5


def pack(
    checkpoint: Checkpoint,
    report: Report,
    *,
    graphs: Mapping[str, onnx.ModelProto],
    streams: Streams | None = None,
    record: GoldenRecord,
    pictures: Mapping[str, bytes],
    points: Sequence[Point],
) -> tuple[Manifest, dict[str, bytes]]:
    """-> (the manifest, file name -> bytes of the whole bundle, the manifest included).

    `streams`: the graphs that take sound chunk by chunk, where there are any; `pictures`: by file
    name, those that the pages show; `points`: where else the threshold could
    stand, for the card.

    The graphs depend on nothing that varies from one export to the next but the measured default
    precision; times and durations stand in the report alone.
    """
    bare = bare_manifest(checkpoint, report)
    if streams is not None:
        bare = dataclasses.replace(bare, stream=streams.contract())

    def pages(sizes: Mapping[str, int]) -> dict[str, str]:
        return {
            REPORT_FILE: report_json(report, sizes),
            REPORT_PAGE: report_markdown(report, sizes, pictures=tuple(pictures)),
            CARD_FILE: card(bare, report, checkpoint, points=points),
        }

    return hashed(
        bare,
        pages,
        graphs=graphs,
        streams={} if streams is None else streams.graphs,
        record=record,
        pictures=pictures,
    )


def hashed(
    bare: Manifest,
    pages: Callable[[Mapping[str, int]], Mapping[str, str]],
    *,
    graphs: Mapping[str, onnx.ModelProto],
    streams: Mapping[str, onnx.ModelProto] | None = None,
    record: GoldenRecord,
    pictures: Mapping[str, bytes],
) -> tuple[Manifest, dict[str, bytes]]:
    """A manifest without hashes and all that it answers for -> the same as `pack`.

    `pages`: size of each graph's file in bytes -> text by file name.
    """
    onnx_files = {
        bare.graphs[precision].file: with_manifest(graph, bare, precision=precision)
        for precision, graph in graphs.items()
    }
    sizes = {precision: len(onnx_files[g.file]) for precision, g in bare.graphs.items()}
    stream_files = {
        listed.file: with_manifest(streams[precision], bare, precision=precision)
        for precision, listed in stream_graphs(bare).items()
        if streams
    }
    golden = record.to_bytes()
    texts = {name: text.encode() for name, text in pages(sizes).items()} | dict(pictures)
    manifest = dataclasses.replace(
        bare,
        graphs={
            precision: dataclasses.replace(
                graph, sha256=sha256(onnx_files[graph.file]), size_bytes=sizes[precision]
            )
            for precision, graph in bare.graphs.items()
        },
        stream=_stream_hashed(bare.stream, stream_files),
        golden=dataclasses.replace(bare.golden, sha256=sha256(golden)),
        files={name: sha256(text) for name, text in texts.items()},
    )
    listed = {**onnx_files, **stream_files, GOLDEN_FILE: golden, **texts}
    return manifest, {**listed, MANIFEST_FILE: manifest.to_json().encode()}


def _stream_hashed(stream: Streaming | None, files: Mapping[str, bytes]) -> Streaming | None:
    if stream is None:
        return None
    return dataclasses.replace(
        stream,
        graphs={
            precision: dataclasses.replace(
                graph, sha256=sha256(files[graph.file]), size_bytes=len(files[graph.file])
            )
            for precision, graph in stream.graphs.items()
        },
    )


def bare_manifest(checkpoint: Checkpoint, report: Report) -> Manifest:
    """The manifest as it rides inside the graphs: without hashes and sizes."""
    recipe, origin = checkpoint.recipe, checkpoint.origin
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        labels=recipe.labels,
        positive=recipe.positive,
        sample_rate_hz=recipe.data.sample_rate_hz,
        window=recipe.data.window,
        any_length_from_samples=report.any_length_from_samples,
        threshold=origin.threshold,
        operating_point=origin.operating_point,
        calibration=origin.calibration,
        graphs=bare_graphs(report.rungs),
        default_precision=report.default_precision,
        golden=bare_golden(report.rungs, promised=report.promises.fp32_max_abs_logit),
        provenance=Provenance(
            recipe=recipe.text,
            checkpoint_sha256=checkpoint.sha256,
            training_data=f"{origin.corpus}: {origin.train_trials} recordings, protocols "
            f"{origin.corpus_sha256}",
            versions=report.versions,
            # Of the weights: exporting them again tomorrow gives the same bytes.
            created=created(checkpoint.path.stat().st_mtime),
        ),
    )


def bare_graphs(rungs: Mapping[str, Rung]) -> dict[str, Graph]:
    """What each rung proved of its graph, the file's hash and size still open."""
    return {
        precision: Graph(
            file=f"{precision}.onnx",
            sha256="",
            size_bytes=0,
            max_abs_logit=rung.max_abs_logit,
            decision_flips=rung.flips,
            decisions=rung.decisions,
        )
        for precision, rung in rungs.items()
    }


def bare_golden(rungs: Mapping[str, Rung], *, promised: float) -> Golden:
    """How far from the original `earlet verify` lets each graph be on golden signals.

    `promised`: of fp32; another graph gets what was measured, with a margin, on top.
    """
    tolerances = {
        precision: promised if precision == "fp32" else INT8_MARGIN * rung.golden.max_abs + promised
        for precision, rung in rungs.items()
    }
    return Golden(file=GOLDEN_FILE, sha256="", tolerances=tolerances)


def created(seconds: float) -> str:
    """Seconds since 1970 -> the manifest's date, in UTC.

    SOURCE_DATE_EPOCH, the convention of reproducible builds, overrides it.
    """
    said = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.datetime.fromtimestamp(int(said or seconds), tz=datetime.UTC)
    return moment.isoformat(timespec="seconds")
