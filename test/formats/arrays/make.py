"""Writes the arrays of this folder, and the same vectors as Arrow files, with the libraries that people use.

    python3 make.py OUT        needs numpy, h5py and pyarrow

`floats.*` hold the vectors of floats.arrow, `ints.*` those of ints.arrow, `ids.*` the ids of both, `names.*` those of
names.arrow.
"""

import os
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from numpy.lib import format as npy

OUT = sys.argv[1]
ROWS, DIM, QUERIES = 50, 8, 7
rng = np.random.default_rng(1)
floats = (rng.integers(-64, 64, (ROWS, DIM)) / 8 + 0.125).astype(np.float32)  # float16 holds them too
ints = rng.integers(1, 100, (ROWS, DIM)).astype(np.float32)
ids = np.arange(ROWS) * 3 + 10
names = np.array([f"item-{i}{'' if i % 3 else ' é𝄞'}" for i in range(ROWS)])
path = lambda name: os.path.join(OUT, name)


def table(ids, vectors):
    return pa.table({"id": pa.array(ids), "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM)})


def save(name, array, version=None):
    with open(path(f"{name}.npy"), "wb") as file:
        npy.write_array(file, array, version)


def vecs(name, array):
    with open(path(name), "wb") as file:
        for row in array:
            file.write(np.int32(len(row)).tobytes() + row.tobytes())


def fbin(name, array):
    with open(path(name), "wb") as file:
        file.write(np.array(array.shape, np.uint32).tobytes() + array.tobytes())


pyarrow.feather.write_feather(table(ids, floats), path("floats.arrow"), compression="uncompressed")
pyarrow.feather.write_feather(table(ids, ints), path("ints.arrow"), compression="uncompressed")
pyarrow.feather.write_feather(table(names.tolist(), floats), path("names.arrow"), compression="uncompressed")

for dtype in ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"]:
    save(f"floats.{'big' if dtype[0] == '>' else 'little'}-{dtype[1:]}", floats.astype(dtype))
save("floats.fortran", np.asfortranarray(floats))
save("floats.fortran-big", np.asfortranarray(floats.astype(">f8")))
save("floats.format-2", floats, (2, 0))
save("floats.format-3", floats, (3, 0))
for dtype in ["i1", "u1", "<i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">u8"]:
    save(f"ints.{dtype.replace('<', '').replace('>', 'big-')}", ints.astype(dtype))
save("ints.fortran-bytes", np.asfortranarray(ints.astype("u1")))

vecs("floats.texmex.fvecs", floats)
vecs("ints.texmex.bvecs", ints.astype(np.uint8))
vecs("ints.texmex.ivecs", ints.astype(np.int32))
vecs("ints.upper.BVECS", ints.astype(np.uint8))
fbin("floats.big-ann.fbin", floats)
fbin("floats.big-ann.f16bin", floats.astype(np.float16))
fbin("ints.big-ann.u8bin", ints.astype(np.uint8))
fbin("ints.big-ann.i8bin", ints.astype(np.int8))
fbin("ints.big-ann.ibin", ints.astype(np.int32))

with h5py.File(path("floats.ann-benchmarks.hdf5"), "w") as file:
    file.attrs["type"], file.attrs["distance"] = "dense", "angular"
    file["train"], file["test"] = floats, floats[:QUERIES]
    file["neighbors"], file["distances"] = np.zeros((QUERIES, 5), np.int32), np.zeros((QUERIES, 5), np.float32)
with h5py.File(path("floats.chunked.hdf5"), "w", libver="latest") as file:
    file.create_dataset("train", data=floats.astype(">f8"), chunks=(16, 5), compression="gzip", shuffle=True)
    file["test"] = floats[:QUERIES]
with h5py.File(path("ints.bytes.h5"), "w") as file:
    file.create_dataset("train", data=ints.astype(np.uint8), chunks=(7, DIM), compression="gzip")
with h5py.File(path("odd.hdf5"), "w") as file:
    file["bits"], file["flat"], file["group/vectors"] = ints > 50, floats[:, 0], floats
    file["half"], file["names"] = floats.astype(np.float16), [name.encode() for name in names]
    file["far"] = h5py.ExternalLink("floats.ann-benchmarks.hdf5", "/train")
    file["soft"] = h5py.SoftLink("/half")
    file.create_dataset("lzf", data=floats, compression="lzf")
    file.create_dataset("wide", shape=(2**40, DIM), chunks=(1024, DIM), dtype="f4")
with h5py.File(path("hamming.hdf5"), "w") as file:
    file.attrs["distance"], file["train"] = "hamming", ints > 50

save("ids.i8", ids.astype("<i8"))
save("ids.u2-big", ids.astype(">u2"))
fbin("ids.numbers.ibin", ids.astype(np.int32).reshape(-1, 1))
vecs("ids.numbers.ivecs", ids.astype(np.int32).reshape(-1, 1))
pq.write_table(table(ids, floats), path("ids.table.parquet"))
save("names.U", names)
save("names.U-big", names.astype(names.dtype.newbyteorder(">")))
save("names.S", np.array([name.encode() for name in names]))
open(path("names.unix.txt"), "w", newline="\n").write("\n".join(names))
open(path("names.windows.txt"), "w", newline="\r\n", encoding="utf-8-sig").write("\n".join(names) + "\n")
save("odd.objects", np.array([{}, 1], dtype=object))
save("odd.bools", ints > 50)
save("odd.complex", floats.astype(np.complex64))
save("odd.structured", np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]))
save("odd.cube", floats.reshape(-1, 2, 4))
save("odd.scalar", np.array(1.0))
save("odd.empty-vectors", floats[:, :0])
save("odd.large-ints", np.full((3, 4), 2**24 + 1))
save("odd.dates", np.array(["2026-01-01"], dtype="datetime64[D]"))
