"""The table of labelled stretches says what cannot be, and where."""

from pathlib import Path

import pytest

from earlet.errors import CorpusError
from earlet.segments import LongRecording, Segment, read_segments, segments_csv

HEADER = "file,start_s,end_s,label"


def write(folder: Path, text: str, *, name: str = "segments.csv") -> Path:
    (folder / "a.wav").touch()
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    recordings = [
        LongRecording(
            name=name,
            path=tmp_path / name,
            segments=(
                Segment(start_s=0.0, end_s=1 / 3, label="bonafide", speaker="ann, of", system="-"),
                Segment(start_s=1 / 3, end_s=7.0, label="spoof", speaker="-", system="A05"),
            ),
        )
        for name in ("a.wav", "b, c.wav")
    ]
    for recording in recordings:
        recording.path.touch()
    write(tmp_path, segments_csv(recordings))
    assert read_segments(tmp_path) == recordings
    assert read_segments(tmp_path / "segments.csv") == recordings
    assert recordings[0].sought("spoof") == (recordings[0].segments[1],)
    assert recordings[0].speaker == "ann, of"


def test_four_columns_are_enough_in_any_order_and_with_tabs(tmp_path: Path) -> None:
    text = "label\tfile\tnote\tend_s\tstart_s\nspoof\ta.wav\thm\t9\t4\nbonafide\ta.wav\t\t4\t0\n"
    (only,) = read_segments(write(tmp_path, text, name="segments.tsv"))
    assert [(s.start_s, s.end_s, s.label) for s in only.segments] == [
        (0.0, 4.0, "bonafide"),
        (4.0, 9.0, "spoof"),
    ]
    assert only.speaker == "a.wav"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,start_s,label\n", "row 1: the columns are file, start_s, label; expected"),
        (f"{HEADER}\na.wav,0,1\n", "row 2: found 3 columns, expected 4"),
        (f"{HEADER}\na.wav,0,soon,spoof\n", "row 2: end_s is 'soon', no number"),
        (f"{HEADER}\na.wav,2,1,spoof\n", "row 2: a stretch from 2.0 to 1.0 s cannot be"),
        (f"{HEADER}\na.wav,0,nan,spoof\n", "row 2: a stretch from 0.0 to nan s cannot be"),
        (f"{HEADER}\na.wav,0,1,\n", "row 2: the cell 'file' or 'label' is empty"),
        (f"{HEADER}\nz.wav,0,1,spoof\n", r"lists 'z\.wav', and there is no file"),
        (
            f"{HEADER}\na.wav,0,3,spoof\na.wav,2,4,bonafide\n",
            r"'a\.wav' overlap: 0\.0 to 3\.0 s and 2",
        ),
        (f"{HEADER}\n", "lists no stretch"),
    ],
)
def test_a_table_that_says_what_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(CorpusError, match=words):
        read_segments(write(tmp_path, text))


def test_a_folder_without_a_table_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected one.*earlet corpus long"):
        read_segments(tmp_path)
