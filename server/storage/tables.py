"""The tables of the database: what is kept, and for whom. Knows no dialect and no queries.

`owner` is the fairness key of the API key that made an object; nobody else gets to see it.
`position` orders objects by age. Times are in whole seconds since 1970; `expires_at` may be NULL.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

SCHEMA_VERSION = 1

metadata = MetaData()

files = Table(
    "files",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("owner", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("filename", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("num_bytes", Integer, nullable=False),
    Column("is_complete", Boolean, nullable=False),
    Index("files_of_owner", "owner", "position"),
    sqlite_autoincrement=True,
)

file_chunks = Table(
    "file_chunks",
    metadata,
    Column("file", ForeignKey("files.position", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("owner", String, nullable=False),
    Column("expires_at", Integer),
    Column("is_open", Boolean, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("batches_of_owner", "owner", "position"),
    sqlite_autoincrement=True,
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", ForeignKey("batches.position", ondelete="CASCADE"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("is_success", Boolean, nullable=False),
    Column("output", LargeBinary, nullable=False),
)

responses = Table(
    "responses",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("owner", String, nullable=False),
    Column("expires_at", Integer),
    Column("previous", String),
    Column("is_open", Boolean, nullable=False),
    Column("input_items", LargeBinary, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("responses_of_owner", "owner", "position"),
    sqlite_autoincrement=True,
)
