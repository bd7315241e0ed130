"""What all request models of this dialect have in common: unknown fields are named at any depth."""

from server.openai.request_model import RequestModel


class NestedModel(RequestModel):
    def unknown_fields(self) -> list[str]:
        """Its own, and those of the models in it, as `messages[].content[].name`."""
        names = [*super().unknown_fields()]
        for name in type(self).model_fields:
            names += _unknown_in(getattr(self, name), name)
        return list(dict.fromkeys(names))


def _unknown_in(value: object, path: str) -> list[str]:
    if isinstance(value, RequestModel):
        return [f"{path}.{name}" for name in value.unknown_fields()]
    if isinstance(value, list):
        return [name for item in value for name in _unknown_in(item, f"{path}[]")]
    return []
