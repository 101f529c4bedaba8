"""Search from Python, in JSON and in Arrow. Needs requests and pyarrow, and a server with the index `listings`."""

import pyarrow as pa
import requests

URL = "http://127.0.0.1:8080/v1/indexes/listings"
http = requests.Session()  # keeps the connection open between requests

dim = http.get(URL).json()["dim"]
vector = [0.1] * dim  # your model's embedding

# One query, in JSON.
answer = http.post(
    f"{URL}/search",
    json={
        "vector": vector,
        "k": 3,
        "filter": {"category": {"$in": ["kitchen", "home"]}, "price": {"$lt": 40}},
        "include": {"attributes": ["title", "price"]},
    },
    timeout=1,
)
if answer.status_code != 200:
    raise SystemExit(answer.json()["detail"])
for candidate in answer.json()["candidates"]:
    print(candidate["id"], candidate["score"], candidate["attributes"]["title"])

# A batch of 1,000 queries as Arrow, in both directions. No number becomes text.
ARROW = "application/vnd.apache.arrow.stream"
vectors = pa.FixedSizeListArray.from_arrays(pa.array(vector * 1000, pa.float32()), dim)
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, pa.schema([("vector", vectors.type)])) as writer:
    writer.write_batch(pa.record_batch([vectors], names=["vector"]))
answer = http.post(
    f"{URL}/search",
    params={"k": 10, "filter": '{"price": {"$lt": 40}}', "include.attributes": ["price"]},
    data=sink.getvalue().to_pybytes(),
    headers={"content-type": ARROW, "accept": ARROW},
)
answer.raise_for_status()
table = pa.ipc.open_stream(answer.content).read_all()
print(table.num_rows, table.column_names, table["price"][0])
