/** A steady load of searches that remembers every answer, to be judged afterwards. */
import { Agent, request } from 'node:http';

export interface Sample {
  readonly startedAt: number;
  readonly endedAt: number;
  /** HTTP status; 0 when the connection failed. */
  readonly status: number;
  readonly version: string;
  /** Values of the attribute `generation` over the candidates: one, unless versions were mixed. */
  readonly generations: readonly string[];
  readonly error: string;
}

interface AnswerBody {
  readonly version?: string;
  readonly candidates?: readonly { readonly attributes: { readonly generation: string } }[];
}

export class Load {
  readonly samples: Sample[] = [];
  private stopped = false;
  private readonly loops: Promise<void>[];
  private readonly agent: Agent;

  /** Starts at once: so many connections, each with one request at a time. */
  constructor(
    private readonly port: number,
    connections: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.loops = Array.from({ length: connections }, () => this.loop());
  }

  async stop(): Promise<readonly Sample[]> {
    this.stopped = true;
    await Promise.all(this.loops);
    this.agent.destroy();
    return this.samples;
  }

  private async loop(): Promise<void> {
    for (let i = 0; !this.stopped; i++) this.samples.push(await this.ask(i % 100));
  }

  private ask(id: number): Promise<Sample> {
    const startedAt = Date.now();
    const body = JSON.stringify({ id, k: 20, include: { attributes: ['generation'] } });
    return new Promise((resolve) => {
      const end = (status: number, text: string, error: string) => {
        const answer = (text === '' ? {} : JSON.parse(text)) as AnswerBody;
        const generations = [...new Set((answer.candidates ?? []).map(({ attributes }) => attributes.generation))];
        resolve({ startedAt, endedAt: Date.now(), status, version: answer.version ?? '', generations, error });
      };
      const call = request(
        {
          port: this.port,
          host: '127.0.0.1',
          agent: this.agent,
          method: 'POST',
          path: '/v1/indexes/listings/search',
          headers: { 'content-type': 'application/json', 'content-length': body.length },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.once('end', () => end(response.statusCode!, text, ''));
          response.once('error', (error) => end(0, '', error.message));
        },
      );
      call.once('error', (error) => end(0, '', error.message));
      call.end(body);
    });
  }
}
