"""One recording of a labelled corpus: where it lies, its label, and what else is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "dev", "eval")
KEYS = ("bonafide", "spoof")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One recording and its label.

    `file`: its id, once in a corpus. `key`: its label; of speech `bonafide` or `spoof`, elsewhere
    any word. `system`: the attack's id, `-` for whatever no attack made. `speaker`: who or what was
    recorded (a voice, an instrument, a place): trials of one are not independent, so they are
    resampled together. `extras`: what else a dataset tells (codec, device, fold, ...).
    """

    speaker: str
    file: str
    system: str
    key: str
    path: Path
    extras: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def is_spoof(self) -> bool:
        """Whether a machine made it: the positive class of every spoofing detector here."""
        return self.key == "spoof"


def check_label(key: str, system: str) -> None:
    """Raises ValueError where a label and an attack's id contradict each other."""
    if not key:
        raise ValueError("the label is empty")
    if (key == "spoof") != (system != "-"):
        raise ValueError(
            f"key {key!r} does not fit system {system!r}: only spoofed rows have an attack's id, "
            "all others (bona fide ones too) have '-' as their system"
        )
