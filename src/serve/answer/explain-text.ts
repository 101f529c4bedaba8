/** An explanation as JSON text, with scores written as in candidates. */
import { shortestFloat32 } from '../../base/float32.js';
import type { Explain } from '../../wire/answers.js';

export function explainText(explain: Explain): string {
  const { why_not: reasons } = explain;
  if (reasons === undefined) return JSON.stringify(explain);
  const whyNot = reasons.map((reason) =>
    reason.score === undefined ? reason : { ...reason, score: shortestFloat32(reason.score) },
  );
  return JSON.stringify({ ...explain, why_not: whyNot });
}
