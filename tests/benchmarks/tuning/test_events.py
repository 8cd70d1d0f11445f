"""Events are judged on recordings: a table, a page that explains itself, JSON; and refusals."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tracks.made import SHARP, noisy, track

from earlet.bundle import find
from earlet.errors import UsageError
from earlet.events import EventPolicy
from earlet.write import check_written, write_bundle
from earlet_bench.tuning.bundle import with_events
from earlet_bench.tuning.judge import figures, outcomes
from earlet_bench.tuning.page import HEADS, Row, in_words, table
from earlet_bench.tuning.subject import label_sought

Cli = Callable[..., tuple[int, str, str]]

LAZY = EventPolicy(on_threshold=0.5, off_threshold=-0.5, smoothing_s=4.0, minimum_s=1.0)


@pytest.fixture
def tuned(bundle: Path, calls: Path, tmp_path: Path) -> Path:
    """The bundle with a policy in it."""
    return _with(bundle, LAZY, tmp_path / "tuned")


@pytest.fixture
def told(calls: Path, tmp_path: Path) -> Path:
    """The same calls as `earlet corpus long` leaves them: with people, systems, calls.json."""
    folder = tmp_path / "mixed" / "eval"
    folder.mkdir(parents=True)
    for file in calls.glob("*.flac"):
        (folder / file.name).symlink_to(file)
    head, *rows = (calls / "segments.csv").read_text().splitlines()
    lines = [head]
    for row in rows:
        name, start, end, label, _, _ = row.split(",")
        person, system = ("made", "A01") if label == "spoof" else (f"p{int(name[1]) % 3}", "-")
        lines.append(",".join([name, start, end, label, person, system]))
    (folder / "segments.csv").write_text("\n".join(lines) + "\n")
    mixed = {"corpus": "tones", "split": "eval", "seed": 7, "distinct": 2}
    (folder / "calls.json").write_text(json.dumps({"schema": "earlet-calls-1", **mixed}))
    return folder


@pytest.fixture
def corpus_json(tmp_path: Path) -> Path:
    """What names the synthesizers of a corpus."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    systems = {"A01": {"name": "a tone generator"}}
    held = {"schema": "earlet-corpus-1", "systems": systems, "counts": {"train": {"A01": 9}}}
    (folder / "corpus.json").write_text(json.dumps(held))
    return folder


def _with(bundle: Path, policy: EventPolicy, out: Path) -> Path:
    point = figures(
        outcomes(policy, [track([2.0] * 9, (0.0, 6.0))], positive="spoof"), hours=0.1, resamples=0
    ).point("mixed/dev, 1 recordings")
    files = with_events(find(bundle), policy=policy, point=point, told="{}\n")
    write_bundle(out, files, check=check_written)
    return out


def test_a_detector_in_two_bundles_stands_once(
    cli: Cli, bundle: Path, tuned: Path, calls: Path
) -> None:
    code, shown, err = cli("events", tuned, bundle, tuned, "--data", calls, "--json")
    assert (code, err) == (0, "")
    record = json.loads(shown)
    assert record["schema"] == "earlet.events/1"
    assert record["device"]["onnxruntime"]
    assert [row["what"] for row in record["rows"]] == ["small untuned", "small tuned"]
    found = record["rows"][1]
    assert found["policy"] == dataclasses.asdict(LAZY)
    assert (found["false_alarms"], found["misses"], found["targets"]) == (0, 0, 2)
    assert 0 < found["median_latency_s"]["value"] < 10


def test_one_name_with_two_policies_is_told_apart(
    cli: Cli, bundle: Path, tuned: Path, calls: Path, tmp_path: Path
) -> None:
    other = _with(bundle, SHARP, tmp_path / "sharp")
    code, shown, _ = cli("events", tuned, other, "--data", calls, "--json")
    assert code == 0
    names = [row["what"] for row in json.loads(shown)["rows"]]
    assert names == [
        "small untuned",
        f"small tuned, {tmp_path.name}/tuned",
        f"small tuned, {tmp_path.name}/sharp",
    ]


def test_the_terminal_shows_the_table_and_the_policies(cli: Cli, tuned: Path, told: Path) -> None:
    code, shown, _ = cli("events", tuned, "--data", told, "--attacks")
    assert code == 0
    lines = shown.splitlines()
    assert lines[0].startswith("what")
    assert "2 of 2" in lines[2]
    (by_system,) = [line for line in lines if line.startswith("A01")]
    assert by_system.count("2 of 2, half within") == 2
    assert lines[-1] == f"small tuned: {in_words(LAZY)}"


