"""The dialogue of the game Fish Fillets: two actors in Czech, two in Dutch, 22 kHz Vorbis."""

import re
from pathlib import Path

from earlet_train.corpus.sources.recording import Recording, Sentence, Source

_GAME = "usr/share/games/fillets-ng"
# `level-m-word.ogg`: the small fish (m) or the big one (v). All other letters are creatures with
# few lines and effects on their voices.
_FISH = re.compile(r"^[a-z0-9]+-([mv])-")
# dialogId("vit-m-ahoj", "font_small", "Hello.")  dialogStr("Ahoj.")
_LINE = re.compile(r'dialogId\("([^"]+)",\s*"[^"]*",\s*"((?:[^"\\]|\\.)*)"\)')
_TRANSLATED = re.compile(r'\s*dialogStr\("((?:[^"\\]|\\.)*)"\)')
_LANGUAGES = ("cs", "nl", "en", "de", "fr", "it", "es")


def _recordings(store: Path) -> list[Recording]:
    found = []
    for language in ("cs", "nl"):
        package = f"fillets-ng-data-{language}"
        texts = _texts(store, language)
        root = store / package / _GAME / "sound"
        for path in sorted(root.rglob("*.ogg")):
            fish = _FISH.match(path.name)
            if fish is None:
                continue
            found.append(
                Recording(
                    name=f"{package}/{path.relative_to(root).as_posix()}",
                    path=path,
                    package=package,
                    speaker=f"FIL_{language}_{fish.group(1)}",
                    language=language,
                    text=texts.get(path.stem),
                    codec="vorbis",
                )
            )
    return found


def _sentences(store: Path) -> list[Sentence]:
    return [
        Sentence(language=language, text=text)
        for language in _LANGUAGES
        for text in _texts(store, language).values()
    ]


def _texts(store: Path, language: str) -> dict[str, str]:
    folder = store / "fillets-ng-data" / _GAME / "script"
    texts: dict[str, str] = {}
    for file in sorted(folder.rglob(f"*dialogs_{language}.lua")):
        script = file.read_text(encoding="utf-8", errors="replace")
        for line in _LINE.finditer(script):
            text = line.group(2)
            if language != "en":
                translated = _TRANSLATED.match(script, line.end())
                if translated is None:
                    continue
                text = translated.group(1)
            texts[line.group(1)] = text.replace('\\"', '"').strip()
    return texts


SOURCE = Source(
    packages=("fillets-ng-data", "fillets-ng-data-cs", "fillets-ng-data-nl"),
    recordings=_recordings,
    sentences=_sentences,
)
