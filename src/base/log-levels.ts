/**
 * How log lines name their level. `numbers`: `"level":30` (pino). `words`: `"level":"info"`. `severity`:
 * `"severity":"INFO"` (Google Cloud).
 */

export const LOG_LEVEL_FORMS = ['numbers', 'words', 'severity'] as const;
export type LogLevelForm = (typeof LOG_LEVEL_FORMS)[number];

/** Levels whose Google Cloud name is not pino's in capitals. */
const SEVERITIES: Readonly<Record<string, string>> = { trace: 'DEBUG', warn: 'WARNING', fatal: 'CRITICAL' };

/** The member of a log line that has its level. @param number pino's number of the level */
export function describeLevel(form: LogLevelForm, label: string, number: number): object {
  switch (form) {
    case 'numbers':
      return { level: number };
    case 'words':
      return { level: label };
    case 'severity':
      return { severity: SEVERITIES[label] ?? label.toUpperCase() };
  }
}
