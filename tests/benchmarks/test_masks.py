from pathlib import Path

import pytest

from benchmarks import masks
from benchmarks.masks import MaskCost, measure
from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from tests.tiny_tokenizer import write_tokenizer


@pytest.mark.slow
def test_rows_are_followed_in_one_process_or_in_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "NUM_STEPS", 4)
    monkeypatch.setattr(masks, "NUM_WARM_UP_STEPS", 1)
    grammars = GrammarProcesses(nursery_command(str(write_tokenizer(tmp_path)), 20.0))
    costs = [measure(grammars, 3, is_shared=is_shared) for is_shared in (False, True)]
    grammars.close()
    for cost in costs:
        assert isinstance(cost, MaskCost)
        assert cost.rows == 3
        assert 0 < cost.step_ms <= cost.step_ms_p90
        assert 0 < cost.processor_ms_a_row
        assert 0 < cost.forced_share < 1
