"""Reads what a t-DCF needs to know of the speaker verifier, as the challenges ship it.

2019, one file (`ASVspoof2019.LA.asv.eval.gi.trl.scores.txt`), three columns a row:

    SOURCE KEY SCORE          SOURCE is the attack of a spoofed trial; KEY target|nontarget|spoof

2021, two files row by row: `ASV/trial_metadata.txt`, eight columns (LA) or twelve (PA), and
`ASV/<system>/score.txt`, three columns:

    SPEAKER TRIAL CODEC TRANSMISSION ATTACK KEY TRIM SUBSET          SPEAKER TRIAL SCORE

or the coefficients made of them (`LA-C012-eval.npy`): a pickled mapping of attack and codec, which
is read here without running what a pickle may hold.
"""

import io
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet_bench.evaluation.tandem import (
    AsvRates,
    Coefficients,
    asv_rates,
    legacy_coefficients,
    revised_coefficients,
)

Floats = NDArray[np.float64]

KEYS = ("target", "nontarget", "spoof")
POOLED = "Pooled"
# Columns of the 2021 metadata: how many, where the key stands, and the attack and condition (PA
# has no attack).
_LAYOUTS: Mapping[int, tuple[int, int | None, int | None]] = {8: (5, 4, 2), 12: (9, None, None)}


