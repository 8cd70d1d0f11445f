"""The sentences that one man read for Festival's Russian voice, clean 16 kHz PCM."""

import re
from pathlib import Path

from earlet_train.corpus.sources.recording import Recording, Sentence, Source

_PACKAGE = "festvox-ru"
_VOICE = "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
_PROMPT = re.compile(r'^\(\s*(\S+)\s+"(.*)"\s*\)$')


def _recordings(store: Path) -> list[Recording]:
    folder = store / _PACKAGE / _VOICE
    texts = _texts(folder)
    return [
        Recording(
            name=f"{_PACKAGE}/{path.name}",
            path=path,
            package=_PACKAGE,
            speaker="FVX_ru_nsh",
            language="ru",
            text=texts.get(path.stem),
            codec="pcm",
        )
        for path in sorted((folder / "wav").glob("*.wav"))
    ]


def _sentences(store: Path) -> list[Sentence]:
    texts = _texts(store / _PACKAGE / _VOICE)
    return [Sentence(language="ru", text=text) for text in texts.values()]


def _texts(folder: Path) -> dict[str, str]:
    file = folder / "etc/txt.done.data"
    if not file.is_file():
        return {}
    prompts = [_PROMPT.match(line) for line in file.read_text(encoding="utf-8").splitlines()]
    # The plus marks the stressed vowel that follows.
    return {p.group(1): p.group(2).replace("+", "") for p in prompts if p is not None}


SOURCE = Source(packages=(_PACKAGE,), recordings=_recordings, sentences=_sentences)
