"""Every setting of the program, declared once: a flag, a GRANITE_* variable and a TOML key each."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen after start. `None` means "choose at start from the model and the machine"."""

    model_config = SettingsConfigDict(env_prefix="GRANITE_", frozen=True, extra="forbid")

    model: str = Field(
        "demo", description="'demo', a checkpoint directory, or a model id on the hub"
    )
    revision: str | None = Field(None, description="hub revision: branch, tag or commit")
    served_model_name: list[str] = Field(
        default_factory=list, description="names clients may use; default: the model's own name"
    )
    host: str = Field("127.0.0.1", description="address to bind")
    port: int = Field(8000, ge=0, le=65535, description="port to bind; 0 picks a free one")

    dtype: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="precision of weights and activations"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the model runs")
    quantize: Literal["none"] = Field("none", description="weight quantisation at load")
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads of the model worker; default: all cores"
    )
    context_length: int | None = Field(
        None, ge=16, description="longest prompt plus reply in tokens"
    )
    max_sequences: int = Field(
        16, ge=1, le=1024, description="sequences generated at the same time"
    )
    step_rows: int = Field(
        256, ge=16, le=65536, description="most tokens one step of the model may process"
    )
    memory_bytes: int | None = Field(
        None, ge=1, description="memory for recurrent state and K/V pages"
    )

    max_queued_requests: int = Field(
        64, ge=1, description="requests that may wait before new ones get 503"
    )
    max_queued_tokens: int = Field(
        262_144, ge=1, description="prompt tokens that may wait before 503"
    )
    queue_timeout: float = Field(60.0, gt=0, description="seconds a request may wait to be started")
    request_timeout: float = Field(3600.0, gt=0, description="seconds a request may take in all")
    step_timeout: float = Field(
        300.0, gt=0, description="seconds before a stuck worker is restarted"
    )
    send_timeout: float = Field(
        30.0, gt=0, description="seconds a client may take no data before it is cut off"
    )
    keep_alive_interval: float = Field(
        15.0, gt=0, description="seconds between comments on a silent stream"
    )
    drain_accept: float = Field(
        5.0, ge=0, description="seconds after SIGTERM that new requests still get a 503"
    )
    drain_timeout: float = Field(
        30.0, ge=0, description="seconds after SIGTERM that running requests may finish"
    )

    api_key: list[SecretStr] = Field(
        default_factory=list, description="accepted bearer keys; none: no keys needed"
    )
    insecure: bool = Field(False, description="allow a non-loopback bind without an API key")
    allowed_host: list[str] = Field(
        default_factory=list, description="further Host header names to accept"
    )
    cors_origin: list[str] = Field(
        default_factory=list, description="browser origins allowed to call the API"
    )
    max_body_bytes: int = Field(8 * 2**20, ge=1024, description="largest request body")
    strict_fields: bool = Field(
        False, description="refuse unknown request fields instead of naming them in a header"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else json"
    )
    config: Path | None = Field(None, description="TOML file with these settings")
