"""Who is heard in which split: speakers never cross, and what was left out says why."""

from collections.abc import Iterable
from pathlib import Path

from earlet_train.corpus.sources import SOURCES
from earlet_train.corpus.sources.recording import Recording

# English, Dutch, Belarusian, Greek, Danish and Lithuanian voices are in eval alone. A language's
# voices of the two KDE games and of Tux Paint share a split wherever they might be one person.
SPLIT_OF_SPEAKER: dict[str, str] = {
    "AST_fr_june": "train",
    "AST_it_carlo": "train",
    "FIL_cs_v": "train",
    "TUX_bg": "train",
    "TUX_ca": "train",
    "TUX_es": "train",
    "TUX_ro": "train",
    "TUX_ru": "train",
    "KDE_ar": "train",
    "KDE_ca": "train",
    "KDE_cs": "train",
    "KDE_es": "train",
    "KDE_gl": "train",
    "KDE_it": "train",
    "KDE_ml": "train",
    "KDE_nds": "train",
    "KDE_ru": "train",
    "KDE_sl": "train",
    "KDE_tn": "train",
    "KDE_wa": "train",
    "AST_ru_ivrvoice": "dev",
    "FIL_cs_m": "dev",
    "TUX_fr": "dev",
    "KDE_de": "dev",
    "KDE_fr": "dev",
    "KDE_he": "dev",
    "KDE_hu": "dev",
    "KDE_no": "dev",
    "KDE_pt": "dev",
    "KDE_uk": "dev",
    "AST_allison": "eval",
    "FIL_nl_m": "eval",
    "FIL_nl_v": "eval",
    "FVX_ru_nsh": "eval",
    "TUX_be": "eval",
    "TUX_da": "eval",
    "TUX_el": "eval",
    "KDE_da": "eval",
    "KDE_el": "eval",
    "KDE_en": "eval",
    "KDE_lt": "eval",
    "KDE_nl": "eval",
}

# The largest part of its split that one speaker may be; others share what is left evenly.
SHARE_AT_MOST: dict[str, float] = {"FIL_cs_m": 0.25, "KDE_ml": 0.05}

LEFT_OUT: dict[str, str] = {
    "hedgewars voices": "pitched up and full of effects",
    "warzone2100": "radio effects on every voice",
    "prompt packs at 8 kHz": "their bandwidth would be the label",
    "fillets: other creatures": "effects on the voices, few lines each",
    "tuxpaint: en, nl, lt stamps": "several speakers under one name",
    "tuxpaint: sounds without _desc": "noises of animals and things, no speech",
    "ktuberling: fi es it nds nl pt sv ro ga sr": "a dozen words each, mostly at 8 kHz",
    "recordings below 16 kHz": "their bandwidth would be the label",
    "svox-pico, mbrola, rhvoice": "not in Debian main, or synthetic themselves",
}


def bona_fide_packages() -> tuple[str, ...]:
    """Names of all packages with recordings or their texts."""
    return tuple(sorted({name for source in SOURCES.values() for name in source.packages}))


def all_recordings(store: Path, *, packages: Iterable[str]) -> list[Recording]:
    """The recordings in these packages by speakers that have a split, in the order of names."""
    wanted = set(packages)
    found = [r for source in SOURCES.values() for r in source.recordings(store)]
    return sorted(
        (r for r in found if r.package in wanted and r.speaker in SPLIT_OF_SPEAKER),
        key=lambda recording: recording.name,
    )
