/** Answers requests from servers that hold shards. It holds no vectors, ids or attributes itself. */
import type { Names } from '../../retrieve/load/live.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { Answers } from '../answer/answers.js';
import { attributeNames, itemHead } from '../answer/candidate-text.js';
import { openAnswers } from '../answer/open-answers.js';
import { readHydrateAnswer, writeHydrateRequest } from '../fleet/rows-message.js';
import { REQUEST_ID_HEADER } from '../request/head.js';
import type { Include } from '../request/search-request.js';
import { TimeLimit } from '../request/time-limit.js';
import type { TimeSlicer } from '../request/time-slicer.js';
import {
  JSON_TYPE,
  type AnsweredSearch,
  type AskedItem,
  type AskedSearch,
  type Backend,
  type RequestState,
} from '../worker/context.js';
import { unknownIdError, type Prepared } from '../worker/prepare-queries.js';
import type { Fleet } from './fleet.js';
import { FleetRequest } from './fleet-request.js';
import type { FleetVersion } from './fleet-version.js';
import { FoundRows } from './found-rows.js';
import { hydrate, withKnownIds } from './hydrate.js';
import { prepareRequest } from './prepare-request.js';
import { searchRequest } from './request-search.js';

/** What is kept of a request's time, if partial answers are allowed, to fetch what candidates show. */
const HYDRATING_SHARE = 0.2;
const MAX_HYDRATING_MS = 50;

export class GatewayBackend implements Backend {
  constructor(
    private readonly fleet: Fleet,
    private readonly slicer: TimeSlicer,
    private readonly requestTimeoutMs: number,
  ) {}

  names(): readonly string[] {
    return this.fleet.names();
  }

  namesOf(index: string): Names {
    return this.fleet.namesOf(index);
  }

  loaded(): ReturnType<Backend['loaded']> {
    return this.fleet.loaded();
  }

  manifestOf(index: string): Manifest {
    return this.fleet.versionOf(index).manifest;
  }

  calibrationOf(index: string, version: string): Promise<unknown> {
    return Promise.resolve(this.fleet.versionOf(index, version).facts.calibration);
  }

  /** They would need data of items. */
  examplesOf(): null {
    return null;
  }

  async search({ index, request: asked, type, state, limit, started }: AskedSearch): Promise<AnsweredSearch> {
    const version = this.fleet.versionOf(index, asked.version);
    const { options, allowPartial, include } = asked;
    const attributes = namesOf(version, include, '/include/attributes');
    const showsMore = attributes !== null || include.vectors;
    const terms = { limit: allowPartial && showsMore ? shortenLimit(limit) : limit, ...termsOf(state, allowPartial) };
    const request = new FleetRequest(version, options, terms);
    const found = new FoundRows();
    const { slicer } = this;
    const searched = await searchRequest(request, asked, { found, withIds: !showsMore, slicer });
    request.limit = limit;
    const form = type === JSON_TYPE ? 'text' : 'arrow';
    const { source, answers } = showsMore
      ? await hydrate(request, found, searched.answers, { attributes, vectors: include.vectors }, form, slicer)
      : await withKnownIds(request, found, searched.answers, slicer);
    const { single } = searched;
    const output = openAnswers(source, asked, { type, single, memory: state.memory.claim(), slicer, limit });
    fillAnswers(output, searched.queries, answers);
    const seconds = (performance.now() - started) / 1000;
    for (const answer of answers)
      if (answer !== null)
        state.observer.metrics.searchDone(index, answer.quality, answer.ordinals.length, seconds / answers.length);
    const took = () => Math.round((performance.now() - started) * 1000) / 1000;
    const pieces = await output.finish(took);
    const { version: name } = version.manifest;
    return { pieces, facts: { index, version: name, queries: answers.length, k: options.k, took_ms: took() } };
  }

  async item({ index, id, version: name, include, state }: AskedItem): Promise<Buffer> {
    const version = this.fleet.versionOf(index, name);
    const attributes = namesOf(version, include, '/include.attributes') ?? [];
    const limit = new TimeLimit({ destroyed: state.isOver }, performance.now() + this.requestTimeoutMs);
    state.limit = limit;
    try {
      const request = new FleetRequest(version, {}, { limit, ...termsOf(state, false) });
      const item = (await prepareRequest(request, { kind: 'ids', ids: [id] }, { k: 1 })).items.get(id);
      if (item === undefined) throw unknownIdError(version.manifest, id);
      const asked = {
        form: 'text',
        attributes,
        vectors: include.vectors,
        ordinals: Uint32Array.of(item.ordinal),
      } as const;
      const group = version.groupOf(item.shard);
      const read = (bytes: Buffer) => readHydrateAnswer(bytes, 1, 'text', version.idType);
      const answer = await request.ask(group, 'hydrate', writeHydrateRequest(asked), read);
      return Buffer.concat([Buffer.from(itemHead(version.manifest, id)), answer!.extras, Buffer.from('}')]);
    } finally {
      limit.clear();
    }
  }
}

/** The attributes to show; null for none. @throws unknown_attribute */
function namesOf(version: FleetVersion, { attributes }: Include, field: string): readonly string[] | null {
  return attributes === null ? null : attributeNames(version, attributes, field);
}

function termsOf(state: RequestState, allowPartial: boolean) {
  const { id, traceparent } = state;
  const headers = { [REQUEST_ID_HEADER]: id, ...(traceparent !== undefined && { traceparent }) };
  return { allowPartial, headers, memory: state.memory.claim() };
}

/** Ends a little earlier than the limit, and with it. */
function shortenLimit(limit: TimeLimit): TimeLimit {
  const kept = Math.min(MAX_HYDRATING_MS, HYDRATING_SHARE * limit.remainingMs);
  const shorter = new TimeLimit({ destroyed: false }, performance.now() + limit.remainingMs - kept);
  limit.signal.addEventListener('abort', () => shorter.clientLeft());
  return shorter;
}

function fillAnswers(output: Answers, queries: readonly Prepared[], answers: readonly (Answer | null)[]): void {
  for (const [position, query] of queries.entries()) {
    if ('error' in query) output.fail(position, query.error);
    else output.add(position, answers[position]!);
  }
}
