"""The client's own notes on an object: OpenAI's `metadata`."""

from typing import Annotated

from pydantic import Field, StringConstraints

MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataText = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataText], Field(max_length=16)]
