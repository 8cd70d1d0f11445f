"""A01: formant synthesis, espeak-ng with a hundred voice variants."""

from pathlib import Path

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines import espeak
from earlet_train.corpus.engines.languages import languages_of

# Every variant that ships, in alphabetical order: three of five train, the fourth dev, the fifth
# eval, so that each split has men, women, robots and some of the Klatt synthesizer's voices.
VARIANTS = (
    *("Alex", "Alicia", "Andrea", "Andy", "Annie", "AnxiousAndy", "Demonic", "Denis"),
    *("Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario"),
    *("Michael", "Mike", "Nguyen", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm"),
    *("Tweaky", "UniRobot", "adam", "anika", "anikaRobot", "announcer", "antonio", "aunty"),
    *("belinda", "benjamin", "boris", "caleb", "croak", "david", "ed", "edward", "edward2"),
    *("f1", "f2", "f3", "f4", "f5", "fast", "grandma", "grandpa", "gustave", "iven", "iven2"),
    *("iven3", "iven4", "john", "kaukovalta", "klatt", "klatt2", "klatt3", "klatt4"),
    *("klatt5", "klatt6", "linda", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "marcelo"),
    *("max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob"),
    *("robert", "robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5", "robosoft6"),
    *("robosoft7", "robosoft8", "sandro", "shelby", "steph", "steph2", "steph3", "travis"),
    *("victor", "whisper", "whisperf", "zac"),
)
_TURNS = {"train": (0, 1, 2), "dev": (3,), "eval": (4,)}


class FormantEspeak:
    """espeak-ng: rules to formants, a glottal source to filters."""

    id = "A01"
    name = "formant TTS (espeak-ng)"
    family = "source-filter"
    method: Method = "tts"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = espeak.PACKAGES
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """All of the split's languages."""
        return languages_of(split)

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request's text in a random variant of its split, at a random pitch and pace."""
        if not request.text or request.language not in self.languages(request.split):
            return None
        turns = _TURNS[request.split]
        variants = [v for place, v in enumerate(VARIANTS) if place % 5 in turns]
        variant = variants[int(request.rng.integers(len(variants)))]
        pitch, pace = (int(request.rng.integers(*span)) for span in ((30, 71), (135, 191)))
        spoken = espeak.speak(
            request.text,
            language=request.language,
            variant=variant,
            pitch=pitch,
            pace=pace,
            store=store,
        )
        if spoken is None:
            return None
        return Spoken(
            waveform=spoken[0],
            sample_rate_hz=spoken[1],
            voice=f"espeak_{request.language}_{variant}",
        )
