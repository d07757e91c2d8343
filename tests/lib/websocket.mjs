// RFC 6455 by hand, on a plain socket: for frames that no well-behaved library would send.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Connection } from './http.mjs';
import { faultOfHub } from './schema.mjs';

export const TEXT = 1;
export const BINARY = 2;
export const CONTINUATION = 0;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** RFC 6455 section 4.2.2: what the server proves that it has understood the key with. @param {string} key */
export const acceptOf = (key) => createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');

/**
 * The request that opens a WebSocket.
 * @param {{ host: string, path?: string, key?: string, method?: string, version?: string, http?: string,
 *           headers?: [string, string][], without?: string[] }} how
 */
export function openingRequest({ host, path = '/ws', key = 'dGhlIHNhbXBsZSBub25jZQ==', method = 'GET', version = '13', http = '1.1', headers = [], without = [] }) {
  /** @type {[string, string][]} */
  const all = [['Host', host], ['Upgrade', 'websocket'], ['Connection', 'Upgrade'], ['Sec-WebSocket-Key', key], ['Sec-WebSocket-Version', version], ...headers];
  return `${method} ${path} HTTP/${http}\r\n` + all.filter(([n]) => !without.includes(n)).map(([n, v]) => `${n}: ${v}\r\n`).join('') + '\r\n';
}

/**
 * One frame as bytes.
 * @param {{ opcode?: number, payload?: string | Buffer, fin?: boolean, rsv?: number, masked?: boolean, declared?: bigint | number, wide?: boolean }} frame
 *   declared: another length than the payload's; wide: spell the length in 8 bytes
 */
export function frameBytes({ opcode = TEXT, payload = Buffer.alloc(0), fin = true, rsv = 0, masked = true, declared, wide = false }) {
  const data = Buffer.isBuffer(payload) ? payload : Buffer.from(payload, 'utf8');
  const length = BigInt(declared ?? data.length);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (!wide && length < 126n) head.push(mask | Number(length));
  else if (!wide && length < 65536n) head.push(mask | 126, Number(length >> 8n), Number(length & 255n));
  else {
    head.push(mask | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((length >> shift) & 255n));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  const key = randomBytes(4);
  const hidden = Buffer.from(data);
  for (let i = 0; i < hidden.length; i++) hidden[i] ^= key[i & 3];
  return Buffer.concat([Buffer.from(head), key, hidden]);
}

/** @param {number} code @param {string | Buffer} [reason] */
export function closePayload(code, reason = '') {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** @typedef {{ opcode: number, fin: boolean, rsv: number, payload: Buffer }} Frame */

/** A WebSocket whose every frame is ours to spell. */
export class RawWebSocket {
  /** @param {Connection} connection */
  constructor(connection) {
    this.connection = connection;
    /** @type {number | undefined} */
    this.closeCode = undefined;
  }

  /**
   * @param {{ port?: number, host?: string }} server
   * @param {Partial<Parameters<typeof openingRequest>[0]>} [how]
   */
  static async open(server, how = {}) {
    const connection = await new Connection(/** @type {number} */ (server.port)).open();
    connection.write(openingRequest({ host: /** @type {string} */ (server.host), ...how }));
    const response = await connection.response({ check: false });
    assert.equal(response.status, 101, `the opening handshake:\n${response.head}${response.body}`);
    return new RawWebSocket(connection);
  }

  /** @param {Parameters<typeof frameBytes>[0]} frame */
  frame(frame) {
    this.connection.write(frameBytes(frame));
    return this;
  }

  /** @param {unknown} message  a string is sent as it is, anything else as JSON */
  send(message) {
    return this.frame({ payload: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  /** The next frame, or undefined at the end of the connection. @param {number} [ms] @returns {Promise<Frame | undefined>} */
  async next(ms) {
    const { connection } = this;
    const { frame } = await connection.changes.until(() => {
      const buffer = connection.input;
      const got = parseFrame(buffer);
      if (got) {
        connection.input = buffer.subarray(got.size);
        return { frame: got.frame };
      }
      return connection.ended ? { frame: undefined } : undefined;
    }, 'a frame', ms);
    return frame;
  }

  /** The next message as an object; anything but a text frame is an error. */
  async message() {
    const frame = await this.next();
    assert.ok(frame, 'the connection ended where a message was expected');
    assert.equal(frame.opcode, TEXT, `a text frame was expected: opcode ${frame.opcode} ${frame.payload.toString('latin1')}`);
    assert.ok(frame.fin && frame.rsv === 0);
    const message = JSON.parse(frame.payload.toString('utf8'));
    const fault = faultOfHub(message);
    assert.ok(!fault, `the hub keeps to the schema: ${fault}`);
    return message;
  }

  /**
   * Reads on until the connection ends and gives the code of the close frame: 1006 if there was none.
   * @param {number} [ms]
   * @param {{ answer?: boolean }} [how]  answer: echo the close frame, as a client has to (RFC 6455 section 5.5.1)
   */
  async closed(ms, { answer = true } = {}) {
    for (;;) {
      const frame = await this.next(ms);
      if (!frame) return this.closeCode ?? 1006;
      if (frame.opcode !== CLOSE) continue;
      assert.equal(this.closeCode, undefined, 'one close frame, not two');
      assert.ok(frame.payload.length !== 1 && frame.payload.length <= 125, 'a well-formed close frame');
      this.closeCode = frame.payload.length ? frame.payload.readUInt16BE(0) : 1005;
      if (answer && !this.connection.ended) this.frame({ opcode: CLOSE, payload: frame.payload.subarray(0, 2) });
    }
  }

  destroy() {
    this.connection.destroy();
  }
}

/** @param {Buffer} buffer @returns {{ frame: Frame, size: number } | undefined} */
export function parseFrame(buffer) {
  if (buffer.length < 2) return undefined;
  assert.equal(buffer[1] & 0x80, 0, 'a server does not mask (RFC 6455 section 5.1)');
  let length = buffer[1] & 0x7f;
  let at = 2;
  if (length === 126) {
    if (buffer.length < 4) return undefined;
    length = buffer.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (buffer.length < 10) return undefined;
    length = Number(buffer.readBigUInt64BE(2));
    at = 10;
  }
  if (buffer.length < at + length) return undefined;
  return {
    frame: { fin: (buffer[0] & 0x80) !== 0, rsv: (buffer[0] >> 4) & 7, opcode: buffer[0] & 15, payload: buffer.subarray(at, at + length) },
    size: at + length,
  };
}
