import { describe, expect, it } from 'vitest';
import { formatLine, lineForm, type LineForm } from '../../src/cli/output/log-line.js';
import { formatBytes, formatDuration, Progress } from '../../src/cli/output/progress.js';
import { formatTable } from '../../src/cli/output/table.js';

class Screen {
  text = '';
  constructor(
    readonly isTTY: boolean,
    readonly columns = 80,
  ) {}
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  /** What a terminal shows: carriage returns and erasures done. */
  get lines(): string[] {
    return this.text.split('\n').map((line) => line.split('\r\x1b[2K').at(-1)!);
  }
}

function progressOn(
  screen: Screen,
  enabled = true,
  form: LineForm = 'text',
): { progress: Progress; advance: (ms: number) => void } {
  let now = 0;
  return { progress: new Progress(screen, enabled, form, () => now), advance: (ms) => (now += ms) };
}

describe('progress', () => {
  it('on a terminal redraws one line with a bar, rate and time left, and ends it at the end', () => {
    const screen = new Screen(true);
    const { progress, advance } = progressOn(screen);
    progress.update('ingest', 0, 1000, 'rows');
    for (const done of [250, 500]) {
      advance(1000);
      progress.update('ingest', done, 1000, 'rows');
    }
    expect(screen.lines).toEqual([
      expect.stringMatching(
        /^ingest\s+█{5}░{5}\s+50%\s+500\/1,000 rows\s+250\/s\s+2\.0 s left\s+memory [\d.]+ [MG]iB$/,
      ),
    ]);
    advance(2000);
    progress.update('ingest', 1000, 1000, 'rows');
    expect(screen.lines).toEqual([expect.stringContaining('100%'), '']);
  });

  it('fits a terminal of 80 columns with millions of rows and gigabytes', () => {
    for (const [done, total, unit] of [
      [690_700, 1_500_000, 'rows'],
      [49_133_622_000, 90_133_622_000, 'bytes'],
    ] as const) {
      const screen = new Screen(true);
      const { progress, advance } = progressOn(screen);
      progress.update('ingest', 0, total, unit);
      advance(6500);
      progress.update('ingest', done, total, unit);
      expect(screen.lines[0]).toMatch(/ left(  memory [\d.]+ [MG]iB)?$/);
      expect(screen.lines[0]!.length).toBeLessThan(80);
    }
  });

  it('never wraps: a line is cut at the width of the terminal', () => {
    const screen = new Screen(true, 30);
    const { progress, advance } = progressOn(screen);
    advance(200);
    progress.update('ingest', 1, 2, 'rows');
    expect(screen.lines[0]!.length).toBeLessThan(30);
  });

  it('elsewhere writes a plain line every few seconds and one at the end', () => {
    const screen = new Screen(false);
    const { progress, advance } = progressOn(screen);
    for (let done = 0; done <= 120; done++) {
      progress.update('graph', done, 120, 'rows');
      advance(100);
    }
    expect(screen.lines.filter((line) => line !== '')).toHaveLength(3);
    expect(screen.text).not.toContain('\x1b');
    expect(screen.lines.at(-2)).toMatch(/graph: 100%.* memory [\d.]+ [MG]iB$/);
  });

  it('is a JSON object a line for a program', () => {
    const screen = new Screen(false);
    const { progress, advance } = progressOn(screen, true, 'json');
    progress.update('graph', 0, 120, 'rows');
    advance(6000);
    progress.update('graph', 40, 120, 'rows');
    const line = JSON.parse(screen.text) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 30, stage: 'graph', done: 40, total: 120, unit: 'rows', rate: 6.7, seconds: 6, eta_seconds: 12, msg: expect.stringMatching(/^graph: 33%/) as string }); // prettier-ignore
    expect(line['rss_bytes']).toBeGreaterThan(1e6);
  });

  it('says the end of a stage once, and again when the stage runs again', () => {
    const screen = new Screen(false);
    const { progress } = progressOn(screen);
    for (const done of [2, 2, 2, 0, 2]) progress.update('verify', done, 2, 'bytes');
    expect(screen.text.match(/100%/g)).toHaveLength(1);
    progress.update('recall', 1, 1, 'queries');
    progress.update('verify', 2, 2, 'bytes');
    expect(screen.text.match(/verify: 100%/g)).toHaveLength(2);
  });

  it('starts each stage on a line of its own', () => {
    const screen = new Screen(true);
    const { progress, advance } = progressOn(screen);
    advance(200);
    progress.update('ingest', 1, 2, 'rows');
    progress.update('graph', 1, 2, 'rows');
    expect(screen.lines.map((line) => line.split(' ')[0])).toEqual(['ingest', 'graph']);
  });

  it('is silent when it is not wanted', () => {
    const screen = new Screen(true);
    progressOn(screen, false).progress.update('ingest', 1, 1, 'rows');
    expect(screen.text).toBe('');
  });
});

