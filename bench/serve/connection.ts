/**
 * A keep-alive connection with one request at a time. Writes prepared bytes and parses only status and length of an
 * answer, so that the load driver takes little of the cores it shares with the server: node:http takes three times as
 * long per request as the server itself.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

const HEAD_END = '\r\n\r\n';

export class Connection {
  private readonly socket: Socket;
  private received: Buffer[] = [];
  private receivedBytes = 0;
  /** Bytes of the answer with its head; 0 until the head has come. */
  private expectedBytes = 0;
  private headBytes = 0;
  private status = 0;
  private waiting: Waiting | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.take(bytes));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Connection(socket);
  }

  /** @param request head and body */
  send(request: Buffer): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.waiting = null;
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    this.received.push(bytes);
    this.receivedBytes += bytes.length;
    if (this.expectedBytes === 0 && !this.readHead()) return;
    if (this.receivedBytes < this.expectedBytes) return;
    const whole = Buffer.concat(this.received);
    const reply = { status: this.status, body: whole.subarray(this.headBytes, this.expectedBytes) };
    const { waiting } = this;
    this.received = [];
    this.receivedBytes = this.expectedBytes = 0;
    this.waiting = null;
    waiting?.resolve(reply);
  }

  private readHead(): boolean {
    const whole = Buffer.concat(this.received);
    this.received = [whole];
    const end = whole.indexOf(HEAD_END);
    if (end === -1) return false;
    const head = whole.toString('latin1', 0, end);
    this.status = Number(head.slice(9, 12));
    this.headBytes = end + HEAD_END.length;
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    if (length === undefined) {
      this.fail(new Error(`an answer without a length: ${head}`));
      return false;
    }
    this.expectedBytes = this.headBytes + Number(length);
    return true;
  }

  private fail(error: Error): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.reject(error);
  }
}
