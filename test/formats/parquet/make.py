"""Writes the Parquet files of this folder, and the same tables as Arrow files, with the libraries that people use.

    python3 make.py OUT [ROWS]        needs pyarrow, pandas, polars and duckdb
"""

import datetime
import decimal
import os
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

OUT = sys.argv[1]
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
DIM = 8
rng = np.random.default_rng(1)


def nulled(values, every=7):
    return [None if i % every == 3 else value for i, value in enumerate(values)]


vectors = rng.standard_normal((ROWS, DIM)).astype(np.float32)
day = datetime.date(2026, 1, 1)
COLUMNS = {
    "id": pa.array(range(10**12, 10**12 + ROWS), pa.int64()),
    "title": pa.array(nulled([f"title {i} é" for i in range(ROWS)])),
    "category": pa.array([["kitchen", "toys", "garden"][i % 3] for i in range(ROWS)]),
    "price": pa.array(nulled([i * 0.5 - 3 for i in range(ROWS)]), pa.float64()),
    "stock": pa.array(nulled(range(ROWS)), pa.int32()),
    "small": pa.array([i % 100 for i in range(ROWS)], pa.uint8()),
    "big": pa.array([2**63 + i for i in range(ROWS)], pa.uint64()),
    "used": pa.array(nulled([i % 2 == 0 for i in range(ROWS)])),
    "day": pa.array(nulled([day + datetime.timedelta(days=i) for i in range(ROWS)]), pa.date32()),
    "at": pa.array([datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=i) for i in range(ROWS)], pa.timestamp("us")),
    "zoned": pa.array([datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=i) for i in range(ROWS)], pa.timestamp("ms", "UTC")),
    "tags": pa.array([None if i % 11 == 4 else [f"t{j}" for j in range(i % 4)] for i in range(ROWS)], pa.list_(pa.string())),
    "weight": pa.array(nulled([decimal.Decimal(i) / 4 for i in range(ROWS)]), pa.decimal128(10, 2)),
    "embedding": pa.array(vectors.tolist(), pa.list_(pa.float32())),
}
table = pa.table(COLUMNS)
fixed = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM)
fixed_table = table.set_column(table.schema.get_field_index("embedding"), "embedding", fixed)
extras = fixed_table.append_column("dict", table["category"].dictionary_encode()).append_column(
    "seconds", pa.array([datetime.datetime(2026, 1, 1)] * ROWS, pa.timestamp("s"))
)


def arrow(name, value):
    pyarrow.feather.write_feather(value, os.path.join(OUT, f"{name}.arrow"), compression="uncompressed")


def parquet(name, value=table, **options):
    pq.write_table(value, os.path.join(OUT, f"{name}.parquet"), **options)


arrow("lists", table)
arrow("fixed", fixed_table)
arrow("extras", extras)
for codec in ["snappy", "zstd", "gzip", "lz4", "none", "brotli"]:
    parquet(f"lists.pyarrow-{codec}", compression=codec)
parquet("lists.pyarrow-v2-pages", data_page_version="2.0")
parquet("lists.pyarrow-plain", use_dictionary=False)
parquet("lists.pyarrow-one-row-groups", row_group_size=1)
parquet("lists.pyarrow-tiny-pages", data_page_size=64, write_batch_size=5, use_dictionary=False)
parquet("lists.pyarrow-checksums", write_page_checksum=True)
parquet("lists.pyarrow-split", column_encoding={"price": "BYTE_STREAM_SPLIT", "id": "DELTA_BINARY_PACKED", "title": "DELTA_BYTE_ARRAY"}, use_dictionary=False)
parquet("lists.spark-like", store_schema=False, use_compliant_nested_type=False, flavor="spark", use_deprecated_int96_timestamps=True)
parquet("fixed.pyarrow", fixed_table)
parquet("extras.pyarrow", extras, version="1.0")

frame = fixed_table.to_pandas()
frame.to_parquet(os.path.join(OUT, "pandas.pandas.parquet"))
arrow("pandas", pq.read_table(os.path.join(OUT, "pandas.pandas.parquet")))
polars = pl.from_arrow(fixed_table)
polars.write_parquet(os.path.join(OUT, "polars.polars-zstd.parquet"))
polars.write_parquet(os.path.join(OUT, "polars.polars-lz4.parquet"), compression="lz4")
polars.write_ipc(os.path.join(OUT, "polars.arrow"))
con = duckdb.connect()
con.register("t", table)
con.execute(f"copy t to '{OUT}/duckdb.duckdb.parquet' (format parquet)")
con.execute(f"copy t to '{OUT}/duckdb.duckdb-zstd.parquet' (format parquet, codec zstd, parquet_version v2)")
arrow("duckdb", pq.read_table(os.path.join(OUT, "duckdb.duckdb.parquet")))
arrow("spark", pq.read_table(os.path.join(OUT, "lists.spark-like.parquet")))
os.rename(os.path.join(OUT, "lists.spark-like.parquet"), os.path.join(OUT, "spark.spark-like.parquet"))

uuids = pa.array([bytes(rng.bytes(16)) for _ in range(ROWS)], pa.binary(16))
lists_of_one = pa.array([[row] for row in vectors.tolist()], pa.list_(pa.list_(pa.float32())))
RAGGED = [None, [], [None], [[]], [[1.0, None], [], None, [2.0]], [[3.0]]]
ragged = pa.array([RAGGED[i % len(RAGGED)] for i in range(ROWS)], pa.list_(pa.list_(pa.float32())))
nested = pa.table({"id": uuids, "category": table["category"], "ragged": ragged, "embedding": lists_of_one})
arrow("nested", nested)
parquet("nested.pyarrow", nested)
parquet("nested.pyarrow-v2-pages", nested, data_page_version="2.0")
parquet("nested.pyarrow-tiny-pages", nested, data_page_size=64, write_batch_size=5, use_dictionary=False)
parquet("nested.pyarrow-no-arrow-schema", nested, store_schema=False)

flat = pa.array(vectors.ravel())
storage = pa.FixedSizeListArray.from_arrays(flat, DIM)
tensors = pa.table({
    "id": table["id"],
    "category": table["category"],
    "embedding": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [DIM]), storage),
    "image": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [1, DIM]), storage),
})
arrow("tensors", tensors)
parquet("tensors.pyarrow", tensors)
