"""What every route may use, built once by `create_app` and passed in. Owns no behaviour."""

from dataclasses import dataclass, field

from engine.interface import Engine
from model_loader.tokenizer import Tokenizer
from server.generation_log import GenerationLog
from server.grammars.compiler import ConstraintCompiler
from server.metrics import Metrics
from server.prompt import PromptEncoder
from server.settings import Settings
from server.storage.storage import Storage
from server.usage_book import UsageBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """`model_names` are the names a request may use; the first is the one that replies carry."""

    engine: Engine
    tokenizer: Tokenizer
    encoder: PromptEncoder
    settings: Settings
    model_names: tuple[str, ...]
    metrics: Metrics
    storage: Storage
    grammars: ConstraintCompiler
    usage: UsageBook = field(default_factory=UsageBook)
    generations: GenerationLog = field(default_factory=GenerationLog)
