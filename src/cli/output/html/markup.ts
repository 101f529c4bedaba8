/**
 * HTML as text that is safe by construction: the tag `html` escapes every value that is not markup itself. What comes
 * from data (ids, attributes, paths) can therefore never become an element.
 */

/** Made by `html` only. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = Markup | string | number | null | readonly Part[];

/** Null and empty lists add nothing. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Markup {
  return new Markup(texts.map((text, i) => (i === 0 ? text : partText(parts[i - 1]!) + text)).join(''));
}

function partText(part: Part): string {
  if (part === null) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(partText).join('');
  return escapeText(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }; // prettier-ignore

/** Control characters, which HTML does not allow, become dots. */
function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!).replace(/[^\P{Cc}\n\t]/gu, '·');
}
