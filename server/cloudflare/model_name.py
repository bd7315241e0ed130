"""Names of models as Workers AI writes them, with a catalogue in front: `@cf/author/model`."""

from server.errors import ModelNotFound
from server.services import Services

_CATALOGUES = ("@cf/", "@hf/")


def served_name(name: str, services: Services) -> str:
    """The name without its catalogue.

    Raises:
        ModelNotFound: this server serves no such model.
    """
    plain = name
    for catalogue in _CATALOGUES:
        plain = plain.removeprefix(catalogue)
    if plain not in services.model_names:
        raise ModelNotFound(name)
    return plain
