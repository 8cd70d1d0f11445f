"""The files of a bundle with a policy of events in it: its manifest, the copies inside, the hashes.

The graphs compute what they computed: of their files nothing but the metadata changes (see
`earlet.onnx_metadata`), so golden answers, report and card stay as they were exported. What the
policy was chosen from is told in a file of its own, `events.json`.
"""

from dataclasses import replace

from earlet.bundle import Bundle, listed_files, sha256, stream_graphs
from earlet.errors import UsageError
from earlet.events import EventPoint, EventPolicy
from earlet.manifest import MANIFEST_FILE, METADATA_KEY
from earlet.onnx_metadata import with_metadata

EVENTS_FILE = "events.json"


def check_whole(bundle: Bundle) -> None:
    """Raises UsageError for a lone .onnx file, which has no folder to be written."""
    if bundle.lone_precision is not None:
        raise UsageError(
            f"{bundle.path} is one file of a bundle, and a policy goes into all of them. Give the "
            "whole folder that earlet export wrote."
        )


def with_events(
    bundle: Bundle, *, policy: EventPolicy, point: EventPoint, told: str
) -> dict[str, bytes]:
    """File name -> bytes of the new bundle. `told`: the text of `events.json`. BundleError."""
    check_whole(bundle)
    before = bundle.manifest
    held = {name: bundle.read(name) for name in listed_files(before)}
    held[EVENTS_FILE] = told.encode()
    bare = replace(before, events=policy, event_point=point)
    inside = {METADATA_KEY: bare.without_hashes().to_json()}
    stream = stream_graphs(before)
    for name in (*(g.file for g in before.graphs.values()), *(g.file for g in stream.values())):
        held[name] = with_metadata(held[name], inside, source=str(bundle.path / name))
    manifest = replace(
        bare,
        graphs={
            precision: replace(g, sha256=sha256(held[g.file]), size_bytes=len(held[g.file]))
            for precision, g in before.graphs.items()
        },
        files={**before.files, EVENTS_FILE: sha256(held[EVENTS_FILE])},
    )
    if before.stream is not None:
        graphs = {
            precision: replace(g, sha256=sha256(held[g.file]), size_bytes=len(held[g.file]))
            for precision, g in stream.items()
        }
        manifest = replace(manifest, stream=replace(before.stream, graphs=graphs))
    return {**held, MANIFEST_FILE: manifest.to_json().encode()}
