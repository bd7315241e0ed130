from pathlib import Path

import pytest
import torch

from tests.tiny_checkpoint import TinyShape, load_oracle, random_weights, write_checkpoint


@pytest.mark.parametrize("num_shards", [1, 3])
def test_the_oracle_reads_every_written_tensor(tmp_path: Path, num_shards: int) -> None:
    oracle = load_oracle(write_checkpoint(tmp_path, num_shards=num_shards))

    parameters = dict(oracle.named_parameters())
    written = random_weights(TinyShape())
    assert parameters.keys() == written.keys()
    assert all(torch.equal(parameters[name], written[name]) for name in written)


def test_the_oracle_computes_finite_and_varied_logits(tmp_path: Path) -> None:
    oracle = load_oracle(write_checkpoint(tmp_path, TinyShape(layers="MA", mamba_n_groups=2)))

    with torch.inference_mode():
        logits = oracle(torch.arange(12)[None]).logits[0]

    assert logits.isfinite().all()
    assert logits.std(dim=-1).min() > 0.1
