"""What can be wrong with a checkpoint. Each text names the file, tensor or key at fault."""

from kernels.errors import GraniteError


class CheckpointError(GraniteError):
    """The checkpoint cannot be served."""


class CheckpointNotFound(CheckpointError):
    """No such directory, and no such model on the hub or no way to reach it."""


class UnsupportedConfig(CheckpointError):
    """`config.json` does not parse, or asks for mathematics that is not implemented."""


class CorruptWeights(CheckpointError):
    """A weights file is truncated, malformed or non-finite, or lacks a tensor of the network."""


class InvalidTokenizer(CheckpointError):
    """Tokenizer or chat template files are missing, malformed or do not fit the configuration."""


class DoesNotFit(CheckpointError):
    """The weights and the smallest useful state do not fit the memory of this machine."""
