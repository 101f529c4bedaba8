/**
 * Steps of JSON pointers (RFC 6901) to what others have sent: names are cut, since a megabyte of one is not sent
 * back.
 */

const MAX_SHOWN = 64;

/** One step, its slash before it. */
export function pointerStep(name: string | number): string {
  return `/${shortenName(String(name)).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

export function shortenName(name: string): string {
  return name.length <= MAX_SHOWN ? name : `${name.slice(0, MAX_SHOWN)}...`;
}
