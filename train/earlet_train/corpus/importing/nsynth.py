"""NSynth: single notes of a thousand instruments, labelled by the instrument's family."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from earlet.errors import CorpusError
from earlet.trial import Trial
from earlet_train.corpus.importing.dataset import Dataset, Entry

FAMILIES = (
    *("bass", "brass", "flute", "guitar", "keyboard", "mallet"),
    *("organ", "reed", "string", "synth_lead", "vocal"),
)
PARTS = {"train": "nsynth-train", "dev": "nsynth-valid", "eval": "nsynth-test"}
EXTRAS = ("instrument_source_str", "pitch", "velocity")
NEEDED = ("note_str", "instrument_str", "instrument_family", "instrument_family_str", *EXTRAS)


@dataclass(frozen=True, kw_only=True)
class NSynth(Dataset):
    """`speaker` is the instrument; extras are its source, the pitch and the velocity."""

    title = "NSynth"
    layout = """\
  nsynth-train/examples.json  (also nsynth-valid, nsynth-test)
  nsynth-train/audio/guitar_acoustic_001-082-050.wav, ...
  examples.json maps each note_str to its fields: instrument_str, instrument_family_str, ..."""
    rate_hz = 16_000
    labels = FAMILIES

    def entries(self) -> Iterator[Entry]:
        """Every note of the three parts, in their order."""
        home = self.home(*(f"{part}/examples.json" for part in PARTS.values()))
        for split, part in PARTS.items():
            file = home / part / "examples.json"
            for number, (name, fields) in enumerate(self._examples(file), start=1):
                trial = self._trial(file, number, name, fields)
                yield Entry(split=split, trial=trial, listing=file, row=number)

    def _examples(self, file: Path) -> list[tuple[str, object]]:
        try:
            # As pairs: a dict would hide a note that is there twice.
            read = json.loads(
                file.read_text(encoding="utf-8"), object_pairs_hook=lambda pairs: pairs
            )
        except ValueError as error:
            raise self.misfit(file, f"is not JSON ({error})") from None
        if not isinstance(read, list) or not all(isinstance(pair, tuple) for pair in read):
            raise self.misfit(file, "does not map notes to their fields")
        if not read:
            raise self.misfit(file, "lists no note")
        return read

    def _trial(self, file: Path, number: int, name: str, pairs: object) -> Trial:
        def fault(found: str) -> CorpusError:
            return self.misfit(file, f"({name}) {found}", row=number)

        try:
            fields: Mapping[str, object] = dict(pairs)  # type: ignore[call-overload]
        except (TypeError, ValueError):
            raise fault("is no set of fields") from None
        absent = next((field for field in NEEDED if field not in fields), None)
        if absent is not None:
            raise fault(f"has no field {absent!r}")
        family, index = str(fields["instrument_family_str"]), fields["instrument_family"]
        if family not in FAMILIES or index != FAMILIES.index(family):
            raise fault(
                f"has the instrument_family {index}, {family!r}, which is none of the eleven"
            )
        if fields["note_str"] != name:
            raise fault(f"has the note_str {fields['note_str']!r}")
        return Trial(
            speaker=str(fields["instrument_str"]),
            file=name,
            system="-",
            key=family,
            path=file.parent / "audio" / f"{name}.wav",
            extras={field.removesuffix("_str"): str(fields[field]) for field in EXTRAS},
        )
