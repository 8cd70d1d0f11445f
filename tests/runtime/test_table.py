"""Tables of imported corpora: what is written is read again, and a bad row is named."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.errors import CorpusError
from earlet.protocol import known_systems, read_protocol, splits
from earlet.table import read_table, tables, write_table
from earlet.trial import Trial

HEAD = "file\tpath\tspeaker\tsystem\tkey"


def corpus(root: Path, **rows: str) -> Path:
    (root / "corpus.json").write_text("{}")
    for split, content in rows.items():
        (root / f"{split}.tsv").write_text(content, encoding="utf-8", newline="")
    return root


def test_a_table_is_a_split(tmp_path: Path) -> None:
    rows = f"{HEAD}\tcodec\tgap\nE_1\t/far/a b.flac\tS1\tA07\tspoof\talaw\t\n"
    rows += "né\taudio/x.wav\t-\t-\tchien\t\t\n"
    root = corpus(tmp_path, eval=rows, train=rows, progress=rows)
    assert splits(root) == tuple(tables(root)) == ("train", "eval", "progress")
    first, second = read_protocol(root, "progress")
    assert (first.file, first.speaker, first.system, first.key) == ("E_1", "S1", "A07", "spoof")
    assert first.path == Path("/far/a b.flac")
    assert first.extras == {"codec": "alaw"}
    assert first.is_spoof
    assert second.path == root / "audio" / "x.wav"
    assert (second.file, second.key, dict(second.extras)) == ("né", "chien", {})
    assert known_systems(root) == {"A07"}


def test_text_with_tabs_beside_no_inventory_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(HEAD)
    assert tables(tmp_path) == {}
    with pytest.raises(CorpusError, match="holds 0 protocols"):
        read_protocol(tmp_path, "train")


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(
    st.lists(
        st.tuples(CELL, CELL, CELL, st.dictionaries(st.sampled_from(["a", "b b"]), CELL)),
        min_size=1,
        unique_by=lambda row: row[0],
    )
)
def test_whatever_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, dict[str, str]]]
) -> None:
    root = tmp_path_factory.mktemp("table")
    written = [
        Trial(file=f, speaker=s, system="-", key=f"_{k}", path=root / "x.wav", extras=extras)
        for f, s, k, extras in rows
    ]
    with (root / "t.tsv").open("w", encoding="utf-8", newline="") as stream:
        write_table(stream, written)
    assert read_table(root / "t.tsv", root=root) == written


def test_equal_trials_give_equal_bytes() -> None:
    trial = Trial(
        file="a", speaker="s", system="-", key="k", path=Path("p q.wav"), extras={"x": "1"}
    )
    stream = io.StringIO()
    write_table(stream, [trial])
    assert stream.getvalue() == f"{HEAD}\tx\na\tp q.wav\ts\t-\tk\t1\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "row 1: the columns are none; expected file, path, speaker, system, key first"),
        ("file\tpath\tkey\n", "row 1: the columns are file, path, key; expected"),
        (f"{HEAD}\tcodec\tcodec\n", "row 1: .*no name twice"),
        (f"{HEAD}\n", "lists no trial"),
        (f"{HEAD}\na\tp\ts\t-\n", "row 2: found 4 columns, expected 5"),
        (f"{HEAD}\n\n", "row 2: found 0 columns, expected 5"),
        (f"{HEAD}\na\tp\ts\t-\tx\na\tq\ts\t-\tx\n", "row 3: file 'a' is listed already in row 2"),
        (f"{HEAD}\n\tp\ts\t-\tx\n", "row 2: the cell 'file' or 'path' is empty"),
        (f"{HEAD}\na\tp\ts\t-\t\n", "row 2: the label is empty"),
        (f"{HEAD}\na\tp\ts\t-\tspoof\n", "row 2: key 'spoof' does not fit system '-'"),
        (f"{HEAD}\na\tp\ts\tA1\tdog\n", "row 2: key 'dog' does not fit system 'A1'"),
        (f'{HEAD}\n"a\tp\ts\t-\tx\n', "is no table of earlet"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_protocol(corpus(tmp_path, dev=rows), "dev")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "dev.tsv").write_bytes(f"{HEAD}\né\tp\ts\t-\tx\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"is no table of earlet .*expected UTF-8"):
        read_protocol(tmp_path, "dev")


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    root = corpus(tmp_path, eval=f"{HEAD}\na\tp\ts\t-\tx\n")
    with pytest.raises(CorpusError, match="has no split 'dev'; it has eval"):
        read_protocol(root, "dev")
