/**
 * The addresses of servers from what the user gave: `host:port`, where a name may have several addresses (a headless
 * service of Kubernetes has one per pod), or the name of an SRV record, which has the ports too. Names are resolved
 * again and again. A name that cannot be resolved keeps the addresses that it had.
 */
import { lookup, resolveSrv } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Logger } from '../channel/logger.js';

/** The part of node:dns that is used. */
interface Resolver {
  /** Addresses of a name. */
  readonly addresses: (name: string) => Promise<readonly string[]>;
  readonly services: (name: string) => Promise<readonly { readonly name: string; readonly port: number }[]>;
}

const systemResolver: Resolver = {
  addresses: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  services: resolveSrv,
};

export class Discovery {
  private readonly known = new Map<string, readonly string[]>();
  private readonly failing = new Set<string>();

  /** @param targets as the user gave them (gateway-options.ts checks their form) */
  constructor(
    private readonly targets: readonly string[],
    private readonly log: Logger,
    private readonly resolver: Resolver = systemResolver,
  ) {}

  /** All addresses as `host:port`, each once, sorted. */
  async resolve(): Promise<string[]> {
    await Promise.all(this.targets.map((target) => this.resolveTarget(target)));
    return [...new Set([...this.known.values()].flat())].sort();
  }

  private async resolveTarget(target: string): Promise<void> {
    try {
      const found = await (target.startsWith('_') ? this.resolveService(target) : this.resolveAddress(target));
      if (found.length === 0) throw new Error('it has no address');
      this.known.set(target, found);
      this.failing.delete(target);
    } catch (error) {
      if (!this.failing.has(target)) this.log.warn({ name: target, error: String(error) }, 'name cannot be resolved');
      this.failing.add(target);
    }
  }

  private async resolveService(name: string): Promise<string[]> {
    const services = await this.resolver.services(name);
    const found = await Promise.all(services.map((one) => this.resolveHost(one.name, String(one.port))));
    return found.flat();
  }

  private resolveAddress(target: string): Promise<string[]> {
    const colon = target.lastIndexOf(':');
    return this.resolveHost(target.slice(0, colon).replace(/^\[|\]$/g, ''), target.slice(colon + 1));
  }

  private async resolveHost(host: string, port: string): Promise<string[]> {
    const addresses = await this.resolver.addresses(host);
    return addresses.map((address) => `${isIPv6(address) ? `[${address}]` : address}:${port}`);
  }
}
