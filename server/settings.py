"""Every setting of the program, declared once: a flag, a GRANITE_* variable and a TOML key each."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from kernels.errors import GraniteError


class InvalidSettings(GraniteError):
    """Flags, variables or the file hold something unusable; the text has one line per mistake."""


class TomlFile(PydanticBaseSettingsSource):
    """The file that a flag or GRANITE_CONFIG named, if any: one flat table of field names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError(f"{field_name} {field}: the file is read as a whole")

    def __call__(self) -> dict[str, Any]:
        path = self.current_state.get("config")
        if path is None:
            return {}
        try:
            return tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"--config {path}: {error.strerror}") from error
        except ValueError as error:
            raise SettingsError(f"--config {path}: {error}") from error


def _split_commas(value: object) -> object:
    """A flag given twice and a variable with commas both arrive as one comma-separated text."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


Strings = Annotated[list[str], NoDecode, BeforeValidator(_split_commas)]
Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(_split_commas)]


class Settings(BaseSettings):
    """Frozen after start. `None` means "choose at start from the model and the machine".

    A flag wins over a GRANITE_* variable, that over the TOML file, that over the default.
    """

    model_config = SettingsConfigDict(
        env_prefix="GRANITE_",
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_exit_on_error=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlFile(settings_cls)

    model: str = Field(
        "demo", description="'demo', a checkpoint directory, or a model id on the hub"
    )
    revision: str | None = Field(None, description="hub revision: branch, tag or commit")
    served_model_name: Strings = Field(
        default_factory=list, description="names clients may use; default: the model's own name"
    )
    host: str = Field("127.0.0.1", description="address to bind")
    port: int = Field(8000, ge=0, le=65535, description="port to bind; 0 picks a free one")

    dtype: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="precision of weights and activations"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the model runs")
    quantize: Literal["auto", "none", "int8", "int4"] = Field(
        "auto", description="weight quantisation at load"
    )
    packed_cache: bool = Field(
        True, description="keep packed weights beside the checkpoint: later starts take seconds"
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="CPU threads of the model worker; default: all cores, fewer for tiny models",
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
    prompt_rows: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="prompt tokens a step may process beside replies; more for a batch's sake make "
        "replies pause; default: measured at start, so that a prompt at most halves their pace",
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
    grammar_timeout: float = Field(
        2.0, gt=0, description="seconds of processor time to compile a JSON schema or grammar"
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

    api_key: Secrets = Field(
        default_factory=list, description="accepted keys, bearer or x-api-key; none: no keys needed"
    )
    insecure: bool = Field(False, description="allow a non-loopback bind without an API key")
    allowed_host: Strings = Field(
        default_factory=list, description="further Host header names to accept"
    )
    cors_origin: Strings = Field(
        default_factory=list, description="browser origins allowed to call the API"
    )
    max_body_bytes: int = Field(8 * 2**20, ge=1024, description="largest request body")
    strict_fields: bool = Field(
        False, description="refuse unknown request fields instead of naming them in a header"
    )

    storage: str = Field(
        "auto",
        min_length=1,
        description="file for uploads, batches and stored responses; 'auto': in your data folder; "
        "'none': keep nothing",
    )
    storage_bytes: int = Field(4 * 2**30, ge=2**20, description="largest size of that file")
    storage_days: float = Field(
        30.0, gt=0, le=3650, description="days after which batches and stored responses are deleted"
    )
    max_file_bytes: int = Field(200 * 2**20, ge=1024, description="largest uploaded file")

    prompt_price: Decimal = Field(
        Decimal("0.017"), ge=0, description="dollars a million prompt tokens cost, in replies"
    )
    completion_price: Decimal = Field(
        Decimal("0.112"), ge=0, description="dollars a million generated tokens cost, in replies"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else json"
    )
    config: Path | None = Field(None, description="TOML file with these settings")
