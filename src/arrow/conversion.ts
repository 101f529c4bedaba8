/** Advice to the owner of a column that is not read. */
import type { ArrowField } from './column.js';

/** By the start of the label; a longer start comes before a shorter one that it contains. */
const CONVERSIONS: readonly (readonly [label: RegExp, advice: string])[] = [
  [/^(large_)?list_view</, 'cast it to a list type, pyarrow.list_(value_type)'],
  [/^run_end_encoded</, 'decode it with pyarrow.compute.run_end_decode'],
  [/^extension</, 'take its storage array and cast that to a plain type'],
  [
    /^(large_)?binary|^binary_view/,
    'cast it to string if it holds UTF-8 text, else encode it (base64, hex) as a string',
  ],
  [/^fixed_size_binary/, 'encode it as a string (hex, UUID text) or, for raw vectors, as fixed_size_list<float>'],
  [/^struct</, 'make each of its fields a column of its own: pyarrow.Table.flatten()'],
  [/^map</, 'make the keys that matter columns of their own'],
  [/^(dense|sparse)_union</, 'split it into one column per member type'],
  [/^time(32|64)/, 'cast it to an integer or to string'],
  [/^duration/, 'cast it to int64'],
  [/_interval$/, 'write it as an integer number of days, months or milliseconds'],
  [/^null$/, 'give it a type, or leave the column out'],
  [/^fixed_size_list<.*>\[0\]$/, 'leave the column out: its lists are empty'],
  [/^(large_|fixed_size_)?list</, 'flatten it to a list of numbers or strings, one level deep'],
  [/^dictionary</, 'decode it with Array.dictionary_decode() and convert the values'],
];

/** How to convert a column that is not read or not usable as it is: a clause for messages. */
export function describeConversion(field: ArrowField): string {
  const found = CONVERSIONS.find(([label]) => label.test(field.label));
  if (found !== undefined) return found[1];
  return 'cast it with pyarrow.compute.cast, or leave it out';
}
