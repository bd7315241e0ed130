"""How near the served model comes to the machine's limits: verdicts from rates and arithmetic."""

from benchmarks.cases import ALONE, DECODE, PREFILL, Case
from benchmarks.ceilings import Limits
from benchmarks.side_by_side import PeerRuns, Verdict
from benchmarks.step_costs import decode_bytes, prefill_operations
from model_loader.config import ModelConfig
from model_loader.footprint import Precision, num_parameters, weight_bytes


def shares_of_limits(
    case: Case, config: ModelConfig, ours: PeerRuns, limits: Limits, *, is_native: bool
) -> list[Verdict]:
    """Bytes a second while decoding beside the read loop, operations of prefill beside matmul.

    Bytes are weights and state of one sequence in the middle of its reply; operations are those of
    the linear layers. Both rates are those of a client, with everything a server adds to a step.
    """
    decode, prefill = ours.median(DECODE), ours.median(PREFILL)
    precision = Precision("bf16", case.quantization, is_native)
    weights = weight_bytes(config, precision)
    context = ALONE.prompt_tokens + ALONE.output_tokens // 2
    token_bytes = decode_bytes(config, weights, 1, context, precision.activations)
    prompt = prefill_operations(config, num_parameters(config), ALONE.prompt_tokens)
    matmul = limits.int8_operations if case.matmul == "int8" else limits.bf16_operations
    return [
        Verdict(
            case=case.name,
            label="decode GB/s, weights and state",
            ours=decode and decode * token_bytes / 1e9,
            others={"plain read loop": limits.read_bytes / 1e9},
            goal=case.read_goal,
        ),
        Verdict(
            case=case.name,
            label="prefill Gop/s, linear layers",
            ours=prefill and prefill * prompt / ALONE.prompt_tokens / 1e9,
            others={f"oneDNN {case.matmul} matmul": matmul / 1e9},
            goal=case.matmul_goal,
        ),
    ]
