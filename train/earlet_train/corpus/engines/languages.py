"""Which languages text to speech may read in which split: those of eval are never heard before."""

HEARD = (
    *("bg", "ca", "cs", "de", "es", "eu", "fi", "fr", "ga", "hr", "hu", "it", "lv", "nb", "nn"),
    *("pl", "pt", "ro", "ru", "sk", "sl", "sv", "tr", "uk"),
)
UNHEARD = ("be", "da", "el", "en", "lt", "nl")
EVAL = (*UNHEARD, "es", "ru")  # one Spanish and one Russian speaker are in eval too


def languages_of(split: str) -> tuple[str, ...]:
    """Language codes that a synthesizer which can read anything reads in this split."""
    return EVAL if split == "eval" else HEARD
