/** Steps of JSON pointers (RFC 6901) for messages. Long names are cut, so that no answer repeats a megabyte of one. */

const MAX_SHOWN = 64;

/** One step with its leading slash. */
export function pointerStep(name: string | number): string {
  return `/${shortenName(String(name)).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

export function shortenName(name: string): string {
  return name.length <= MAX_SHOWN ? name : `${name.slice(0, MAX_SHOWN)}...`;
}
