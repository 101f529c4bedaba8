/**
 * Requests at a steady rate, whether or not earlier ones are answered: a server that stalls then meets all requests of
 * that time. (Generators that wait for an answer before the next request, or send a second's requests at once, hide
 * stalls or cause them.)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'node:http';

export interface Sample {
  /** When it was sent, milliseconds of `performance.now()`. */
  readonly atMs: number;
  readonly ms: number;
  /** The version that answered; null where the request failed. */
  readonly version: string | null;
}

export class PacedLoad {
  readonly samples: Sample[] = [];
  private readonly url: string;
  private readonly bodies: readonly string[];
  private readonly agent = new Agent({ keepAlive: true });
  private readonly timer: NodeJS.Timeout;
  private readonly startedMs = performance.now();
  private sent = 0;
  private open = 0;

  constructor(url: string, bodies: readonly string[], perSecond: number) {
    this.url = url;
    this.bodies = bodies;
    this.timer = setInterval(() => {
      const due = ((performance.now() - this.startedMs) * perSecond) / 1000;
      while (this.sent < due) this.send();
    }, 1);
  }

  /** Stops sending and waits for what is on its way. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    while (this.open > 0) await sleep(10);
    this.agent.destroy();
  }

  private send(): void {
    const body = this.bodies[this.sent++ % this.bodies.length]!;
    const atMs = performance.now();
    this.open++;
    let isDone = false;
    const done = (version: string | null): void => {
      if (isDone) return; // a connection that breaks within an answer says so twice
      isDone = true;
      this.open--;
      this.samples.push({ atMs, ms: performance.now() - atMs, version });
    };
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request(this.url, { method: 'POST', agent: this.agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.once('close', () => done(response.complete && response.statusCode === 200 ? versionIn(text) : null));
    });
    call.on('error', () => done(null));
    call.end(body);
  }
}

function versionIn(answer: string): string | null {
  return /"version":\s?"([^"]+)"/.exec(answer)?.[1] ?? null;
}
