"""Writes embeddings and attributes as an Arrow file that `shortlist build` reads. Needs numpy and pyarrow."""

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather

rows, dim = 1_000, 64
vectors = np.random.default_rng(1).normal(size=(rows, dim)).astype("float32")  # your model's output

table = pa.table(
    {
        "id": pa.array([f"item-{row}" for row in range(rows)]),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim),
        "category": pa.array(["kitchen", "home"] * (rows // 2)).dictionary_encode(),
        "price": pa.array(np.linspace(1, 100, rows)),
        "tags": pa.array([["new"], None] * (rows // 2), pa.list_(pa.string())),
    }
)
feather.write_feather(table, "items.arrow")
print(table.num_rows, table.schema.names)
