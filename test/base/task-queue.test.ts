import { describe, expect, it } from 'vitest';
import { TaskQueue } from '../../src/base/task-queue.js';

/** Tasks that end when they are told to. */
class Tasks {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, (error?: Error) => void>();

  task(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve, reject) => {
        this.ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
    };
  }

  async end(name: string, error?: Error): Promise<void> {
    this.ends.get(name)!(error);
    await new Promise(setImmediate);
  }
}

describe('a task queue', () => {
  it('runs so many at once, and the others in the order in which they came', async () => {
    const tasks = new Tasks();
    const queue = new TaskQueue(2);
    const all = ['a', 'b', 'c', 'd'].map((name) => queue.run(tasks.task(name)));
    await new Promise(setImmediate);
    expect(tasks.begun).toEqual(['a', 'b']);
    await tasks.end('b');
    expect(tasks.begun).toEqual(['a', 'b', 'c']);
    await tasks.end('a');
    expect(tasks.begun).toEqual(['a', 'b', 'c', 'd']);
    for (const name of ['c', 'd']) await tasks.end(name);
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes on after a task that fails, at once or later', async () => {
    const tasks = new Tasks();
    const queue = new TaskQueue(1);
    const thrown = queue.run(() => {
      throw new Error('at once');
    });
    const late = queue.run(tasks.task('late'));
    const last = queue.run(tasks.task('last'));
    await expect(thrown).rejects.toThrow('at once');
    await new Promise(setImmediate);
    const rejected = expect(late).rejects.toThrow('later');
    await tasks.end('late', new Error('later'));
    await rejected;
    await tasks.end('last');
    expect(await last).toBe('last');
  });

  it('does not begin what nobody waits for any more, and does not wait for what runs', async () => {
    const tasks = new Tasks();
    const queue = new TaskQueue(1);
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = queue.run(tasks.task('first'), running.signal);
    const second = queue.run(tasks.task('second'), waiting.signal);
    const third = queue.run(tasks.task('third'));
    waiting.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    running.abort(new Error('late'));
    await expect(first).rejects.toThrow('late');
    expect(tasks.begun).toEqual(['first']); // it has its place until it ends
    await tasks.end('first');
    expect(tasks.begun).toEqual(['first', 'third']);
    await tasks.end('third');
    expect(await third).toBe('third');
    await expect(queue.run(tasks.task('none'), AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
    expect(tasks.begun).toHaveLength(2);
  });
});
