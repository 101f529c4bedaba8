/**
 * Sends generated requests to a server and judges what comes back. Request number i of a seed is the same on every machine and
 * in every run, so that one that fails can be sent again alone.
 */
import { Agent, request as httpRequest } from 'node:http';
import { ERRORS, type ErrorCode } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { pick } from '../retrieve/filter/random-filters.js';
import type { Catalog } from './catalog.js';
import { judge } from './judge.js';
import { BENDS, type Bent } from './mutations.js';
import { makeSearch, type Asked } from './requests.js';
import { JSON_TYPE, decodeResults, encodeRequest, type HttpRequest, type HttpResponse, type Result } from './wire.js';

/** Connections that send at once; below what a server takes before it refuses. */
const CONNECTIONS = 16;

/** Failures after which it stops: more of them say nothing new. */
const MAX_FAILURES = 20;

export interface FuzzOptions {
  readonly port: number;
  readonly catalogs: readonly Catalog[];
  readonly count: number;
  readonly seed: number;
  /** Number of the first request. */
  readonly from?: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzReport {
  /** By status, and for errors by code. */
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

interface Case {
  /** What a 200 must be; null where the request was bent. */
  readonly asked: Asked;
  readonly bent: Bent | null;
  readonly request: HttpRequest;
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { count, seed, from = 0 } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const counts: Record<string, number> = {};
  const failures: string[] = [];
  let next = from;
  const work = async () => {
    while (next < from + count && failures.length < MAX_FAILURES) {
      const number = next++;
      const made = makeCase(options.catalogs, seed, number);
      try {
        const response = await send(agent, options.port, made.request);
        const outcome = check(made, response);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      } catch (error) {
        failures.push(describeFailure(seed, number, made, error));
      }
      if ((number + 1 - from) % 1_000 === 0) options.onProgress?.(number + 1 - from);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  agent.destroy();
  return { counts, failures };
}

/** One in three means what it says. */
function makeCase(catalogs: readonly Catalog[], seed: number, number: number): Case {
  const random = seededRandom(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35));
  const made = makeSearch(random, pick(random, catalogs));
  const request = encodeRequest(random, made);
  if (random() < 1 / 3) return { asked: made.asked, bent: null, request };
  const bent = pick(random, BENDS)(random, made, request);
  return { asked: made.asked, bent, request: bent.request };
}

/** @returns under what it counts. @throws Error saying what is wrong */
function check({ asked, bent, request }: Case, response: HttpResponse): string {
  if (response.status !== 200) return checkRefusal(asked, bent, response);
  if (bent?.mustFail === true) throw new Error('answered what it must refuse');
  if (bent === null) judge(asked, decodeResults(response, asked, isPacked(request, response)));
  else checkLoosely(asked.catalog, request, response);
  return '200';
}

/** Only large answers are packed, and only for those who take it. */
function isPacked(request: HttpRequest, { body }: HttpResponse): boolean {
  return request.headers['accept-encoding'] === 'gzip' && body[0] === 0x1f && body[1] === 0x8b;
}

/** A refusal is problem details whose code belongs to its status, and never a bug. */
function checkRefusal(asked: Asked, bent: Bent | null, response: HttpResponse): string {
  const { status, type, body } = response;
  if (!type.startsWith('application/problem+json')) throw new Error(`${status} without problem details`);
  const problem = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  const code = problem['code'] as ErrorCode;
  if (!Object.hasOwn(ERRORS, code) || ERRORS[code].status !== status || problem['status'] !== status) {
    throw new Error(`${status} with the code ${code}`);
  }
  if (status >= 500 && !(status === 504 && mayTakeLong(asked, bent))) throw new Error(`${status} ${code}`);
  if (bent === null && !asked.refusals.includes(code)) throw new Error(`refused: ${String(problem['detail'])}`);
  if (typeof problem['detail'] !== 'string' || typeof problem['request_id'] !== 'string') throw new Error('no detail');
  return `${status} ${code}`;
}

/** Bent time limits are short by chance. */
function mayTakeLong(asked: Asked, bent: Bent | null): boolean {
  return bent !== null || asked.refusals.includes('deadline_exceeded');
}

/** What holds of every answer, whatever was asked. */
function checkLoosely(catalog: Catalog, request: HttpRequest, { type, body }: HttpResponse): void {
  if (request.method !== 'POST' || !type.startsWith(JSON_TYPE) || body[0] === 0x1f) return;
  const answer = JSON.parse(body.toString('utf8')) as Result & { results?: Result[] };
  for (const { candidates, quality, error } of answer.results ?? [answer]) {
    if (error !== undefined) continue;
    const ids = new Set(candidates.map(({ id }) => id));
    if (ids.size !== candidates.length || candidates.some(({ id }) => !catalog.ordinals.has(id)))
      throw new Error('ids');
    if (candidates.some(({ score }, i) => i > 0 && score > candidates[i - 1]!.score)) throw new Error('order');
    if (quality.short === null && candidates.length === 0) throw new Error('nothing, and not short');
  }
}

function send(agent: Agent, port: number, { method, path, headers, body }: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(body.length) };
    const sent = httpRequest({ agent, port, host: '127.0.0.1', method, path, headers: { ...headers, ...length } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const type = answer.headers['content-type'] ?? '';
        resolve({ status: answer.statusCode!, type, body: Buffer.concat(parts) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
} // prettier-ignore

/** How much of a body a failure shows. */
const SHOWN = 1_500;

function describeFailure(seed: number, number: number, { bent, request }: Case, error: unknown): string {
  const { method, path, headers, body } = request;
  const shown = headers['content-type'] === JSON_TYPE ? body.toString('utf8') : body.toString('base64');
  return [
    `request ${number} of seed ${seed} (${bent?.what ?? 'as it should be'}): ${error instanceof Error ? error.message : String(error)}`,
    `  ${method} ${path.slice(0, SHOWN)} ${JSON.stringify(headers)}`,
    `  ${shown.slice(0, SHOWN)}`,
    `  again: npm run test:fuzz -- 1 ${seed} ${number}`,
  ].join('\n');
}
