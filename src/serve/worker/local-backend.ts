/** Answers requests from the versions in this process. */
import type { ExactSearch } from '../../engine/exact-search.js';
import { findCalibration } from '../../retrieve/load/calibration.js';
import type { Lease, LiveIndexes, Names } from '../../retrieve/load/live.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { attributeNames, extraWriters, itemHead } from '../answer/candidate-text.js';
import { checkAnswerSize } from '../answer/answers.js';
import { openAnswers, versionSource } from '../answer/open-answers.js';
import { TextBytes } from '../answer/text-bytes.js';
import type { TimeSlicer } from '../request/time-slicer.js';
import type { AnsweredSearch, AskedItem, AskedSearch, Backend } from './context.js';
import { isSingleAnswer, prepareQueries, unknownIdError } from './prepare-queries.js';
import { limitPool, retainAll } from './request-resources.js';
import { exampleSearches, type IndexExamples } from './routes/examples.js';
import { runQueries } from './run-queries.js';
import type { Scheduler } from './scheduler.js';

export class LocalBackend implements Backend {
  constructor(
    private readonly root: string,
    private readonly live: LiveIndexes,
    private readonly pool: ExactSearch,
    private readonly scheduler: Scheduler,
    private readonly slicer: TimeSlicer,
  ) {}

  names(): readonly string[] {
    return this.live.names();
  }

  namesOf(index: string): Names {
    return this.live.namesOf(index);
  }

  loaded(): ReturnType<Backend['loaded']> {
    return this.live.loaded();
  }

  manifestOf(index: string): Manifest {
    return this.withLease(index, undefined, ({ version }) => version.manifest);
  }

  async calibrationOf(index: string, version: string): Promise<unknown> {
    return (await findCalibration(this.root, index, version)).calibration;
  }

  examplesOf(index: string): IndexExamples | null {
    return this.withLease(index, undefined, ({ version }) => exampleSearches(version));
  }

  async search({ index, request, type, state, limit, started }: AskedSearch): Promise<AnsweredSearch> {
    const { scheduler, slicer } = this;
    const lease = this.live.lease(index, request.version);
    const { version } = lease;
    const held = retainAll([state.slot, state.memory], () => lease.release());
    try {
      const { options, include } = request;
      const queries = await slicer.run(prepareQueries(version, request));
      const single = isSingleAnswer(request.batch, queries.length);
      const [first] = queries;
      if (single && first !== undefined && 'error' in first) throw first.error;
      checkAnswerSize(version.manifest, queries.length, options.k, include);
      const answers = openAnswers(versionSource(version, include), request, {
        type,
        single,
        slicer,
        limit,
        memory: state.memory.claim(),
      });
      const pool = limitPool(this.pool, limit, held);
      const { metrics } = state.observer;
      await runQueries({ scheduler, metrics, version, request, limit, pool, answers }, queries);
      const took = () => Math.round((performance.now() - started) * 1000) / 1000;
      const pieces = await answers.finish(took);
      const facts = {
        index,
        version: version.manifest.version,
        queries: queries.length,
        k: options.k,
        took_ms: took(),
      };
      return { pieces, facts };
    } finally {
      held.release();
    }
  }

  item({ index, id, version: name, include }: AskedItem): Promise<Buffer> {
    const text = this.withLease(index, name, ({ version }) => {
      const ordinal = version.ordinalOf(id);
      if (ordinal < 0) throw unknownIdError(version.manifest, id);
      const shown = attributeNames(version, include.attributes ?? [], '/include.attributes');
      const out = new TextBytes();
      out.utf8(itemHead(version.manifest, id));
      for (const write of extraWriters(version, { ...include, attributes: shown })) write(ordinal, out);
      out.ascii('}');
      return out.copy();
    });
    return Promise.resolve(text);
  }

  private withLease<T>(index: string, version: string | undefined, use: (lease: Lease) => T): T {
    const lease = this.live.lease(index, version);
    try {
      return use(lease);
    } finally {
      lease.release();
    }
  }
}
