"""What can be wrong with a checkpoint. Each text names the file, the tensor or the configuration key at fault."""

from kernels.errors import GraniteError


class CheckpointError(GraniteError):
    """The checkpoint cannot be served."""


class CheckpointNotFound(CheckpointError):
    """No such directory, and no such model on the hub or no way to reach it."""


class UnsupportedConfig(CheckpointError):
    """`config.json` asks for mathematics that this program does not implement, or does not parse."""


class CorruptWeights(CheckpointError):
    """A weights file is truncated, malformed, non-finite, or does not hold the tensors that the network needs."""


class InvalidTokenizer(CheckpointError):
    """The tokenizer or chat template files are missing, malformed or do not fit the configuration."""


class DoesNotFit(CheckpointError):
    """The weights and the smallest useful state do not fit the memory of this machine."""
