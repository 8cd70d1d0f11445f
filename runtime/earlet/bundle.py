"""Opens what `earlet export` wrote: a bundle folder, or one `.onnx` file out of one.

Nothing is used that the manifest does not list, and nothing that does not have the hash listed
there: each file is read once, hashed, and those very bytes are handed on. Files are plain files
beside the manifest, of sizes that a detector can have (`earlet.bundle_limits`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from earlet.bundle_limits import (
    MOST_MANIFEST_BYTES,
    check_golden,
    check_manifest,
    check_names,
    read_plain,
)
from earlet.errors import BundleError, UsageError
from earlet.golden import GoldenRecord
from earlet.manifest import MANIFEST_FILE, METADATA_KEY, PRECISION_KEY, Graph, Manifest
from earlet.onnx_file import inspect
from earlet.session import Session
from earlet.stream_session import StreamSession
from earlet.streaming import StreamGraph

SHIPPED = Path(__file__).parent / "models"
DEFAULT_NAME_FILE = "default.txt"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A manifest and the files it answers for.

    `path` is the folder, or the file of a lone `.onnx`, whose `manifest` then comes from its own
    metadata, and whose only graph is `lone_precision`.
    """

    path: Path
    manifest: Manifest
    lone_precision: str | None = None

    @classmethod
    def open(cls, path: Path) -> "Bundle":
        """Read the manifest; the graphs and golden answers are read, and hashed, when used.

        Raises BundleError where there is no bundle, or its manifest is damaged.
        """
        if path.is_dir():
            return _open_folder(path)
        if path.suffix == ".onnx" and path.is_file():
            return _open_lone(path)
        if path.exists():
            raise BundleError(
                f"{path} is neither a bundle folder nor an .onnx file. "
                "Give the folder that earlet export wrote."
            )
        raise BundleError(
            f"there is no bundle at {path}. Give the folder that earlet export wrote, one of its "
            f".onnx files, or the name of a shipped detector ({', '.join(shipped()) or 'none'})."
        )

    @property
    def precisions(self) -> tuple[str, ...]:
        """The graphs that can be run from here."""
        if self.lone_precision is not None:
            return (self.lone_precision,)
        return tuple(self.manifest.graphs)

    def precision(self, wanted: str | None) -> str:
        """The precision to use: the wanted one, or the manifest's default. Raises UsageError."""
        if wanted is None:
            return self.lone_precision or self.manifest.default_precision
        if wanted not in self.precisions:
            raise UsageError(
                f"{self.path} has no {wanted!r} graph; it has {', '.join(self.precisions)}."
            )
        return wanted

    def graph(self, precision: str | None = None) -> tuple[bytes, str]:
        """(the ONNX file's bytes, their SHA-256). Raises BundleError, UsageError."""
        precision = self.precision(precision)
        if self.lone_precision is not None:
            data = read_plain(self.path, links=True)
            return data, sha256(data)
        graph = self.manifest.graphs[precision]
        return self._read_graph(graph), graph.sha256

    def session(self, precision: str | None = None, *, threads: int = 1) -> Session:
        """A graph ready to run, checked against the manifest. Raises BundleError, UsageError."""
        precision = self.precision(precision)
        data, _ = self.graph(precision)
        return self.session_of(data, precision=precision, threads=threads)

    def session_of(self, graph: bytes, *, precision: str, threads: int = 1) -> Session:
        """The same from the bytes that `graph` gave, for who wants their hash too."""
        if self.lone_precision is not None:
            source = self.path
        else:
            source = self.path / self.manifest.graphs[precision].file

        def accept(metadata: Mapping[str, str]) -> None:
            self._check_inside(metadata, precision=precision, source=str(source))

        session = Session(
            graph,
            source=str(source),
            threads=threads,
            shortest_samples=self.manifest.any_length_from_samples or 1,
            accept=accept,
        )
        self._check_session(session)
        return session

    def stream_session(self, precision: str, *, threads: int = 1) -> StreamSession | None:
        """The streaming graph ready to run; None where there is none. Raises BundleError.

        A lone file has none beside it.
        """
        streaming = self.manifest.stream
        graph = stream_graphs(self.manifest).get(precision)
        if streaming is None or graph is None or self.lone_precision is not None:
            return None
        source = str(self.path / graph.file)

        def accept(metadata: Mapping[str, str]) -> None:
            self._check_inside(metadata, precision=precision, source=source)

        return StreamSession(
            self._read_graph(graph),
            source=source,
            states=graph.states,
            chunk_samples=streaming.chunk_samples,
            classes=len(self.manifest.labels),
            threads=threads,
            accept=accept,
        )

    def golden(self) -> GoldenRecord:
        """The original's answers. Raises BundleError, also for a lone file, which has none."""
        if self.lone_precision is not None:
            raise BundleError(
                f"{self.path} stands alone, without the golden answers of its bundle. "
                "Give the whole folder that earlet export wrote."
            )
        name = self.manifest.golden.file
        data, source = self.read(name), str(self.path / name)
        check_golden(data, source=source)
        return GoldenRecord.from_bytes(data, source=source)

    def read(self, name: str) -> bytes:
        """The bytes of a listed file, hash checked. Raises BundleError."""
        listed = listed_files(self.manifest)
        if name not in listed:
            raise BundleError(
                f"{name!r} is not listed in the manifest of {self.path}, and what is not listed "
                "is not used."
            )
        data = read_plain(self.path / name, links=_is_shipped(self.path))
        found = sha256(data)
        if found != listed[name]:
            raise BundleError(
                f"{self.path / name} is not the file that was exported: its SHA-256 is {found}, "
                f"the manifest says {listed[name]}. Copy or export the bundle again."
            )
        return data

    def check_files(self) -> tuple[str, ...]:
        """Names of the files, after every hash was checked. Raises BundleError.

        Stricter than using the bundle: a file that the manifest does not list is refused too, so
        that what was verified is all there is.
        """
        if self.lone_precision is not None:
            return (self.path.name,)
        listed = listed_files(self.manifest)
        for name in listed:
            self.read(name)
        present = {str(p.relative_to(self.path)) for p in self.path.rglob("*") if not p.is_dir()}
        unlisted = sorted(present - set(listed) - {MANIFEST_FILE})
        if unlisted:
            raise BundleError(
                f"{self.path} holds {len(unlisted)} file(s) that its manifest does not list: "
                f"{', '.join(unlisted)}. Remove them, or copy the bundle again."
            )
        return tuple(listed)

    def _read_graph(self, graph: Graph | StreamGraph) -> bytes:
        data = self.read(graph.file)
        if len(data) != graph.size_bytes:
            raise BundleError(
                f"{self.path / graph.file} has {len(data)} bytes, its manifest says "
                f"{graph.size_bytes}. Copy or export the bundle again."
            )
        return data

    def _check_inside(self, metadata: Mapping[str, str], *, precision: str, source: str) -> None:
        """The graph must carry the same manifest inside, and be the one it is taken for."""
        inside = _embedded(metadata, source=source)
        if inside.without_hashes() != self.manifest.without_hashes():
            raise BundleError(
                f"{self.path / MANIFEST_FILE} is not the manifest that {source} carries "
                "inside: one of them was changed. Copy or export the bundle again."
            )
        said = metadata.get(PRECISION_KEY, precision)
        if said != precision:
            raise BundleError(
                f"{source} says inside that it is the {said} graph, and stands in the "
                f"place of {precision}: files were swapped. Copy or export the bundle again."
            )

    def _check_session(self, session: Session) -> None:
        """The graph's ends must fit the manifest."""
        manifest = self.manifest
        if session.window_samples not in (None, manifest.window.window_samples):
            raise BundleError(
                f"{session.source} takes windows of {session.window_samples} samples, its "
                f"manifest says {manifest.window.window_samples}. Export it again."
            )
        if session.window_samples is not None and manifest.any_length_from_samples is not None:
            raise BundleError(
                f"{session.source} takes windows of {session.window_samples} samples alone, its "
                f"manifest says any length from {manifest.any_length_from_samples} on. Export it "
                "again."
            )
        if session.classes not in (None, len(manifest.labels)):
            raise BundleError(
                f"{session.source} gives {session.classes} logits, its manifest names "
                f"{len(manifest.labels)} labels. Export it again."
            )


