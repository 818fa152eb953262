"""Dataset files for tests: records, and their bytes in every format."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autosr_lib.storage.datasets import Dataset, read_dataset

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
EXAMPLES = Path(__file__).parents[2] / "examples"
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".parquet")
HEADER = "prompt_id,prompt,candidate_id,text,rank,quality\n"
CSV_ROWS = "p1,Say hi,a,Hi,1,0.9\np1,Say hi,b,Hello,2,0.5\n"

Record = dict[str, Any]


def candidate(candidate_id: object = "a", **fields: Any) -> Record:
    return {"candidate_id": candidate_id, "text": f"text of {candidate_id}"} | fields


def prompt(prompt_id: object = "p1", **fields: Any) -> Record:
    return {"prompt_id": prompt_id, "prompt": "Say hi.", "candidates": [candidate("a"), candidate("b")]} | fields


def labelled(*metadata: Mapping[str, Any]) -> Record:
    return prompt(candidates=[candidate(f"c{i}", metadata=dict(labels)) for i, labels in enumerate(metadata)])


def json_of(*prompts: object) -> bytes:
    return json.dumps({"prompts": prompts}).encode()


def lines_of(*prompts: object) -> bytes:
    return "\n".join(json.dumps(item) for item in prompts).encode()


def parquet_of(rows: Sequence[Record], schema: pa.Schema | None = None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    return sink.getvalue()


def read(folder: Path, name: str, data: bytes, **options: Any) -> Dataset:
    (folder / name).write_bytes(data)
    return read_dataset(str(folder / name), **options)


def flat_rows(*rows: Record) -> list[Record]:
    base = {"prompt_id": "p1", "prompt": "Say hi", "text": "Hi"}
    return [base | {"candidate_id": f"c{i}"} | row for i, row in enumerate(rows)]


METADATA = pa.struct([("rank", pa.int64()), ("quality", pa.float64()), ("note", pa.string())])
ANSWER = [("candidate_id", pa.string()), ("text", pa.string()), ("source", pa.string()), ("metadata", METADATA)]
NESTED = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("metadata", pa.struct([("topic", pa.string())])),
        ("candidates", pa.list_(pa.struct(ANSWER))),
    ]
)
FLAT = (
    "prompt_id",
    "prompt",
    "prompt_metadata.topic",
    "candidate_id",
    "text",
    "source",
    "rank",
    "quality",
    "metadata.note",
)


def flattened(records: Sequence[Record]) -> list[Record]:
    return [
        {
            "prompt_id": record["prompt_id"],
            "prompt": record["prompt"],
            "prompt_metadata.topic": record["metadata"].get("topic"),
            "candidate_id": answer["candidate_id"],
            "text": answer["text"],
            "source": answer["source"],
            "rank": answer["metadata"].get("rank"),
            "quality": answer["metadata"].get("quality"),
            "metadata.note": answer["metadata"].get("note"),
        }
        for record in records
        for answer in record["candidates"]
    ]


def csv_of(rows: Sequence[Record]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, FLAT)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def flat_parquet_of(rows: Sequence[Record]) -> bytes:
    labels = ("rank", "quality")
    return parquet_of(rows, pa.schema([(name, pa.float64() if name in labels else pa.string()) for name in FLAT]))


STREAMED_FORMATS = (".jsonl", ".csv", ".parquet", "flat.parquet")


def file_of(folder: Path, suffix: str, records: Sequence[Record]) -> Path:
    """Write records whose candidates have only an id and a text, in the format of the suffix."""
    flat = [
        {"prompt_id": record["prompt_id"], "prompt": record["prompt"], **answer}
        for record in records
        for answer in record["candidates"]
    ]
    data = {
        ".jsonl": lambda: lines_of(*records),
        ".csv": lambda: csv_of(flat),
        ".parquet": lambda: parquet_of(records),
        "flat.parquet": lambda: parquet_of(flat),
    }[suffix]()
    path = folder / f"data{suffix}"
    path.write_bytes(data)
    return path
