/** Content negotiation, as far as a server with one answer type needs it (RFC 9110, 12.5.1). */
import { ShortlistError } from '../../base/errors.js';

/** @throws not_acceptable when Accept rules out the type that the route answers in */
export function checkAccept(accept: string | undefined, type: string): void {
  if (accept === undefined || accept === '*/*' || accept === type) return;
  if (qualityOf(accept, type) > 0) return;
  throw new ShortlistError('not_acceptable', `the route answers in ${type}, which Accept rules out`, { offers: type });
}

/** The weight that Accept gives the type: that of the most specific range which matches. */
function qualityOf(accept: string, type: string): number {
  const family = `${type.split('/')[0]!}/*`;
  let best = { rank: 0, quality: 0 };
  for (const part of accept.split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const rank = range === type ? 3 : range === family ? 2 : range === '*/*' ? 1 : 0;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    if (rank > best.rank) best = { rank, quality: Number.isNaN(quality) ? 0 : quality };
  }
  return best.quality;
}
