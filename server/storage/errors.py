"""How keeping and finding objects can fail. The texts are for the operator."""

from kernels.errors import GraniteError


class StorageUnavailable(GraniteError):
    """The file cannot be used: missing rights, broken, locked, or from a newer version."""


class StorageFull(StorageUnavailable):
    """The size limit or the disk does not allow what was to be written."""


class StorageOff(StorageUnavailable):
    """The operator wants nothing to be kept."""