DEFAULT = "default"


def find(model: Path | str | None) -> Bundle:
    """None or `default`: the default detector; a shipped name; a folder; a lone .onnx. BundleError.

    A folder or file of that name wins over a shipped detector.
    """
    if model is None or (str(model) == DEFAULT and not Path(model).exists()):
        return Bundle.open(_default())
    path = Path(model)
    if not path.exists() and str(model) in shipped():
        path = SHIPPED / str(model)
    return Bundle.open(path)


def shipped() -> tuple[str, ...]:
    """Names of the detectors that came with this installation."""
    return tuple(sorted(p.parent.name for p in SHIPPED.glob(f"*/{MANIFEST_FILE}")))


def listed_files(manifest: Manifest) -> Mapping[str, str]:
    """File name -> SHA-256 of everything that a bundle folder holds beside its manifest."""
    return {
        **{graph.file: graph.sha256 for graph in manifest.graphs.values()},
        **{graph.file: graph.sha256 for graph in stream_graphs(manifest).values()},
        manifest.golden.file: manifest.golden.sha256,
        **manifest.files,
    }


def stream_graphs(manifest: Manifest) -> Mapping[str, StreamGraph]:
    """The streaming graphs by precision; none where it does not stream."""
    return {} if manifest.stream is None else manifest.stream.graphs


