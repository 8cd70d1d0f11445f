"""What `earlet corpus` writes beside calls is read as it was written."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from earlet.segments import read_segments
from earlet_bench.tuning.material import CALLS_FILE, CORPUS_FILE, Mixed, material, systems_of
from earlet_train.corpus import inventory, long
from earlet_train.corpus.engines import ENGINES


def test_the_calls_of_corpus_long_are_known_again(calls: Path, tmp_path: Path) -> None:
    written = long.Mixed(
        schema=long.SCHEMA,
        corpus="standard",
        split="eval",
        seed=3,
        minutes=1.0,
        hours=4 / 60,
        distinct=40,
        played=80,
        calls=[long.Call(number=1, person="p", system="A01", voice="p")],
    )
    assert long.CALLS_FILE == CALLS_FILE
    for file in calls.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / CALLS_FILE).write_text(json.dumps(asdict(written)))
    found = material(read_segments(tmp_path), tmp_path, data="calls/eval", positive="spoof")
    assert found.mixed == Mixed(corpus="standard", split="eval", seed=3, distinct=40)
    assert (found.recordings, found.turning, found.people, found.systems) == (4, 2, 4, 0)
    assert (found.hours * 3600, found.sought_h * 3600) == (240.0, 60.0)
    # The table itself may be named instead of its folder.
    table = tmp_path / "segments.csv"
    assert material(read_segments(table), table, data="calls/eval", positive="spoof") == found


def test_the_synthesizers_of_a_built_corpus_have_their_names(tmp_path: Path) -> None:
    written = inventory.write_inventory(
        tmp_path,
        size="demo",
        seed=0,
        version="0",
        made=[],
        packages=[],
        engines=ENGINES,
        left_out={},
    )
    assert inventory.FILE == CORPUS_FILE
    found = systems_of(tmp_path)
    assert {key: one.name for key, one in found.items()} == {k: e.name for k, e in ENGINES.items()}
    # Nothing was made for this corpus, so nothing is in its training data.
    assert not any(one.trained for one in found.values())
    heard = replace(written, counts={"train": {"A05": 3}, "dev": {"A06": 1}, "eval": {}})
    (tmp_path / CORPUS_FILE).write_text(json.dumps(asdict(heard)))
    assert [key for key, one in systems_of(tmp_path).items() if one.trained] == ["A05"]