describe('tables', () => {
  const columns = [
    { title: 'name', value: (row: { name: string; n: number }) => row.name },
    { title: 'n', value: (row: { name: string; n: number }) => String(row.n), align: 'right' as const },
  ];
  it('align text left and numbers right below a rule', () => {
    expect(formatTable(columns, [{ name: 'a', n: 10 }, { name: 'bcdef', n: 5 }])).toBe('name    n\n─────  ──\na      10\nbcdef   5'); // prettier-ignore
  });
  it('count wide and combined characters as a terminal draws them', () => {
    const [, , wide, narrow] = formatTable(columns, [{ name: '漆器', n: 1 }, { name: 'e\u0301\u0301ab', n: 2 }]).split('\n'); // prettier-ignore
    expect(wide).toBe('漆器  1');
    expect(narrow).toBe('e\u0301\u0301ab   2');
  });
  it('that are too wide fold titles first, then texts, and never numbers or what is of use only whole', () => {
    const row = { name: 'a-long-alias-without-a-space and more', version: '20260101T000000Z-00000000', n: 1234567 };
    const wide = [
      { title: 'name', value: (each: typeof row) => each.name },
      { title: 'version', value: (each: typeof row) => each.version, noWrap: true },
      { title: 'rows of it', value: (each: typeof row) => String(each.n), align: 'right' as const },
    ];
    const lines = formatTable(wide, [row], 56).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(56);
    expect(lines.join('\n')).toContain(row.version);
    expect(lines.join('\n')).toContain('1234567');
    expect(lines.map((line) => line.slice(0, 20).trim()).join('')).toContain('a-long-alias-without');
    expect(formatTable(wide, [row], Infinity).split('\n')).toHaveLength(3);
  });
  it('that cannot be folded so far give each row a block', () => {
    const many = Array.from({ length: 9 }, (_, i) => ({ title: `column ${i}`, value: () => 'some words of text' }));
    const lines = formatTable(many, [{}, {}], 40).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(lines.filter((line) => line.startsWith('column 3  some words'))).toHaveLength(2);
  });
  it('show control characters as dots, so that data cannot steer the terminal', () => {
    expect(formatTable(columns, [{ name: 'x\x1b[31m\n', n: 1 }])).toContain('x·[31m·');
  });
});

describe('lines on stderr', () => {
  const now = new Date('2026-01-02T03:04:05.678Z');
  const text = (stream: Partial<Screen>, line: string): string =>
    formatLine({ write: () => true, ...stream }, 'text', { level: 'info', text: line }, now);

  it('have the time in a log, each of them', () => {
    expect(text({}, 'a\nb')).toBe('2026-01-02T03:04:05.678Z a\n2026-01-02T03:04:05.678Z b\n');
  });
  it('are folded at a terminal between words, as far in as they begin', () => {
    const line = text({ isTTY: true, columns: 20 }, '  some words that are too many');
    expect(line).toBe('  some words that\n  are too many\n');
  });
  it('keep numbers and their units together', () => {
    const line = text({ isTTY: true, columns: 14 }, 'graph took 3.2 s, seal 0.1 s');
    expect(line).toBe('graph took\n3.2 s, seal\n0.1 s\n');
  });
  it('are JSON where a log level was named and no person looks', () => {
    expect(lineForm(true, { isTTY: false })).toBe('json');
    expect(lineForm(true, { isTTY: true })).toBe('text');
    expect(lineForm(false, { isTTY: false })).toBe('text');
    const members = { code: 'no_rows' };
    const line = formatLine({ write: () => true }, 'json', { level: 'error', text: 'a\nb', members }, now);
    expect(line).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(line)).toEqual({
      level: 50,
      time: now.toISOString(),
      pid: process.pid,
      code: 'no_rows',
      msg: 'a\nb',
    });
  });
});

describe('numbers for people', () => {
  it.each([[0.04, '0.0 s'], [9.94, '9.9 s'], [45.2, '45 s'], [605, '10 min 5 s'], [86400, '24 h 0 min']] as const)('%d seconds are %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  }); // prettier-ignore
  it.each([[0, '0 B'], [1023, '1023 B'], [1024, '1.00 KiB'], [1536 * 1024 * 1024, '1.50 GiB']] as const)('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  }); // prettier-ignore
});
