/**
 * Prints a search request for a text, for the demo's index. Pipe it to curl.
 *
 *     npx tsx scripts/embed.ts "walnut salad bowl" --k 5
 */
import { parseArgs } from 'node:util';
import { embedText } from './catalog/embed-text.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { k: { type: 'string', default: '10' } },
});
const vector = embedText(positionals.join(' '));
if (vector.every((value) => value === 0)) {
  throw new Error('the text has no words; give one such as: npx tsx scripts/embed.ts "walnut bowl"');
}
const request = {
  vector_b64: Buffer.from(vector.buffer).toString('base64'),
  k: Number(values.k),
  include: { attributes: ['title', 'category', 'price'] },
};
process.stdout.write(`${JSON.stringify(request)}\n`);