def sha256(data: bytes) -> str:
    """Lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _default() -> Path:
    names = shipped()
    if not names:
        raise BundleError(
            "this installation ships no detector. Name one with --model BUNDLE: the folder that "
            "earlet export wrote."
        )
    if len(names) == 1:
        return SHIPPED / names[0]
    return SHIPPED / (SHIPPED / DEFAULT_NAME_FILE).read_text(encoding="utf-8").strip()


def _open_folder(path: Path) -> Bundle:
    file = path / MANIFEST_FILE
    if not file.is_file():
        raise BundleError(
            f"{path} is a folder, but not a bundle: it has no {MANIFEST_FILE}. "
            "Give the folder that earlet export wrote."
        )
    try:
        text = _read_manifest(file).decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError(
            f"{file} is not text: it is damaged. Copy or export the bundle again."
        ) from None
    manifest = Manifest.from_json(text, source=str(file))
    check_names(manifest, source=str(file))
    check_manifest(manifest, source=str(file))
    return Bundle(path=path, manifest=manifest)


def _read_manifest(file: Path) -> bytes:
    return read_plain(file, links=_is_shipped(file.parent), most_bytes=MOST_MANIFEST_BYTES)


def _is_shipped(path: Path) -> bool:
    """Whether the bundle came with this installation; some installers link its files."""
    return path.parent == SHIPPED


def _open_lone(path: Path) -> Bundle:
    inside = inspect(read_plain(path, links=True), source=str(path))
    manifest = _embedded(inside.metadata, source=str(path))
    check_manifest(manifest, source=str(path))
    if manifest.stream is not None and len(inside.inputs) > 1:
        raise BundleError(
            f"{path} is the streaming graph of a bundle, which works beside the others only. "
            "Give the whole folder that earlet export wrote."
        )
    said = inside.metadata.get(PRECISION_KEY)
    by_name = [name for name, graph in manifest.graphs.items() if graph.file == path.name]
    precision = said if said in manifest.graphs else (by_name[0] if by_name else None)
    if precision is None:
        raise BundleError(
            f"{path} does not say which graph of its bundle it is ({', '.join(manifest.graphs)}). "
            f"Give it back its name there ({', '.join(g.file for g in manifest.graphs.values())})."
        )
    return Bundle(path=path, manifest=manifest, lone_precision=precision)


def _embedded(metadata: Mapping[str, str], *, source: str) -> Manifest:
    """The manifest inside an ONNX file. Raises BundleError where there is none."""
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise BundleError(
            f"{source} is an ONNX model without the metadata {METADATA_KEY!r}, so nothing "
            "says what its numbers mean. Use one that earlet export wrote."
        )
    return Manifest.from_json(text, source=f"{source} (metadata {METADATA_KEY})")
