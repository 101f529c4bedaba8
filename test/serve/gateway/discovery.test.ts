/** How the addresses of servers are found. */
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Discovery } from '../../../src/serve/gateway/discovery.js';
import { readGatewayOptions } from '../../../src/serve/gateway/gateway-options.js';

const silent = pino({ level: 'silent' });

describe('discovery', () => {
  it('finds all addresses of a name, and those of an SRV record with their ports', async () => {
    const resolver = {
      addresses: (name: string) => Promise.resolve(name === 'leaves' ? ['10.0.0.1', 'fd00::1'] : [`ip-of-${name}`]),
      services: () => Promise.resolve([{ name: 'a', port: 81 }, { name: 'b', port: 82 }]),
    }; // prettier-ignore
    const found = await new Discovery(['leaves:80', '_http._tcp.leaves', '10.0.0.1:80'], silent, resolver).resolve();
    expect(found).toEqual(['10.0.0.1:80', '[fd00::1]:80', 'ip-of-10.0.0.1:80', 'ip-of-a:81', 'ip-of-b:82']);
  });

  it('keeps the addresses of a name that cannot be resolved for a moment, and forgets those that are gone', async () => {
    let answer: string[] | null = ['10.0.0.1', '10.0.0.2'];
    const addresses = () => (answer === null ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve(answer));
    const discovery = new Discovery(['leaves:80'], silent, { addresses, services: () => Promise.resolve([]) });
    expect(await discovery.resolve()).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    answer = null;
    expect(await discovery.resolve()).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    answer = ['10.0.0.2'];
    expect(await discovery.resolve()).toEqual(['10.0.0.2:80']);
  });

  it('resolves names of this machine', async () => {
    expect(await new Discovery(['localhost:80'], silent).resolve()).toContain('127.0.0.1:80');
  });
});

describe('the addresses of servers', () => {
  it('are host:port or names of SRV records, from the flag or the variable', () => {
    const good = ['a:80', 'leaves.shop.svc:8080', '10.0.0.1:1', '[fd00::1]:8080', '_http._tcp.leaves.shop.svc'];
    expect(readGatewayOptions({ leaves: good }).leaves).toEqual(good);
    expect(readGatewayOptions({}, { SHORTLIST_LEAVES: 'a:80, b:80' }).leaves).toEqual(['a:80', 'b:80']);
  });

  it.each(['a', 'a:0', 'a:99999', 'http://a:80', '[fd00]:80', 'a b:80', '_http.leaves', ''])('are not %j', (bad) => {
    expect(() => readGatewayOptions({ leaves: [bad] })).toThrow(/--leaves is/);
  });
});
