import json
from pathlib import Path

from earlet_export.export import Exported


def test_the_page_and_the_data_tell_the_same_numbers(exported: Exported) -> None:
    page = (exported.path / "report.md").read_text()
    data = json.loads((exported.path / "report.json").read_text())
    for precision in ("fp32", "int8"):
        rung = data["rungs"][precision]
        size = (exported.path / f"{precision}.onnx").stat().st_size
        assert data["sizes_bytes"][precision] == size
        row = next(line for line in page.splitlines() if line.startswith(f"| {precision} |"))
        assert f"{rung['max_abs_logit']:.2g}" in row
        assert f"{rung['flips']} of {rung['decisions']}" in row
    assert "Default precision: **int8**" in page
    assert data["promises"] == {
        "fp32_max_abs_logit": 1e-4,
        "features_min_sqnr_db": 60.0,
        "int8_max_flip_rate": 0.02,
        "int8_max_eer_increase": 0.01,
        "stream_max_abs_logit": 5e-6,
    }


def test_the_card_says_what_it_is_and_is_not_with_its_numbers(exported: Exported) -> None:
    card = (exported.path / "card.md").read_text()
    manifest = exported.manifest
    assert f"# {manifest.name} {manifest.version}" in card
    assert f"From {manifest.threshold:.3f} on the label is `spoof`" in card
    assert "windows of 0.50 s at 16000 Hz" in card
    assert "It is no proof" in card
    assert "sounds: 24 recordings to train" in card
    assert "| fp32 |" in card


def test_no_page_names_a_folder_of_the_machine_that_exported(
    exported: Exported, run_folder: Path
) -> None:
    for file in exported.path.iterdir():
        content = file.read_bytes()
        assert str(run_folder.parent).encode() not in content, file.name
        assert str(exported.path.parent).encode() not in content, file.name
        assert str(Path(__file__).parents[2]).encode() not in content, file.name


def test_the_pages_tell_the_error_on_recordings_that_nothing_was_chosen_on(
    exported: Exported,
) -> None:
    report = json.loads((exported.path / "report.json").read_text())
    assert set(report["held_out"]) == {"torch", "fp32", "int8"}
    found = report["held_out"]["int8"]
    assert found["split"] == "eval"
    assert found["trials"] == 24
    assert set(found["attacks"]) == {"A01", "A02"}
    known = found["pools"]["known"]
    assert 0 <= known["low"] <= known["eer"] <= known["high"] <= 1
    words = f"{100 * known['eer']:.1f} % ({100 * known['low']:.1f} to {100 * known['high']:.1f})"
    for page in ("report.md", "card.md"):
        assert words in (exported.path / page).read_text()
