"""The columns of a table, as the web UI shows them with the asset."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import dagster as dg
import pyarrow as pa


@lru_cache  # a chain of generations shares one
def columns_metadata(schema: pa.Schema) -> Mapping[str, Any]:
    """Return the metadata of an asset whose rows have this schema: every column, those inside others after a dot."""
    return {"dagster/column_schema": dg.TableSchema(columns=list(_columns(schema)))}


def _columns(fields: Iterable[pa.Field], prefix: str = "") -> Iterator[dg.TableColumn]:
    for field in fields:
        name, kind = prefix + field.name, field.type
        is_list = pa.types.is_list(kind)
        inner = kind.value_type if is_list else kind
        told = "struct" if pa.types.is_struct(inner) else str(inner)
        yield dg.TableColumn(name, f"list<{told}>" if is_list else told, field.metadata[b"description"].decode())
        if pa.types.is_struct(inner):
            yield from _columns(inner, f"{name}.")
