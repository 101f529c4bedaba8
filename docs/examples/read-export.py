"""Searches an exported index with Python's hnswlib. Run it beside the folder `listings-hnswlib`."""

import json

import hnswlib
import numpy
import pyarrow.feather

with open("listings-hnswlib/export.json") as file:
    export = json.load(file)
index = hnswlib.Index(space=export["space"], dim=export["dim"])
index.load_index("listings-hnswlib/shard-0000.hnsw")
index.set_ef(200)  # the file holds no ef, and hnswlib's default of 10 is too small

query = numpy.full((1, export["dim"]), 0.1, numpy.float32)
labels, distances = index.knn_query(query, k=100)
table = pyarrow.feather.read_table("listings-hnswlib/shard-0000.ids.arrow")
ids = table["id"].take(labels[0])
print(len(ids), ids[0], distances[0][0])
