"""Where the build puts the native kernels. Imports no torch: the API process asks, too."""

from pathlib import Path


def library_path() -> Path:
    """The library exists only if the package was installed with a C++ compiler at hand."""
    return Path(__file__).parent / "libgranite_kernels.so"
