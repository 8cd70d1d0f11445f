"""The table reads well: it fits, it lines up, and a failure cannot be overlooked."""

import dataclasses

import pytest

from earlet.accuracy import Rate
from earlet_bench.rows import Row
from earlet_bench.table import attack_lines, markdown, plain, table_lines


@pytest.fixture
def wide(rows: list[Row]) -> list[Row]:
    """The widest cells that are likely: long name, three-digit milliseconds, full intervals."""
    rate = Rate(eer=0.334, low=0.285, high=0.391, bona_fide=900, spoof=900)
    found = []
    for row in rows:
        assert row.accuracy is not None
        found.append(
            dataclasses.replace(
                row,
                bundle="spec-resnet-published-with-reflect-padding",
                size_bytes=1_254_000,
                latency=dataclasses.replace(row.latency, p50_ms=1234.5, real_time_factor=0.30576),
                accuracy=dataclasses.replace(
                    row.accuracy,
                    pools=dict.fromkeys(row.accuracy.pools, rate),
                    flips=123,
                    decisions=3300,
                ),
            )
        )
    return found


def test_no_line_is_wider_than_a_hundred_columns(wide: list[Row]) -> None:
    for line in table_lines(wide):
        assert len(line.text) <= 100, line.text


def test_the_cells_stand_under_their_heads(wide: list[Row]) -> None:
    lines = table_lines(wide)
    head = next(line.text for line in lines if line.kind == "head")
    for row in (line.text for line in lines if line.kind == "row"):
        assert len(row) == len(head)
        for name, cell in (("p50 ms", "1234"), ("EER known %", "33.4 [28.5-39.1]")):
            assert row[: head.index(name) + len(name)].endswith(cell)


def test_without_labelled_data_there_are_no_empty_error_columns(rows: list[Row]) -> None:
    bare = [dataclasses.replace(row, accuracy=None) for row in rows]
    head = next(line.text for line in table_lines(bare) if line.kind == "head")
    assert "EER" not in head
    assert "17" in next(line.text for line in table_lines(bare) if line.kind == "row")


def test_a_failed_replay_is_marked_in_its_line_and_said_in_words(rows: list[Row]) -> None:
    broken = dataclasses.replace(
        rows[1], parity=dataclasses.replace(rows[1].parity, passed=False, max_abs_logit=None)
    )
    lines = table_lines([rows[0], broken])
    failed = [line.text for line in lines if line.kind == "failed"]
    assert len(failed) == 1
    assert "int8" in failed[0]
    assert "not finite !" in failed[0]
    assert any("int8: GOLDEN REPLAY FAILED" in line.text for line in lines)


def test_bundles_with_the_same_name_stay_apart(rows: list[Row]) -> None:
    other = [dataclasses.replace(row, bundle_sha256="f" * 64, shipped=True) for row in rows]
    titles = [line.text for line in table_lines([*rows, *other]) if line.kind == "bundle"]
    assert len(titles) == 2
    assert "(ffffffff), shipped" in titles[1]


def test_markdown_has_the_same_cells_in_every_row(rows: list[Row]) -> None:
    table = [line for line in markdown(rows).splitlines() if line.startswith("|")]
    columns = {line.replace("\\|", "").count("|") for line in table}
    assert len(table) == 2 + len(rows)
    assert len(columns) == 1


def test_each_attack_has_a_line(rows: list[Row]) -> None:
    assert [line.text.split()[0] for line in attack_lines(rows)] == ["EER", "A01", "A08"]
    assert attack_lines([dataclasses.replace(rows[0], accuracy=None)]) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000523, "0.00052"), (3.14159, "3.1"), (0.0, "0"), (1e-7, "0.0000001"), (512.3, "512")],
)
def test_numbers_are_written_without_exponents(value: float, text: str) -> None:
    assert plain(value, digits=2) == text
