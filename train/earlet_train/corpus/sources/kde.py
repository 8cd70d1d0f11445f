"""Two children's games of KDE: many small voices, one per language, that read single words.

KTuberling reads the names of things, KLettres letters and syllables. Who speaks is not said, so a
language's two voices may be one person: they share a speaker code and therefore a split.
"""

from pathlib import Path

from earlet_train.corpus.sources.recording import Recording, Sentence, Source, codec_of

# Languages whose recordings are mono or stereo of at least 16 kHz. Left out: Serbian (15 words
# in four spellings), and fi es it nds nl pt sv ro ga (a dozen words each, mostly at 8 kHz).
_KTUBERLING = ("ca", "da", "de", "el", "en", "fr", "gl", "lt", "nn", "ru", "sl", "uk", "wa")
_KLETTRES = (
    *("ar", "cs", "da", "de", "en", "en_GB", "es", "fr", "he", "hu", "it", "lt", "ml", "nb"),
    *("nds", "nl", "pt_BR", "ru", "tn", "uk"),
)
# Norwegian in its two written forms, and two English folders, may be one speaker each.
_SAME_SPEAKER = {"nb": "no", "nn": "no", "en_GB": "en", "pt_BR": "pt"}


def _recordings(store: Path) -> list[Recording]:
    found = []
    for package, folder, languages in (
        ("ktuberling-data", "usr/share/ktuberling/sounds", _KTUBERLING),
        ("klettres-data", "usr/share/klettres", _KLETTRES),
    ):
        root = store / package / folder
        for name in languages:
            language = _SAME_SPEAKER.get(name, name)
            files = [p for p in (root / name).rglob("*") if p.suffix in {".ogg", ".opus", ".wav"}]
            found += [
                Recording(
                    name=f"{package}/{path.relative_to(root).as_posix()}",
                    path=path,
                    package=package,
                    speaker=f"KDE_{language}",
                    language=language,
                    text=None,
                    codec=codec_of(path),
                )
                for path in sorted(files)
            ]
    return found


def _sentences(store: Path) -> list[Sentence]:
    return []


SOURCE = Source(
    packages=("klettres-data", "ktuberling-data"), recordings=_recordings, sentences=_sentences
)
