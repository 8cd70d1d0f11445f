"""Bundles that were made to harm, or were damaged: each is refused by name, with exit code 4."""

import dataclasses
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from earlet import bundle as bundles
from earlet.bundle import Bundle, sha256
from earlet.cli import run
from earlet.errors import BundleError
from earlet.manifest import METADATA_KEY, Manifest, WindowPolicy
from earlet.onnx_file import SEAL_KEY, seal, unsealed

FILES = ("fp32.onnx", "int8.onnx", "golden.npz", "card.md", "manifest.json")


def rewrite(folder: Path, **changes: Any) -> None:
    """Another manifest in place of the bundle's, in canonical form."""
    file = folder / "manifest.json"
    manifest = Manifest.from_json(file.read_text(), source="m")
    file.write_text(dataclasses.replace(manifest, **changes).to_json())


def put(folder: Path, precision: str, data: bytes) -> None:
    """Another graph in place of the bundle's, and its hash and size in the manifest."""
    manifest = Manifest.from_json((folder / "manifest.json").read_text(), source="m")
    graph = manifest.graphs[precision]
    (folder / graph.file).write_bytes(data)
    changed = dataclasses.replace(graph, sha256=sha256(data), size_bytes=len(data))
    rewrite(folder, graphs={**manifest.graphs, precision: changed})


def verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """(exit code, message) of `earlet verify`."""
    code = run(["verify", str(folder)])
    return code, capsys.readouterr().err


