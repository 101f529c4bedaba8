/** The methods of each path, so that a wrong method on a known path is a 405 with Allow instead of a 404. */
import type { FastifyReply } from 'fastify';
import { ShortlistError } from '../../base/errors.js';

export class RouteTable {
  private readonly routes: { readonly pattern: RegExp; readonly methods: Set<string> }[] = [];
  private readonly byUrl = new Map<string, Set<string>>();

  /** @param url with `:name` for one segment and `*` for the rest */
  add(method: string | readonly string[], url: string): void {
    const methods = this.byUrl.get(url) ?? new Set<string>();
    if (!this.byUrl.has(url)) {
      this.byUrl.set(url, methods);
      const source = url
        .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
        .replace(/:[^/]+/g, '[^/]+')
        .replace('*', '.*');
      this.routes.push({ pattern: new RegExp(`^${source}$`), methods });
    }
    for (const one of typeof method === 'string' ? [method] : method) methods.add(one);
  }

  /** The error of a request that no route accepted. Sets Allow if the path exists. */
  refusal(method: string, url: string, reply: FastifyReply): ShortlistError {
    const path = url.split('?')[0]!;
    const allowed = this.routes.find((route) => route.pattern.test(path))?.methods;
    if (allowed === undefined) {
      const shown = path.length <= 200 ? path : `${path.slice(0, 200)}...`;
      return new ShortlistError('unknown_route', `there is no route ${method} ${shown}; see /docs`);
    }
    const methods = [...allowed].sort().join(', ');
    void reply.header('allow', methods);
    return new ShortlistError('method_not_allowed', `the route supports ${methods}, not ${method}`, { allow: methods });
  }
}
