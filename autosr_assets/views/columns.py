"""Column metadata of tables, which the web UI shows on the page of an asset."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import dagster as dg
import pyarrow as pa


@lru_cache  # all generations share one schema
def columns_metadata(schema: pa.Schema) -> Mapping[str, Any]:
    """Return the metadata of an asset whose rows have this schema: its columns, nested ones as `outer.inner`."""
    return {"dagster/column_schema": dg.TableSchema(columns=list(_columns(schema)))}


def _columns(fields: Iterable[pa.Field], prefix: str = "") -> Iterator[dg.TableColumn]:
    for field in fields:
        name, kind = prefix + field.name, field.type
        is_list = pa.types.is_list(kind)
        inner = kind.value_type if is_list else kind
        inner_name = "struct" if pa.types.is_struct(inner) else str(inner)
        yield dg.TableColumn(
            name, f"list<{inner_name}>" if is_list else inner_name, field.metadata[b"description"].decode()
        )
        if pa.types.is_struct(inner):
            yield from _columns(inner, f"{name}.")