def test_the_bundle_that_is_damaged_below_is_a_good_one(own_bundle: Path) -> None:
    assert run(["verify", str(own_bundle)]) == 0


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_in_any_file_is_refused_before_anything_runs(
    own_bundle: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **_: ran.append(a))
    data = (own_bundle / name).read_bytes()
    at = len(data) // 2
    (own_bundle / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    code, said = verify(own_bundle, capsys)
    assert code == 4
    # A digit of a hash in the manifest may be the one that changed: then that file is named.
    assert name in said or (name == "manifest.json" and str(own_bundle) in said)
    assert ran == []


def test_another_well_formed_manifest_is_refused_before_anything_runs(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **_: ran.append(a))
    rewrite(own_bundle, threshold=-50.0)
    with pytest.raises(BundleError, match="one of them was changed"):
        Bundle.open(own_bundle).session()
    assert ran == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_bundle_is_refused(
    own_bundle: Path,
    write_any_bundle: Callable[..., Path],
    manifest: Manifest,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = WindowPolicy(window_samples=6000, hop_samples=3000, min_samples=1600)
    other = write_any_bundle(
        policy=policy, manifest=dataclasses.replace(manifest, window=policy, version="9")
    )
    (other / "card.md").write_text("# another\n")
    shutil.copy(other / name, own_bundle / name)
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert str(own_bundle) in said
    assert "is not the file that was exported" in said


def test_graphs_that_changed_places_are_refused(
    own_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fp32, int8 = ((own_bundle / n).read_bytes() for n in ("fp32.onnx", "int8.onnx"))
    put(own_bundle, "fp32", int8)
    put(own_bundle, "int8", fp32)
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert "says inside that it is the int8 graph, and stands in the place of fp32" in said


def test_a_wrong_hash_in_the_manifest_is_refused(
    own_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = Manifest.from_json((own_bundle / "manifest.json").read_text(), source="m")
    wrong = dataclasses.replace(manifest.graphs["int8"], sha256="0" * 64)
    rewrite(own_bundle, graphs={**manifest.graphs, "int8": wrong})
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert "int8.onnx is not the file that was exported" in said


def test_an_extra_file_and_an_extra_folder_are_refused_by_name(
    own_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_bundle / "sub").mkdir()
    (own_bundle / "sub" / "w.bin").write_bytes(b"x")
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert "does not list: sub/w.bin" in said


@pytest.mark.parametrize(
    "name",
    [
        *("../w.bin", "..\\w.bin", "/etc/hostname", "C:\\w.bin", "sub/w.bin", ".hidden", "a\0b"),
        *("-rf", "", "..", "w.bin.", "line\nbreak", "w" * 300),
    ],
)
def test_a_name_that_is_no_plain_name_is_refused(own_bundle: Path, name: str) -> None:
    rewrite(own_bundle, files={name: "0" * 64})
    with pytest.raises(BundleError, match="not the name of a file beside it"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize("name", ["int8.onnx", "INT8.onnx", "manifest.json"])
def test_a_name_that_is_listed_twice_is_refused(own_bundle: Path, name: str) -> None:
    rewrite(own_bundle, files={name: "0" * 64})
    with pytest.raises(BundleError, match="twice, so it has two hashes"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_the_place_of_a_file_is_refused(
    own_bundle: Path, tmp_path: Path, name: str
) -> None:
    (own_bundle / name).rename(tmp_path / "real")
    (own_bundle / name).symlink_to(tmp_path / "real")
    with pytest.raises(BundleError, match="is a link to elsewhere"):
        Bundle.open(own_bundle).check_files()


def test_links_are_fine_in_an_installation_and_where_the_user_points_at_one(
    own_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link.onnx").symlink_to(own_bundle / "fp32.onnx")
    assert Bundle.open(tmp_path / "link.onnx").session().classes == 2
    (own_bundle / "card.md").rename(tmp_path / "card")
    (own_bundle / "card.md").symlink_to(tmp_path / "card")
    monkeypatch.setattr(bundles, "SHIPPED", own_bundle.parent)
    assert Bundle.open(own_bundle).check_files()


def test_a_pipe_in_the_place_of_a_file_does_not_hang(own_bundle: Path) -> None:
    (own_bundle / "golden.npz").unlink()
    os.mkfifo(own_bundle / "golden.npz")
    with pytest.raises(BundleError, match="is not a plain file"):
        Bundle.open(own_bundle).golden()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": 1, "schema": 1}', "the key 'schema' stands twice"),
        ('{"schema": ' + "9" * 5000 + "}", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"schema": 2, "name": "from the future"}', "manifest schema 2; this earlet reads"),
    ],
)
def test_a_manifest_that_no_export_writes_is_refused(
    own_bundle: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_bundle / "manifest.json").write_text(text)
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert words in said


def test_a_manifest_of_many_megabytes_is_not_even_read(own_bundle: Path) -> None:
    with (own_bundle / "manifest.json").open("ab") as file:
        file.truncate(5_000_000)
    with pytest.raises(BundleError, match="has 5000000 bytes; at most 4000000 can be right"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"window": WindowPolicy(window_samples=10**13, hop_samples=1, min_samples=1)},
            "looks at 10000000000000 samples; at 16000 Hz earlet takes at most 9600000",
        ),
        ({"sample_rate_hz": 10**9}, "works at 1000000000 Hz"),
        ({"sample_rate_hz": 0}, "works at 0 Hz"),
    ],
)
def test_sizes_that_no_detector_has_are_refused(
    own_bundle: Path, changes: dict[str, Any], words: str
) -> None:
    rewrite(own_bundle, **changes)
    with pytest.raises(BundleError, match=words):
        Bundle.open(own_bundle)


def test_golden_answers_that_unpack_to_gigabytes_are_refused(own_bundle: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logits.npy", bytes(70_000_000))
    data = buffer.getvalue()
    manifest = Manifest.from_json((own_bundle / "manifest.json").read_text(), source="m")
    (own_bundle / "golden.npz").write_bytes(data)
    rewrite(own_bundle, golden=dataclasses.replace(manifest.golden, sha256=sha256(data)))
    with pytest.raises(BundleError, match="would unpack to 70000000 bytes"):
        Bundle.open(own_bundle).golden()


def test_a_graph_that_points_out_of_the_bundle_is_refused_though_its_hash_fits(
    own_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(own_bundle / "fp32.onnx")
    weight = next(w for w in model.graph.initializer if w.name == "w")
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../secret")
    put(own_bundle, "fp32", model.SerializeToString())
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert "fp32.onnx keeps the values of its tensor 'w' in another file ('../../secret')" in said


def test_a_graph_without_a_waveform_is_refused(
    own_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(own_bundle / "fp32.onnx")
    constant = onnx.numpy_helper.from_array(np.zeros((1, 2), dtype=np.float32), "logits")
    del model.graph.node[:], model.graph.input[:], model.graph.initializer[:]
    model.graph.node.add(op_type="Constant", output=["logits"]).attribute.append(
        onnx.helper.make_attribute("value", constant)
    )
    put(own_bundle, "fp32", model.SerializeToString())
    code, said = verify(own_bundle, capsys)
    assert code == 4
    assert "fp32.onnx has inputs none; expected one, 'waveform'" in said


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_graph_is_refused_alone_too(
    own_bundle: Path, tmp_path: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (own_bundle / "fp32.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[: int(share * len(data))])
    assert run(["info", str(tmp_path / "cut.onnx")]) == 4
    assert "cut.onnx is not a whole ONNX model" in capsys.readouterr().err


def test_a_lone_graph_whose_manifest_was_edited_is_refused(
    own_bundle: Path, tmp_path: Path
) -> None:
    model = onnx.load(own_bundle / "fp32.onnx")
    model.metadata_props.add(key=SEAL_KEY, value=unsealed())
    sealed = seal(model.SerializeToString(), source="fp32")
    file = tmp_path / "lone.onnx"
    file.write_bytes(sealed)
    assert Bundle.open(file).manifest.threshold == 0.25
    # As long as before, and canonical: nothing but the seal can tell.
    edited = sealed.replace(b'"threshold": 0.25', b'"threshold": 0.75')
    assert edited != sealed
    file.write_bytes(edited)
    with pytest.raises(BundleError, match="changed after it was exported: its seal"):
        Bundle.open(file)


def test_a_lone_graph_whose_manifest_is_not_canonical_is_refused(
    own_bundle: Path, tmp_path: Path
) -> None:
    model = onnx.load(own_bundle / "fp32.onnx")
    entry = next(p for p in model.metadata_props if p.key == METADATA_KEY)
    entry.value = json.dumps(json.loads(entry.value))
    (tmp_path / "lone.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="not the canonical form"):
        Bundle.open(tmp_path / "lone.onnx")