@dataclass(frozen=True, kw_only=True)
class AsvScores:
    """The verifier's scores [N], what each trial is, and its attack and codec where told."""

    source: str
    scores: Floats = field(repr=False)
    keys: NDArray[np.str_] = field(repr=False)
    attacks: NDArray[np.str_] = field(repr=False)
    codecs: NDArray[np.str_] | None = field(repr=False, default=None)

    def rates(self, *, attack: str | None = None, codec: str | None = None) -> AsvRates | None:
        """At the equal error threshold of that condition; None where it lacks a kind of trial.

        An attack chooses among spoofed trials, a codec among all.
        """
        chosen = np.ones(len(self.scores), dtype=bool)
        if attack is not None:
            chosen &= (self.keys != "spoof") | (self.attacks == attack)
        if codec is not None:
            if self.codecs is None:
                return None
            chosen &= self.codecs == codec
        target, nontarget, spoof = (self.scores[chosen & (self.keys == key)] for key in KEYS)
        if min(len(target), len(nontarget), len(spoof)) == 0:
            return None
        return asv_rates(target, nontarget, spoof)


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Gives the coefficients of either t-DCF for a condition; None where there are none.

    `shipped`: attack -> codec -> coefficients, where they came ready-made (2021 only).
    """

    source: str
    scores: AsvScores | None = None
    shipped: Mapping[str, Mapping[str, Coefficients]] | None = None

    def legacy(self, *, attack: str | None = None, codec: str | None = None) -> Coefficients | None:
        """Of 2019."""
        rates = None if self.scores is None else self.scores.rates(attack=attack, codec=codec)
        return None if rates is None else legacy_coefficients(rates)

    def revised(
        self, *, attack: str | None = None, codec: str | None = None
    ) -> Coefficients | None:
        """Of 2021."""
        if self.shipped is not None:
            found = self.shipped.get(attack or POOLED, {}).get(codec or POOLED)
            if found is None and attack is None and codec is not None:
                # The table of PA has the rooms and microphones in its rows.
                found = self.shipped.get(codec, {}).get(POOLED)
            return found
        rates = None if self.scores is None else self.scores.rates(attack=attack, codec=codec)
        return None if rates is None else revised_coefficients(rates)


def read_verifier(
    file: Path, *, metadata: Path | None = None, subset: str | None = None
) -> Verifier:
    """A score file of 2019 or (with `metadata`) of 2021, or a C012 file. Raises UsageError.

    `subset`: rows of the 2021 metadata to use (`eval`, `progress`, `hidden`); None for all.
    """
    if file.suffix == ".npy":
        return Verifier(source=file.name, shipped=read_coefficients(file))
    scores = read_2019(file) if metadata is None else read_2021(file, metadata, subset=subset)
    return Verifier(source=file.name, scores=scores)


def read_2019(file: Path) -> AsvScores:
    """SOURCE KEY SCORE per row. Raises UsageError naming the first row that is not."""
    rows = _rows(file, columns=3, form="SOURCE KEY SCORE")
    _check_keys(file, [row[1] for row in rows])
    return AsvScores(
        source=file.name,
        scores=_numbers(file, [row[2] for row in rows]),
        keys=np.array([row[1] for row in rows]),
        attacks=np.array([row[0] for row in rows]),
    )


def read_2021(file: Path, metadata: Path, *, subset: str | None = None) -> AsvScores:
    """SPEAKER TRIAL SCORE beside the metadata, row by row. Raises UsageError."""
    scored = _rows(file, columns=3, form="SPEAKER TRIAL SCORE")
    about = _rows(metadata, columns=None, form="SPEAKER TRIAL ... KEY TRIM SUBSET")
    width = len(about[0])
    if width not in _LAYOUTS or any(len(row) != width for row in about):
        odd = next(
            (
                n
                for n, row in enumerate(about, start=1)
                if len(row) not in _LAYOUTS or len(row) != width
            ),
            1,
        )
        raise UsageError(
            f"{metadata}, row {odd}: found {len(about[odd - 1])} columns, expected "
            f"{' or '.join(map(str, _LAYOUTS))} in every row: SPEAKER TRIAL ... KEY TRIM SUBSET."
        )
    if len(scored) != len(about):
        raise UsageError(
            f"{file} has {len(scored)} rows and {metadata} {len(about)}: they go together row by "
            "row. Give the two files of one verifier."
        )
    for number, (score, row) in enumerate(zip(scored, about, strict=True), start=1):
        if score[1] != row[1]:
            raise UsageError(
                f"row {number}: {file} scores the trial {score[1]!r}, {metadata} describes "
                f"{row[1]!r}. Give the two files of one verifier."
            )
    key, attack, codec = _LAYOUTS[width]
    _check_keys(metadata, [row[key] for row in about])
    kept = [n for n, row in enumerate(about) if subset is None or row[-1] == subset]
    if not kept:
        held = ", ".join(sorted({row[-1] for row in about}))
        raise UsageError(f"{metadata} has no trial of the subset {subset!r}; it has {held}.")
    return AsvScores(
        source=file.name,
        scores=_numbers(file, [row[2] for row in scored])[kept],
        keys=np.array([about[n][key] for n in kept]),
        attacks=np.array(["-" if attack is None else about[n][attack] for n in kept]),
        codecs=None if codec is None else np.array([about[n][codec] for n in kept]),
    )


def read_coefficients(file: Path) -> dict[str, dict[str, Coefficients]]:
    """The shipped C012 -> attack -> codec -> Coefficients (`Pooled` for all). Raises UsageError.

    Conditions that the challenge left out (NaN) are left out.
    """
    data = _read(file)
    if data.startswith(np.lib.format.MAGIC_PREFIX):
        # As `numpy.save` writes it: the pickle follows a header.
        stream = io.BytesIO(data)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(stream)
        data = data[stream.tell() :]
    try:
        table = _Tame(io.BytesIO(data)).load().item()
        found: dict[str, dict[str, Coefficients]] = {}
        for attack, row in table.items():
            for codec, cell in row.items():
                c0, c1, c2 = (float(cell[name]) for name in ("C0", "C1", "C2"))
                if not any(map(math.isnan, (c0, c1, c2))):
                    found.setdefault(str(attack), {})[str(codec)] = Coefficients(
                        c0=c0, c1=c1, c2=c2
                    )
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    # A damaged pickle raises whatever it likes.
    except Exception as error:
        raise UsageError(
            f"{file} is no table of C012 coefficients ({type(error).__name__}: {error}). Give the "
            "file that came with the keys of ASVspoof 2021, or ASV scores."
        ) from None
    if not found:
        raise UsageError(f"{file} holds no condition with coefficients.")
    return found


class _Tame(pickle.Unpickler):
    """Unpickles numpy arrays and numbers, and refuses to import anything else."""

    def find_class(self, module: str, name: str) -> Any:
        home = module.replace("numpy._core", "numpy.core")
        if (home, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (home, name) == ("numpy", "dtype"):
            return np.dtype
        if (home, name) == ("numpy.core.multiarray", "_reconstruct"):
            return _empty_array
        if (home, name) == ("numpy.core.multiarray", "scalar"):
            return _number
        if (module, name) == ("_codecs", "encode"):
            # How old protocols spell bytes.
            return lambda text, encoding: text.encode("latin1")
        raise UsageError(f"the file asks for {module}.{name}, which coefficients have no use for.")


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    """What pickled arrays are filled into."""
    return np.ndarray.__new__(np.ndarray, shape, code.decode() if code else "b")


def _number(kind: "np.dtype[Any]", data: bytes) -> float:
    return float(np.frombuffer(data, dtype=kind)[0])


def _rows(file: Path, *, columns: int | None, form: str) -> list[list[str]]:
    rows = [line.split() for line in _text(file).splitlines()]
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise UsageError(f"{file} is empty; expected rows of {form}.")
    if columns is not None:
        for number, row in enumerate(rows, start=1):
            if len(row) != columns:
                raise UsageError(
                    f"{file}, row {number}: found {len(row)} columns, expected {columns}: {form}."
                )
    return rows


def _numbers(file: Path, cells: list[str]) -> Floats:
    numbers = np.empty(len(cells))
    for place, cell in enumerate(cells):
        try:
            numbers[place] = float(cell)
        except ValueError:
            raise UsageError(f"{file}, row {place + 1}: {cell!r} is not a number.") from None
        if not math.isfinite(numbers[place]):
            raise UsageError(f"{file}, row {place + 1}: the score {cell} is not finite.")
    return numbers


def _check_keys(file: Path, keys: list[str]) -> None:
    for number, key in enumerate(keys, start=1):
        if key not in KEYS:
            raise UsageError(
                f"{file}, row {number}: key {key!r} is none of {', '.join(KEYS)}. Is this the "
                "speaker verifier's file?"
            )


def _text(file: Path) -> str:
    try:
        return _read(file).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text; expected a score file.") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from None
