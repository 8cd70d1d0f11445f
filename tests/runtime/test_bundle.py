"""A bundle is used as it was exported, or not at all."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from earlet import bundle as bundles
from earlet.bundle import Bundle, find, shipped
from earlet.errors import BundleError, UsageError
from earlet.manifest import METADATA_KEY, Manifest


def use_all(path: Path) -> None:
    """Everything that `earlet verify` opens."""
    bundle = Bundle.open(path)
    bundle.check_files()
    bundle.golden()
    for precision in bundle.precisions:
        bundle.session(precision)


def test_a_bundle_opens_and_names_its_files(shared_bundle: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    assert bundle.manifest.name == "bands"
    assert bundle.precisions == ("fp32", "int8")
    assert set(bundle.check_files()) == {"fp32.onnx", "int8.onnx", "golden.npz", "card.md"}
    assert len(bundle.golden().names) == 17


def test_the_default_precision_is_the_manifests(shared_bundle: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    assert bundle.precision(None) == "int8"
    assert bundle.precision("fp32") == "fp32"
    with pytest.raises(UsageError, match="has no 'fp16' graph; it has fp32, int8"):
        bundle.precision("fp16")


def test_a_lone_onnx_carries_its_contract(shared_bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "renamed.onnx"
    shutil.copy(shared_bundle / "fp32.onnx", file)
    bundle = Bundle.open(file)
    assert bundle.precisions == ("fp32",)
    assert bundle.manifest.threshold == 0.25
    wave = np.ones((1, 8000), dtype=np.float32)
    whole = Bundle.open(shared_bundle).session("fp32").logits(wave)
    np.testing.assert_array_equal(bundle.session().logits(wave), whole)
    with pytest.raises(UsageError, match="has no 'int8' graph"):
        bundle.precision("int8")
    with pytest.raises(BundleError, match="stands alone, without the golden answers"):
        bundle.golden()


def test_a_lone_onnx_without_a_contract_is_refused(
    graph_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(graph_bytes())
    with pytest.raises(BundleError, match=r"without the metadata 'earlet\.manifest'"):
        Bundle.open(file)


def test_a_lone_onnx_that_does_not_say_which_graph_it_is_goes_by_its_name(
    graph_bytes: Callable[..., bytes], manifest: Manifest, tmp_path: Path
) -> None:
    data = graph_bytes(metadata={METADATA_KEY: manifest.without_hashes().to_json()})
    (tmp_path / "int8.onnx").write_bytes(data)
    (tmp_path / "other.onnx").write_bytes(data)
    assert Bundle.open(tmp_path / "int8.onnx").precisions == ("int8",)
    with pytest.raises(BundleError, match="does not say which graph"):
        Bundle.open(tmp_path / "other.onnx")


@pytest.mark.parametrize("name", ["fp32.onnx", "int8.onnx", "golden.npz", "card.md"])
def test_one_changed_byte_anywhere_in_a_file_is_noticed(own_bundle: Path, name: str) -> None:
    file = own_bundle / name
    data = file.read_bytes()
    for at in np.random.default_rng(1).integers(0, len(data), size=8):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(BundleError, match="is not the file that was exported"):
            use_all(own_bundle)


def test_one_changed_byte_anywhere_in_the_manifest_is_noticed(own_bundle: Path) -> None:
    file = own_bundle / "manifest.json"
    data = file.read_bytes()
    positions = np.random.default_rng(2).choice(len(data), size=150, replace=False)
    for at in positions:
        # Toggling the lowest bit turns a digit into another digit: the JSON mostly stays valid.
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(BundleError):
            use_all(own_bundle)
    file.write_bytes(data)
    use_all(own_bundle)


def test_another_threshold_in_a_well_formed_manifest_is_noticed_on_first_use(
    own_bundle: Path,
) -> None:
    file = own_bundle / "manifest.json"
    manifest = Manifest.from_json(file.read_text(), source="m")
    file.write_text(dataclasses.replace(manifest, threshold=9.0).to_json())
    with pytest.raises(BundleError, match="one of them was changed"):
        Bundle.open(own_bundle).session()


def test_a_missing_file_is_named(own_bundle: Path) -> None:
    (own_bundle / "int8.onnx").unlink()
    with pytest.raises(BundleError, match=r"int8\.onnx cannot be read: No such file"):
        Bundle.open(own_bundle).session("int8")


def test_a_file_that_is_not_listed_is_not_used(own_bundle: Path) -> None:
    (own_bundle / "extra.onnx").write_bytes(b"x")
    bundle = Bundle.open(own_bundle)
    with pytest.raises(BundleError, match="not listed in the manifest"):
        bundle.read("extra.onnx")
    with pytest.raises(BundleError, match=r"1 file\(s\) that its manifest does not list: extra"):
        bundle.check_files()


def test_a_listed_name_that_leaves_the_folder_is_refused(own_bundle: Path) -> None:
    file = own_bundle / "manifest.json"
    manifest = Manifest.from_json(file.read_text(), source="m")
    outside = dataclasses.replace(manifest, files={"../card.md": "0" * 64})
    file.write_text(outside.to_json())
    with pytest.raises(BundleError, match="not the name of a file beside it"):
        Bundle.open(own_bundle)


def test_a_graph_with_another_window_than_its_manifest_is_refused(
    write_any_bundle: Callable[..., Path], manifest: Manifest
) -> None:
    three = dataclasses.replace(manifest, labels=("bonafide", "synthetic", "unsure"))
    path = write_any_bundle(manifest=three)
    with pytest.raises(BundleError, match="gives 2 logits, its manifest names 3 labels"):
        Bundle.open(path).session()


def test_what_is_no_bundle_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no bundle at"):
        Bundle.open(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"not a bundle: it has no manifest\.json"):
        Bundle.open(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"neither a bundle folder nor an \.onnx file"):
        Bundle.open(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not text"),
        (json.dumps({"schema": 99}).encode(), "manifest schema 99"),
    ],
)
def test_a_damaged_manifest_is_refused(own_bundle: Path, text: bytes, message: str) -> None:
    (own_bundle / "manifest.json").write_bytes(text)
    with pytest.raises(BundleError, match=message):
        Bundle.open(own_bundle)


def test_a_shipped_detector_goes_by_its_name(
    shared_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "SHIPPED", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match="ships no detector"):
        find(None)
    shutil.copytree(shared_bundle, tmp_path / "models" / "bands")
    assert shipped() == ("bands",)
    assert find(None).path == find("bands").path == tmp_path / "models" / "bands"
    shutil.copytree(shared_bundle, tmp_path / "models" / "more")
    (tmp_path / "models" / "default.txt").write_text("more\n")
    assert find(None).path.name == "more"
    with pytest.raises(BundleError, match="name of a shipped detector \\(bands, more\\)"):
        find("nothing")


def test_default_names_the_shipped_detector_in_every_verb() -> None:
    assert find("default").manifest == find(None).manifest