def test_the_page_explains_itself(
    cli: Cli, tuned: Path, told: Path, corpus_json: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "events.png"
    options = ("--data", told, "--attacks", "--corpus", corpus_json, "--picture", picture)
    code, page, err = cli("events", tuned, *options, "--markdown")
    assert (code, err) == (0, f"written: {picture}\n")
    assert page.startswith("# Events over time: small on mixed/eval\n")
    assert "**small tuned**, as it is delivered, noticed 2 of 2 stretches of synthetic" in page
    assert "![Score and alarms over time](events.png)" in page
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "4 recordings, 0.07 h of 3 people. 2 of them hold synthetic speech by 1 synth" in page
    assert "(seed 7) of 2 recordings of the eval split of the corpus tones" in page
    # Every column of the table is explained below it.
    (header,) = [line for line in page.splitlines() if line.startswith("| what |")]
    shown = [cell.strip() for cell in header.strip("|").split("|")]
    assert shown == [head for head in HEADS if head not in ("data", "hours")]
    words = page[page.index(header) :]
    for column in shown[1:]:
        assert f"- **{column.partition(':')[0]}**:" in words or column == "90 % within"
    assert f"- **small tuned**: {in_words(LAZY)}. Chosen by `earlet tune` on mixed/dev" in words
    assert "Round numbers around the bundle's threshold, chosen on no long rec" in words
    assert "| A01, a tone generator | yes | 2 of 2, half within" in words
    assert re.search(r"- small 0\.1\.0 \([0-9a-f]{8}\), int8: a verdict of 0\.5 s of sound", words)
    assert "onnxruntime" in words
    # The page has the numbers of the JSON.
    rows = json.loads(cli("events", tuned, "--data", told, "--json")[1])["rows"]
    rate = rows[1]["false_alarms_per_hour"]
    told_rate = f"| {rate['value']:.2f} ({rate['low']:.2f} to {rate['high']:.2f}) | 2 of 2 |"
    assert told_rate in page


def test_a_page_of_two_sets_says_which_is_which(
    cli: Cli, tuned: Path, told: Path, calls: Path
) -> None:
    code, page, _ = cli("events", tuned, "--data", told, "--data", calls, "--markdown")
    assert code == 0
    own = f"{calls.parent.name}/{calls.name}"
    assert page.startswith(f"# Events over time: small on mixed/eval and {own}\n")
    assert sum(f"| {own} |" in line for line in page.splitlines()) == 2
    assert "labelled in segments.csv" in page
    assert "By synthesizer" not in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--picture", "events.svg"), "Name it events.png"),
        (("--picture", "events"), "Name it events.png"),
        (("--picture", "none/events.png"), "no folder none"),
        (("--corpus", "nowhere"), "nowhere has no corpus.json"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_heard(
    cli: Cli, bundle: Path, calls: Path, options: tuple[str, ...], words: str
) -> None:
    code, shown, err = cli("events", bundle, "--data", calls, *options)
    assert (code, shown) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "calls.json cannot be used"),
        ("[]", "its schema is None"),
        ('{"schema": "earlet-calls-9"}', "expected 'earlet-calls-1'"),
        ('{"schema": "earlet-calls-1", "corpus": "c", "split": "dev"}', "seed or distinct"),
    ],
)
def test_a_damaged_calls_json_is_named(
    cli: Cli, bundle: Path, told: Path, text: str, words: str
) -> None:
    (told / "calls.json").write_text(text)
    code, _, err = cli("events", bundle, "--data", told, "--markdown")
    assert code == 2
    assert words in err
    assert "take that file out" in err


def test_a_damaged_corpus_json_is_named(
    cli: Cli, bundle: Path, told: Path, corpus_json: Path
) -> None:
    held = {"schema": "earlet-corpus-1", "systems": {"A01": "a tone"}}
    (corpus_json / "corpus.json").write_text(json.dumps(held))
    code, _, err = cli("events", bundle, "--data", told, "--corpus", corpus_json)
    assert code == 2
    assert "its systems have no names, or train has no counts" in err


def test_detectors_of_different_labels_share_no_table(bundle: Path, tmp_path: Path) -> None:
    one = find(bundle)
    copy = find(Path(shutil.copytree(bundle, tmp_path / "other")))
    other = dataclasses.replace(
        copy, manifest=dataclasses.replace(one.manifest, positive="bonafide")
    )
    assert label_sought([one, copy]) == "spoof"
    with pytest.raises(UsageError, match=r"small seeks 'spoof', .*other seeks 'bonafide'"):
        label_sought([one, other])


def test_the_table_is_aligned() -> None:
    tracks = [noisy(k, (300.0, 600.0), speaker=s) for k, s in enumerate("ab")]
    found = outcomes(SHARP, tracks, positive="spoof")
    row = Row(what="w", data="d", policy=SHARP, figures=figures(found, hours=0.3), outcomes=found)
    lines = table([row, dataclasses.replace(row, what="a longer name")])
    assert len({line.index("2 of 2") for line in lines[1:]}) == 1
