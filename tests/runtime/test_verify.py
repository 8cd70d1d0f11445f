"""`earlet verify` says in words and by its exit code whether a bundle still is itself."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from earlet.bundle import sha256
from earlet.cli import run
from earlet.manifest import Manifest

Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["verify", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_sound_bundle_is_said_to_be_so(verify: Verify, shared_bundle: Path) -> None:
    code, out, err = verify(shared_bundle)
    assert (code, err) == (0, "")
    assert "bands 0.1.0: 4 files, every hash as written" in out
    for precision in ("fp32", "int8"):
        assert f"the {precision} graph answers as the original did: max |Δlogit|" in out


def test_one_graph_alone_can_be_verified(verify: Verify, shared_bundle: Path) -> None:
    _, out, _ = verify(shared_bundle, "--precision", "fp32")
    assert "int8" not in out
    assert verify(shared_bundle, "--precision", "fp16")[0] == 2


def test_json_holds_the_same(verify: Verify, shared_bundle: Path) -> None:
    code, out, err = verify(shared_bundle, "--json")
    record = json.loads(out)
    assert (code, err, record["ok"]) == (0, "", True)
    assert record["schema"] == "earlet.verify/1"
    assert [one["precision"] for one in record["golden"]] == ["fp32", "int8"]
    assert all(one["ok"] and one["finite"] for one in record["golden"])


def test_a_graph_that_answers_otherwise_fails_with_1(
    verify: Verify, write_any_bundle: Callable[..., Path], manifest: Manifest
) -> None:
    strict = dataclasses.replace(manifest.golden, tolerances={"fp32": 1e-4, "int8": 1e-4})
    path = write_any_bundle(manifest=dataclasses.replace(manifest, golden=strict))
    code, out, _ = verify(path)
    assert code == 1
    assert "the fp32 graph answers as" in out
    assert "the int8 graph does NOT answer as the original" in out
    code, out, _ = verify(path, "--json")
    assert code == 1
    assert json.loads(out)["ok"] is False


def test_a_graph_that_answers_nan_fails_with_1_and_its_json_is_still_json(
    verify: Verify, own_bundle: Path, graph_bytes: Callable[..., bytes]
) -> None:
    file = own_bundle / "manifest.json"
    manifest = Manifest.from_json(file.read_text(encoding="utf-8"), source="m")
    inside = {"earlet.manifest": manifest.without_hashes().to_json()}
    data = graph_bytes(gain=float("nan"), metadata=inside)
    (own_bundle / "fp32.onnx").write_bytes(data)
    graph = dataclasses.replace(manifest.graphs["fp32"], sha256=sha256(data), size_bytes=len(data))
    changed = dataclasses.replace(manifest, graphs={**manifest.graphs, "fp32": graph})
    file.write_text(changed.to_json(), encoding="utf-8")
    code, out, _ = verify(own_bundle)
    assert code == 1
    assert "the fp32 graph is BROKEN on this machine" in out
    code, out, _ = verify(own_bundle, "--json")
    assert code == 1
    assert json.loads(out)["golden"][0]["max_abs_logit"] is None


@pytest.mark.parametrize("name", ["fp32.onnx", "golden.npz", "card.md"])
def test_one_byte_changed_leaves_with_4(verify: Verify, own_bundle: Path, name: str) -> None:
    file = own_bundle / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    code, out, err = verify(own_bundle)
    assert (code, out) == (4, "")
    assert name in err
    assert len(err.splitlines()) == 1


def test_a_file_that_came_along_uninvited_leaves_with_4(verify: Verify, own_bundle: Path) -> None:
    (own_bundle / "stowaway.onnx").write_bytes(b"x")
    code, _, err = verify(own_bundle)
    assert code == 4
    assert "stowaway.onnx" in err


def test_a_lone_onnx_cannot_be_verified(verify: Verify, shared_bundle: Path) -> None:
    code, _, err = verify(shared_bundle / "int8.onnx")
    assert code == 4
    assert "Give the whole folder" in err


def test_labelled_data_gives_error_rate_and_flips(
    verify: Verify, shared_bundle: Path, corpus: Path
) -> None:
    code, out, _ = verify(shared_bundle, "--data", corpus)
    assert code == 0
    assert (
        "on 24 labelled recordings the fp32 graph has an EER of 0.0 % (95 % interval 0.0 to" in out
    )
    assert "fp32 and int8 decide differently on 0 of 24 of them" in out
    record = json.loads(verify(shared_bundle, "--data", corpus, "--json")[1])
    for precision in ("fp32", "int8"):
        assert record["labelled"][precision]["trials"] == 24
        assert record["labelled"][precision]["pools"]["pooled"]["eer"] == 0
    assert record["labelled"]["int8"]["reference"] == "fp32"
    assert record["labelled"]["int8"]["flips"] == 0


def test_the_labels_decide_the_error_rate(
    verify: Verify, shared_bundle: Path, corpus: Path
) -> None:
    protocol = next(corpus.glob("*_protocols/*"))
    swap = {"A01 spoof": "- bonafide", "A02 spoof": "- bonafide", "- bonafide": "A01 spoof"}
    lines = protocol.read_text().splitlines()
    turned = [next(line.replace(a, b) for a, b in swap.items() if a in line) for line in lines]
    protocol.write_text("\n".join(turned) + "\n")
    _, out, _ = verify(shared_bundle, "--data", corpus, "--precision", "fp32")
    assert "has an EER of 100.0 %" in out


@pytest.mark.parametrize("limit", [5, 10, 17, 23])
def test_a_limit_takes_that_many(
    verify: Verify, shared_bundle: Path, corpus: Path, limit: int
) -> None:
    record = json.loads(verify(shared_bundle, "--data", corpus, "--limit", limit, "--json")[1])
    assert record["labelled"]["int8"]["trials"] == limit


def test_a_limit_smaller_than_the_number_of_attacks_is_refused(
    verify: Verify, shared_bundle: Path, corpus: Path
) -> None:
    code, _, err = verify(shared_bundle, "--data", corpus, "--limit", 1)
    assert code == 2
    assert "is too small" in err


def test_a_corpus_with_a_missing_file_leaves_with_2(
    verify: Verify, shared_bundle: Path, corpus: Path
) -> None:
    next(corpus.glob("*/flac/E003.flac")).unlink()
    code, _, err = verify(shared_bundle, "--data", corpus)
    assert code == 2
    assert "1 of 24 recordings cannot be used" in err
    assert "E003.flac is missing" in err
    code, out, err = verify(shared_bundle, "--data", corpus, "--skip-bad", "--json")
    assert code == 0
    assert "E003.flac is missing" in err
    found = json.loads(out)["labelled"]["int8"]
    assert (found["listed"], found["trials"], found["left_out"]) == (24, 23, 1)


def test_no_corpus_at_all_leaves_with_2(verify: Verify, shared_bundle: Path) -> None:
    code, _, err = verify(shared_bundle, "--data", "nowhere")
    assert code == 2
    assert "there is no folder nowhere" in err


def test_the_original_needs_torch_and_its_absence_leaves_with_3(shared_bundle: Path) -> None:
    # As on a board: the package that holds bundles against originals is there, torch is not.
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from earlet.cli import run\n"
        f"sys.exit(run(['verify', {str(shared_bundle)!r}, '--against', 'run', '--data', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "this needs the Python package 'torch'" in done.stderr
    assert "pip install 'earlet[train]'" in done.stderr


def test_where_no_package_can_hold_it_against_its_original_it_leaves_with_3(
    verify: Verify, shared_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earlet.against.GROUP", "earlet.a_group_that_nobody_offers")
    code, _, err = verify(shared_bundle, "--against", "run")
    assert code == 3
    assert "pip install 'earlet[train]'" in err


def test_without_an_original_the_record_says_so(verify: Verify, shared_bundle: Path) -> None:
    assert json.loads(verify(shared_bundle, "--json")[1])["against"] is None
