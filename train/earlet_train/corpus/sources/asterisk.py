"""The telephone prompts of Asterisk: four professional voices in five languages, 16 kHz G.722."""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

from earlet_train.corpus.sources.recording import Recording, Sentence, Source


@dataclass(frozen=True, kw_only=True)
class _Pack:
    language: str
    folder: str
    speaker: str


# Allison reads English and Spanish: one woman, so one speaker for both.
_PACKS = (
    _Pack(language="en", folder="en_US_f_Allison", speaker="AST_allison"),
    _Pack(language="es", folder="es_MX_f_Allison", speaker="AST_allison"),
    _Pack(language="fr", folder="fr_CA_f_June", speaker="AST_fr_june"),
    _Pack(language="it", folder="it_IT_m_Carlo", speaker="AST_it_carlo"),
    _Pack(language="ru", folder="ru_RU_f_IvrvoiceRU", speaker="AST_ru_ivrvoice"),
)
# Tones, silences and effects are no speech.
_NO_SPEECH = re.compile(r"^(silence/|beep|.*tone|ascending|descending|confbridge-(join|leave)$)")


def _recordings(store: Path) -> list[Recording]:
    found = []
    for pack in _PACKS:
        package = f"asterisk-core-sounds-{pack.language}-g722"
        folder = store / package / "usr/share/asterisk/sounds" / pack.folder
        texts = _texts(store, pack.language)
        for path in sorted(folder.rglob("*.g722")):
            prompt = path.relative_to(folder).with_suffix("").as_posix()
            text = texts.get(prompt)
            if _NO_SPEECH.match(prompt) or (text is not None and text.startswith(("[", "("))):
                continue
            found.append(
                Recording(
                    name=f"{package}/{prompt}",
                    path=path,
                    package=package,
                    speaker=pack.speaker,
                    language=pack.language,
                    text=text,
                    codec="g722",
                )
            )
    return found


def _sentences(store: Path) -> list[Sentence]:
    return [
        Sentence(language=pack.language, text=text)
        for pack in _PACKS
        for text in _texts(store, pack.language).values()
        if not text.startswith(("[", "("))
    ]


def _texts(store: Path, language: str) -> dict[str, str]:
    name = f"asterisk-core-sounds-{language}"
    file = store / name / "usr/share/doc" / name / f"core-sounds-{language}.txt.gz"
    if not file.is_file():
        return {}
    with gzip.open(file, "rt", encoding="utf-8-sig", errors="replace") as stream:
        rows = [line.strip() for line in stream if ": " in line and not line.startswith(";")]
    return {key.strip(): text.strip() for key, text in (row.split(": ", 1) for row in rows)}


SOURCE = Source(
    packages=tuple(
        name
        for pack in _PACKS
        for name in (
            f"asterisk-core-sounds-{pack.language}",
            f"asterisk-core-sounds-{pack.language}-g722",
        )
    ),
    recordings=_recordings,
    sentences=_sentences,
)
