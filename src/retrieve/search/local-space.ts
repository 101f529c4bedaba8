/** The shards of this process as a search space. */
import { Bitset } from '../../base/bitset.js';
import type { Work } from '../../base/work.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { copyAllowed, countAllowed, type AllowedRows, type PassingRows } from './allowed-rows.js';
import { LocalFacts } from './local-facts.js';
import type { LocalShards } from './local-shards.js';
import type { SearchPlan } from './search-plan.js';
import type { SearchSpace } from './search-space.js';

export class LocalSpace implements SearchSpace<SearchPlan> {
  readonly sizes: readonly number[];
  readonly facts: LocalFacts;

  constructor({ shards }: Pick<LocalShards, 'shards'>) {
    this.sizes = shards.map(({ ordinals }) => ordinals.length);
    this.facts = new LocalFacts(shards);
  }

  allowed(plan: SearchPlan, shard: number): number {
    return countAllowed(plan, shard, this.sizes[shard]!);
  }

  *leaveOut(plan: SearchPlan, values: readonly JsonValue[]): Work<SearchPlan> {
    const full = yield* plan.crowding!.rowsOf(values);
    return full === null ? plan : { ...plan, ...this.without(plan, full) };
  }

  /** New sets of the allowed rows, without the rows to skip. */
  private without(plan: SearchPlan, full: readonly PassingRows[]): AllowedRows {
    const passing = this.sizes.map((size, shard) => {
      const rows = copyAllowed(plan, shard, size) ?? Bitset.full(size);
      const { words } = full[shard]!;
      for (let i = 0; i < words.length; i++) rows.words[i]! &= ~words[i]!;
      return { words: rows.words, count: rows.count(), list: plan.passing?.[shard]!.list };
    });
    return { passing, excluded: this.sizes.map(() => []), selfMatches: [] };
  }
}
