/** Chooses the attributes that tell a reader what an item is. */
import type { AttributeEntry } from '../../version/sealed/manifest.js';

const MAX_CHOSEN = 4;
const NAME = /title|name|label|headline|product/i;
/** Texts that are long, or say nothing to a reader. */
const UNREADABLE = /url|link|uri|image|photo|picture|html|body|description|hash|_id$|^id$/i;

/**
 * At most four: first titles and names, then categories, other texts, numbers, flags.
 * @param categories attributes with few values
 */
export function chooseReadable(fields: readonly AttributeEntry[], categories: readonly string[]): string[] {
  const rank = ({ name, type }: AttributeEntry): number => {
    if (UNREADABLE.test(name)) return Infinity;
    if (type === 'utf8' && NAME.test(name)) return 0;
    if (type === 'utf8') return categories.includes(name) ? 1 : 2;
    if (/^(?:u?int|float|decimal)/.test(type)) return 3;
    return type === 'bool' ? 4 : Infinity;
  };
  const readable = fields.filter((field) => rank(field) < Infinity);
  return readable
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MAX_CHOSEN)
    .map(({ name }) => name);
}
