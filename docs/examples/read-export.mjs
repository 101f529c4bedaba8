/** Searches an exported index with hnswlib-node. Run it beside the folder `listings-hnswlib`. */
import { readFileSync } from 'node:fs';
import hnswlib from 'hnswlib-node';

const { space, dim, shards } = JSON.parse(readFileSync('listings-hnswlib/export.json', 'utf8'));
const graph = new hnswlib.HierarchicalNSW(space, dim);
graph.readIndexSync(`listings-hnswlib/${shards[0].graph}`);
graph.setEf(200); // the file holds no ef, and hnswlib's default of 10 is too small

const query = Array.from({ length: dim }, () => 0.1);
const { neighbors, distances } = graph.searchKnn(query, Math.min(100, shards[0].count));
console.log(neighbors.length, distances[0]);
