"""The names of Tux Paint's stamps, read aloud by one speaker per language, 44.1 kHz Vorbis."""

import re
from pathlib import Path

from earlet_train.corpus.sources.recording import Recording, Sentence, Source

_PACKAGE = "tuxpaint-stamps-default"
_STAMPS = "usr/share/tuxpaint/stamps"
# `crow_desc_fr.ogg` reads crow.txt in French. `crow_fr.ogg` is what a crow says: no speech.
_SPOKEN = re.compile(r"^(.+)_desc_([a-z]{2})\.ogg$")
# One speaker each throughout; English, Dutch and Lithuanian are mixtures of several.
_LANGUAGES = ("be", "bg", "ca", "da", "el", "es", "fr", "ro", "ru")
_READ = (*_LANGUAGES, "en", "it", "cs", "nl", "de", "lt")


def _recordings(store: Path) -> list[Recording]:
    found = []
    root = store / _PACKAGE / _STAMPS
    for path in sorted(root.rglob("*_desc_*.ogg")):
        spoken = _SPOKEN.match(path.name)
        if spoken is None or spoken.group(2) not in _LANGUAGES:
            continue
        language = spoken.group(2)
        found.append(
            Recording(
                name=f"{_PACKAGE}/{path.relative_to(root).as_posix()}",
                path=path,
                package=_PACKAGE,
                speaker=f"TUX_{language}",
                language=language,
                text=_texts(path.with_name(f"{spoken.group(1)}.txt")).get(language),
                codec="vorbis",
            )
        )
    return found


def _sentences(store: Path) -> list[Sentence]:
    return [
        Sentence(language=language, text=text)
        for file in sorted((store / _PACKAGE / _STAMPS).rglob("*.txt"))
        for language, text in _texts(file).items()
        if language in _READ
    ]


def _texts(file: Path) -> dict[str, str]:
    """Language -> name: the first line is English, the others read `fr.utf8=Un corbeau.`"""
    if not file.is_file():
        return {}
    first, *others = file.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    texts = {"en": first.strip()}
    for line in others:
        key, separator, text = line.partition(".utf8=")
        if separator:
            texts[key.strip()] = text.strip()
    return {language: text for language, text in texts.items() if text}


SOURCE = Source(packages=(_PACKAGE,), recordings=_recordings, sentences=_sentences)
