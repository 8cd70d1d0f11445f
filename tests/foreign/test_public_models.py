"""Three public models as their packages ship them: bundle, verify, an int8 row each."""

from pathlib import Path

import pytest
from foreign.adopt import PUBLIC, Public, adopt, rows

DEMO = Path(__file__).parents[2] / "build" / "demo" / "corpus"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.name)
def test_a_public_model_becomes_a_bundle_with_the_whole_proof(
    public: Public, tmp_path: Path
) -> None:
    if not (DEMO / "corpus.json").is_file():
        pytest.skip("it is judged on the demo's recordings: run `make demo` first")
    found = adopt(public, data=DEMO, out=tmp_path)
    assert found["rungs"]["fp32"]["max_abs_logit"] <= 1e-4
    int8 = found["rungs"]["int8"]
    assert int8["flip_rate"] <= 0.02
    assert int8["eer"]["eer"] <= found["original_eer"]["eer"] + 0.01
    assert found["sizes_bytes"]["int8"] < 0.95 * found["sizes_bytes"]["fp32"]
    assert found["away_from_the_file"] < 1e-5
    assert len(rows(found)) == 2
