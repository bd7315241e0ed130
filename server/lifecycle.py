"""Whether the server takes new work. Written by whoever runs it, read by the routes."""


class Lifecycle:
    """`start_failure` is why the model could not be loaded, if it could not."""

    def __init__(self) -> None:
        self.is_draining = False
        self.start_failure: Exception | None = None
