"""What a bundle's files may be called, be, and ask for, before any of them is used.

Everything here guards against a folder that was made to harm or was damaged: a name that leaves
the folder, a link, a pipe that never ends, a manifest that asks for windows of a terabyte.
"""

import io
import math
import re
import stat
import zipfile
from pathlib import Path

from earlet.errors import BundleError
from earlet.manifest import MANIFEST_FILE, Manifest
from earlet.session import INPUT, OUTPUT
from earlet.streaming import State, Streaming

# A manifest is a few kilobytes, its recipe included; protobuf cannot hold a graph of 2 GB or more.
MOST_MANIFEST_BYTES = 4_000_000
MOST_FILE_BYTES = (1 << 31) - 1
# Seventeen logits per golden signal and per class: a few kilobytes, packed or not.
MOST_GOLDEN_BYTES = 64_000_000
# One score's window: ten minutes, and in no case more samples than 64 MB of float32.
MOST_WINDOW_S, MOST_WINDOW_SAMPLES = 600, 1 << 24
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1000, 768_000

# A graph's states are its cuts through time; real ones have tens, of a few hundred kilobytes.
MOST_STATES, MOST_STATE_BYTES = 1000, 1 << 26

# Letters, digits and a few marks: nothing that any system reads as a path, a drive or an option.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +-]{0,99}")


def check_names(manifest: Manifest, *, source: str) -> None:
    """Raise BundleError where the manifest lists a name that is no name of a file beside it.

    Also where one name is listed twice, which would give it two hashes.
    """
    names = [
        *(graph.file for graph in manifest.graphs.values()),
        *(graph.file for graph in (manifest.stream.graphs if manifest.stream else {}).values()),
        manifest.golden.file,
        *manifest.files,
    ]
    taken = {MANIFEST_FILE}
    for name in names:
        if not _NAME.fullmatch(name) or name.endswith((".", " ")):
            raise BundleError(
                f"{source} lists {name!r}, which is not the name of a file beside it. "
                "The bundle was tampered with: get it again from where it was made."
            )
        if name.casefold() in taken:
            raise BundleError(
                f"{source} lists {name!r} twice, so it has two hashes. "
                "The bundle was tampered with: get it again from where it was made."
            )
        taken.add(name.casefold())


def check_manifest(manifest: Manifest, *, source: str) -> None:
    """Raise BundleError where the manifest asks for more sound than a detector can look at."""
    rate, window = manifest.sample_rate_hz, manifest.window.window_samples
    if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        raise BundleError(
            f"{source} says that the detector works at {rate} Hz; earlet knows "
            f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz. Export it again."
        )
    most = min(MOST_WINDOW_S * rate, MOST_WINDOW_SAMPLES)
    if window > most:
        raise BundleError(
            f"{source} says that one score looks at {window} samples; at {rate} Hz earlet takes "
            f"at most {most}. Export it again."
        )
    if manifest.stream is not None:
        _check_streaming(manifest.stream, most_samples=most, source=source)


def check_golden(data: bytes, *, source: str) -> None:
    """Raise BundleError where the packed golden answers would unpack to more than they can be."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BundleError(
            f"{source} does not hold golden answers ({error}). "
            "The bundle is damaged: export or copy it again."
        ) from None
    if size > MOST_GOLDEN_BYTES:
        raise BundleError(
            f"{source} would unpack to {size} bytes; golden answers are at most "
            f"{MOST_GOLDEN_BYTES}. The bundle is damaged: export or copy it again."
        )


def read_plain(file: Path, *, links: bool, most_bytes: int = MOST_FILE_BYTES) -> bytes:
    """The bytes of a plain file, not of a pipe or device. Raises BundleError.

    `links`: whether a link to one will do. In a bundle from elsewhere it points out of the bundle;
    in an installation, or named by the user himself, it is a way to save space.
    """
    try:
        found = file.stat() if links else file.lstat()
        if not stat.S_ISREG(found.st_mode):
            what = "a link to elsewhere" if stat.S_ISLNK(found.st_mode) else "not a plain file"
            raise BundleError(
                f"{file} is {what}; earlet reads plain files only. "
                "Copy the bundle with what its links point to (cp -RL)."
            )
        if found.st_size > most_bytes:
            raise BundleError(
                f"{file} has {found.st_size} bytes; at most {most_bytes} can be right. "
                "Copy or export the bundle again."
            )
        # One byte more than was announced: a file that grows meanwhile is noticed by its hash.
        with file.open("rb") as opened:
            return opened.read(found.st_size + 1)
    except OSError as error:
        raise BundleError(
            f"{file} cannot be read: {error.strerror or error}. Copy or export the bundle again."
        ) from None


def _check_streaming(streaming: Streaming, *, most_samples: int, source: str) -> None:
    """Chunks, warm-up and states of a size that a stream can have."""
    heard = (streaming.warmup_chunks + 1) * streaming.chunk_samples
    if heard > most_samples:
        raise BundleError(
            f"{source} says that a stream answers after {heard} samples "
            f"({streaming.warmup_chunks + 1} chunks of {streaming.chunk_samples}); earlet waits "
            f"for at most {most_samples}. Export it again."
        )
    for name, graph in streaming.graphs.items():
        names = [state.name for state in graph.states]
        size = sum(
            math.prod(state.shape) * (4 if state.dtype == "float32" else 1)
            for state in graph.states
        )
        impossible = [state.name for state in graph.states if not _can_be(state)]
        if impossible or len(set(names)) < len(names):
            raise BundleError(
                f"{source} lists states of the {name} streaming graph that cannot be: "
                f"{', '.join(impossible) or 'a name twice'}. Export it again."
            )
        if len(names) > MOST_STATES or size > MOST_STATE_BYTES:
            raise BundleError(
                f"{source} lists {len(names)} states of {size} bytes in all for the {name} "
                f"streaming graph; earlet keeps at most {MOST_STATES}, of {MOST_STATE_BYTES} "
                "bytes. Export it again."
            )


def _can_be(state: State) -> bool:
    """Whether a tensor of that shape can begin with that value."""
    if min(state.shape, default=1) < 1 or state.name in (INPUT, OUTPUT):
        return False
    if state.dtype == "float32":
        return True
    low, high = (0, 255) if state.dtype == "uint8" else (-128, 127)
    return low <= state.initial <= high and state.initial == int(state.initial)
