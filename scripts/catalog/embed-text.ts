/**
 * Text to a unit vector of 128 float32, the demo's stand-in for an embedding model.
 *
 * The features of a text are its words, its pairs of neighbouring words and the three-letter pieces of each word (so
 * that a misspelt word stays near the right one). Each feature is hashed to 128 signs, a random projection of the huge
 * sparse feature vector (Achlioptas 2003), and added with a weight: most for the object, less for the material, least
 * for what most listings share, as inverse document frequencies would do. A word counts with the square root of its
 * number. It needs no corpus and no model: a text gives the same vector everywhere.
 */
import { CATEGORIES, COLOURS, MATERIALS, SHOUTS, STYLES } from './grammar.js';

export const EMBEDDING_DIM = 128;

const SEED = 0x5eed;
const SIGN_WORDS = EMBEDDING_DIM / 32;

/** Shares of a word's vector that come from the whole word and from its pieces. Their squares add up to 1. */
const WHOLE_SHARE = 0.8;
const PIECES_SHARE = Math.sqrt(1 - WHOLE_SHARE ** 2);

/** Weight of a pair of words, as a share of the lighter one. */
const PAIR_SHARE = 0.4;

/**
 * Weights by the role of a phrase, shared by its words: each has weight / sqrt(words). A word in no list may name
 * anything, so it counts almost as much as a material.
 */
const WEIGHT = {
  noun: 1,
  unknown: 0.6,
  material: 0.85,
  kind: 0.5,
  style: 0.3,
  colour: 0.3,
  technique: 0.25,
  detail: 0.1,
};

const STOP_WORDS = new Set(['a', 'an', 'and', 'the', 'of', 'for', 'in', 'with', 'to', 'by', 'on', 'x', 'up']);

const weights = wordWeights();
const wordVectors = new Map<string, Float32Array>();

/** @returns 128 values of unit length; the zero vector for a text without words */
export function embedText(text: string): Float32Array {
  const sum = new Float32Array(EMBEDDING_DIM);
  const words = splitWords(text);
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const [word, count] of counts) addScaled(sum, wordVector(word), weightOf(word) * Math.sqrt(count));
  for (let i = 1; i < words.length; i++) {
    const pairWeight = PAIR_SHARE * Math.min(weightOf(words[i - 1]!), weightOf(words[i]!));
    addSigns(sum, `${words[i - 1]!} ${words[i]!}`, pairWeight);
  }
  return scaleToUnit(sum);
}

/** Lower-case words of letters and digits, plurals as singulars, without stop words. */
export function splitWords(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => !STOP_WORDS.has(word)).map(singular);
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}

function weightOf(word: string): number {
  return weights.get(word) ?? WEIGHT.unknown;
}

/** Every word of the grammar with its weight; a word in several roles has the largest. */
function wordWeights(): Map<string, number> {
  const table = new Map<string, number>();
  const add = (texts: readonly string[], weight: number): void => {
    for (const words of texts.map(splitWords)) {
      const share = weight / Math.sqrt(words.length);
      for (const word of words) table.set(word, Math.max(share, table.get(word) ?? 0));
    }
  };
  add(SHOUTS, WEIGHT.detail);
  add(STYLES, WEIGHT.style);
  add(COLOURS, WEIGHT.colour);
  for (const family of Object.values(MATERIALS)) {
    add(family.members, WEIGHT.material);
    add(family.techniques, WEIGHT.technique);
  }
  for (const category of Object.values(CATEGORIES)) {
    add(category.details, WEIGHT.detail);
    for (const object of category.objects) {
      add([object.noun], WEIGHT.noun);
      add(object.kinds, WEIGHT.kind);
    }
  }
  return table;
}

/** The unit vector of one word: its own signs and those of its pieces. */
function wordVector(word: string): Float32Array {
  const known = wordVectors.get(word);
  if (known !== undefined) return known;
  const vector = new Float32Array(EMBEDDING_DIM);
  const pieces = wordPieces(word);
  addSigns(vector, `=${word}`, WHOLE_SHARE);
  for (const piece of pieces) addSigns(vector, `~${piece}`, PIECES_SHARE / Math.sqrt(pieces.length));
  wordVectors.set(word, vector);
  return vector;
}

/** `bowl` has `^bo`, `bow`, `owl`, `wl$`. */
function wordPieces(word: string): string[] {
  const padded = `^${word}$`;
  return Array.from({ length: padded.length - 2 }, (_, start) => padded.slice(start, start + 3));
}

function addScaled(sum: Float32Array, vector: Float32Array, weight: number): void {
  for (let i = 0; i < EMBEDDING_DIM; i++) sum[i]! += weight * vector[i]!;
}

/** Adds the feature's 128 signs, each worth weight / sqrt(128). */
function addSigns(sum: Float32Array, feature: string, weight: number): void {
  const step = weight / Math.sqrt(EMBEDDING_DIM);
  const hash = hashText(feature);
  for (let word = 0; word < SIGN_WORDS; word++) {
    const bits = mixBits(hash + Math.imul(word + 1, 0x9e3779b9));
    for (let bit = 0; bit < 32; bit++) sum[word * 32 + bit]! += (bits >>> bit) & 1 ? step : -step;
  }
}

/** FNV-1a over UTF-16 units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5 ^ SEED;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** The finalizer of murmur3: every bit of the input moves every bit of the output. */
function mixBits(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function scaleToUnit(vector: Float32Array): Float32Array {
  let squared = 0;
  for (const value of vector) squared += value * value;
  if (squared === 0) return vector;
  const norm = Math.sqrt(squared);
  return vector.map((value) => value / norm);
}
