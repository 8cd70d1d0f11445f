"""What a source of human recordings gives: files with a speaker, a language and, often, a text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from earlet_train.corpus.engine import Codec


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One file as its package holds it. `text` is what is said, where the package tells.

    `name` is the path inside the package: the same on every machine.
    """

    name: str
    path: Path
    package: str
    speaker: str
    language: str
    text: str | None
    codec: Codec


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A text that nobody need have recorded, for the synthesizers to read."""

    language: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """One origin of recordings: which packages it reads, its recordings, its further texts.

    Both functions take the store's folder (`store / package / ...`) and use what is there: a
    package that is not unpacked gives nothing.
    """

    packages: tuple[str, ...]
    recordings: Callable[[Path], list[Recording]]
    sentences: Callable[[Path], list[Sentence]]


def codec_of(path: Path) -> Codec:
    """How a file stores its sound; Opus counts as Vorbis, which leaves a similar trace."""
    return {".g722": "g722", ".wav": "pcm"}.get(path.suffix, "vorbis")  # type: ignore[return-value]
