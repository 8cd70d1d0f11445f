"""Festival as a program: one Scheme script per utterance, packages merged by links."""

import hashlib
import shutil
import tempfile
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from earlet_train.corpus.engine import Request, Spoken
from earlet_train.corpus.engines.programs import read_wav, run_program, working_folder

PACKAGES = ("festival", "libestools2.5")
_ENCODINGS = {"cs": "iso-8859-2", "it": "iso-8859-15", "ca": "iso-8859-15", "ru": "utf-8"}


@dataclass(frozen=True, kw_only=True)
class Voice:
    """`command` is Festival's name of it, `packages` what it is made of; the rest says who speaks.

    `settings` is Scheme that runs after the voice is chosen; {pitch} and {pace} are factors near 1.
    `played_at`: how much faster than recorded it is played, which makes another person of it.
    """

    name: str
    command: str
    language: str
    split: str
    settings: str = "(Parameter.set 'Duration_Stretch {pace})"
    played_at: float = 1.0


def synthesize_with(voices: tuple[Voice, ...], request: Request, store: Path) -> Spoken | None:
    """The request's text by a random voice of these that fits split and language, or None."""
    fitting = [v for v in voices if v.split == request.split and v.language == request.language]
    if not fitting or not request.text:
        return None
    voice = fitting[int(request.rng.integers(len(fitting)))]
    pitch, pace = request.rng.uniform(0.88, 1.14), request.rng.uniform(0.9, 1.15)
    text = _readable(request.text, voice.language)
    if text is None:
        return None
    tree = _tree(store.resolve())
    with working_folder() as folder:
        script, out = folder / "say.scm", folder / "spoken.wav"
        settings = voice.settings.format(pitch=f"{pitch:.3f}", pace=f"{pace:.3f}")
        script.write_bytes(_script(voice, text=text, settings=settings, tree=tree, out=out))
        # -q: without the initialization of the place that Debian compiled in.
        arguments = ["-q", "-b", str(script)]
        done = run_program("festival", arguments, store=store, package="festival", folder=tree)
        spoken = None if done is None else read_wav(out)
    if spoken is None:
        return None
    rate_hz = round(spoken[1] * voice.played_at)
    return Spoken(waveform=spoken[0], sample_rate_hz=rate_hz, voice=f"festival_{voice.name}")


def languages_with(voices: tuple[Voice, ...], split: str) -> tuple[str, ...]:
    """Languages that these voices speak in a split."""
    return tuple(sorted({v.language for v in voices if v.split == split}))


def _readable(text: str, language: str) -> bytes | None:
    """Text in the voice's encoding; None where more than a tenth of its letters have no code."""
    plain = text.translate({ord("\u2019"): "'", ord("\u2026"): "...", ord("\u2013"): "-"})
    plain = " ".join(plain.replace("\\", " ").replace('"', " ").split())
    letters = [c for c in plain if c.isalpha()]
    encoding = _ENCODINGS.get(language, "ascii")
    if encoding == "ascii":
        plain = unicodedata.normalize("NFKD", plain)
    said = plain.encode(encoding, "ignore")
    kept = [c for c in said.decode(encoding) if c.isalpha()]
    return said if letters and len(kept) >= 0.9 * len(letters) else None


def _script(voice: Voice, *, text: bytes, settings: str, tree: Path, out: Path) -> bytes:
    czech = "".join(
        f'(set! czech-{name}-unisyn-index "{tree}/voices/czech/czech_{name}/group/{name}.group")\n'
        for name in ("dita", "machac")
    )
    before = f"""
(set! datadir "{tree}/")
(set! libdir "{tree}/")
{czech}(load "{tree}/init.scm")
(voice_{voice.command})
{settings}
(set! spoken (utt.synth (Utterance Text \""""
    after = f"""\")))
(utt.save.wave spoken "{out}" 'riff)
"""
    return before.encode("ascii") + text + after.encode("ascii")


@cache
def _tree(store: Path) -> Path:
    """One folder of links to all Festival packages of the store, kept beside them.

    Festival looks for voices, lexicons and languages below one folder; Debian's packages all
    install into it, ours lie apart.
    """
    packages = sorted(p.name for p in store.iterdir() if p.name.startswith("fest"))
    digest = hashlib.sha256(" ".join(packages).encode("utf-8")).hexdigest()[:12]
    tree = store / f".festival-{digest}"
    if tree.is_dir():
        return tree
    roots = [store / name / "usr/share/festival" for name in packages]
    if not any((root / "init.scm").is_file() for root in roots):
        roots.insert(0, Path("/usr/share/festival"))
    beside = Path(tempfile.mkdtemp(prefix=".festival-", dir=store))
    for root in roots:
        if root.is_dir():
            _link(root, beside)
    try:
        beside.rename(tree)
    except OSError:  # another process was faster
        shutil.rmtree(beside)
    return tree


def _link(source: Path, target: Path) -> None:
    """Links the files below `source` into `target`; folders of only one package as a whole."""
    for entry in source.iterdir():
        place = target / entry.name
        if place.is_symlink() and place.is_dir() and entry.is_dir():
            first = place.resolve()
            place.unlink()
            place.mkdir()
            _link(first, place)
        if place.is_dir():
            _link(entry, place)
        elif not place.exists():
            place.symlink_to(entry)
