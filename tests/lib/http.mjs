// HTTP/1.1 over a plain socket: the tests decide over every byte that is sent and see every byte that comes back.
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { isSecurePort } from './ports.mjs';
import { Changes } from './wait.mjs';

/** SECURITY: what every response of the public port carries, byte for byte. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; " +
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'permissions-policy':
    'camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), autoplay=(self), picture-in-picture=(self), ' +
    'screen-wake-lock=(self), speaker-selection=(self), geolocation=(), usb=(), serial=(), hid=(), bluetooth=(), midi=(), payment=(), ' +
    'publickey-credentials-get=(), browsing-topics=()',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** @typedef {ReturnType<typeof parseHead>} Head */
/** @typedef {Head & { body: Buffer, raw: Buffer }} Response */

/** @param {string} text  up to and including the empty line */
function parseHead(text) {
  const [line, ...fields] = text.slice(0, -4).split('\r\n');
  const match = /^HTTP\/1\.([01]) (\d{3}) (.*)$/.exec(line);
  assert.ok(match, `not a status line: ${JSON.stringify(line)}`);
  /** @type {[string, string][]} */
  const list = fields.map((field) => {
    const colon = field.indexOf(':');
    assert.ok(colon > 0, `not a header field: ${JSON.stringify(field)}`);
    assert.match(field.slice(0, colon), /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name is a token');
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
  });
  return {
    minor: Number(match[1]),
    status: Number(match[2]),
    reason: match[3],
    head: text,
    fields: list,
    /** The value of a header that is there at most once. @param {string} name */
    header(name) {
      const values = list.filter(([n]) => n === name.toLowerCase()).map(([, v]) => v);
      assert.ok(values.length <= 1, `header ${name} is there ${values.length} times`);
      return values[0];
    },
  };
}

/** @param {Buffer} buffer @param {number} from @returns {{ body: Buffer, end: number } | undefined} */
function readChunked(buffer, from) {
  const parts = [];
  let at = from;
  for (;;) {
    const eol = buffer.indexOf('\r\n', at);
    if (eol < 0) return undefined;
    const size = parseInt(buffer.toString('latin1', at, eol), 16);
    assert.ok(Number.isInteger(size), 'a chunk begins with its size');
    const start = eol + 2;
    if (buffer.length < start + size + 2) return undefined;
    parts.push(buffer.subarray(start, start + size));
    at = start + size + 2;
    if (size === 0) return { body: Buffer.concat(parts), end: at };
  }
}

/** One connection of the tests: over TCP, and TLS on it where the port speaks that, or through a socket file. */
export class Connection {
  /** @param {number | string} port  or the path of a socket file @param {string} [address] @param {tls.ConnectionOptions | false} [secure]  options of TLS; false: never TLS */
  constructor(port, address = '127.0.0.1', secure = isSecurePort(port) ? {} : false) {
    this.changes = new Changes();
    /** @type {Buffer} what has come and was not read yet */
    this.input = Buffer.alloc(0);
    this.ended = false;
    this.reset = false;
    this.opened = false;
    this.accepted = false;
    /** The connection below TLS: a reset is its matter. */
    this.wire = typeof port === 'string' ? net.connect({ path: port }) : net.connect({ port, host: address, noDelay: true });
    this.wire.on('connect', () => (this.accepted = true));
    this.socket = secure ? tls.connect({ socket: this.wire, rejectUnauthorized: false, ...secure }) : this.wire;
    if (secure) this.socket.resetAndDestroy = () => /** @type {any} */ (this.wire.resetAndDestroy());
    this.socket.on(secure ? 'secureConnect' : 'connect', () => {
      this.opened = true;
      this.changes.changed();
    });
    this.socket.on('data', (data) => {
      this.input = this.input.length ? Buffer.concat([this.input, data]) : data;
      this.changes.changed();
    });
    this.socket.on('error', () => {
      this.reset = true;
      this.changes.changed();
    });
    this.socket.on('end', () => {
      this.ended = true;
      this.changes.changed();
    });
    this.socket.on('close', () => {
      this.ended = true;
      this.changes.changed();
    });
  }

  async open() {
    await this.changes.until(() => {
      if (!this.opened && this.accepted && this.ended) return true; // before TLS began: accepted and closed
      if (!this.opened && this.ended) throw new Error('the connection was refused');
      return this.opened;
    }, 'a TCP connection');
    return this;
  }

  /** @param {string | Buffer} bytes  a string is sent as latin1: one character, one byte */
  write(bytes) {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Waits until the other side has closed, and gives what came before and was not read. @param {number} [ms] */
  async closed(ms) {
    await this.changes.until(() => this.ended, () => `the end of the connection (unread: ${JSON.stringify(this.input.toString('latin1').slice(0, 200))})`, ms);
    return this.input;
  }

  /**
   * Reads one response.
   * @param {{ method?: string, check?: boolean, cut?: boolean, ms?: number }} [how]
   *   check: demand the security headers (the default)
   *   cut: a body that a reset of the connection has cut is all right. Who closes a connection with unread input on it
   *   resets it, and what was under way to the client may be lost (RFC 9112 section 9.6, F7).
   * @returns {Promise<Response>}
   */
  async response({ method = 'GET', check = true, cut = false, ms } = {}) {
    const response = await this.changes.until(() => {
      const end = this.input.indexOf('\r\n\r\n');
      if (end < 0) {
        if (this.ended) {
          throw new Error(`the connection ended ${this.reset ? 'by a reset ' : ''}before a response: ${JSON.stringify(this.input.toString('latin1').slice(0, 400))}`);
        }
        return undefined;
      }
      const head = parseHead(this.input.toString('latin1', 0, end + 4));
      const start = end + 4;
      /** @param {Buffer} body @param {number} stop */
      const done = (body, stop) => {
        const raw = this.input.subarray(0, stop);
        this.input = this.input.subarray(stop);
        return { ...head, body, raw };
      };
      if (method === 'HEAD' || head.status === 304 || head.status === 204 || head.status < 200) return done(Buffer.alloc(0), start);
      if (head.header('transfer-encoding')?.toLowerCase() === 'chunked') {
        const chunked = readChunked(this.input, start);
        return chunked && done(chunked.body, chunked.end);
      }
      const length = head.header('content-length');
      if (length !== undefined) {
        assert.match(length, /^\d+$/);
        const stop = start + Number(length);
        if (this.input.length >= stop) return done(this.input.subarray(start, stop), stop);
        if (this.ended && cut && this.reset) return done(this.input.subarray(start), this.input.length);
        if (this.ended) throw new Error(`the connection ended inside a body of ${length} bytes`);
        return undefined;
      }
      return this.ended ? done(this.input.subarray(start), this.input.length) : undefined;
    }, () => `a response (so far: ${JSON.stringify(this.input.toString('latin1').slice(0, 200))})`, ms);
    if (check) assertSecurityHeaders(response);
    return response;
  }

  destroy() {
    this.socket.destroy();
  }
}

/** @param {Head} response */
export function assertSecurityHeaders(response) {
  const where = `${response.status} ${response.reason}`;
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    assert.equal(response.header(name), value, `${name} of "${where}"`);
  }
  assert.doesNotMatch(response.header('server') ?? '', /\d/, 'no version of the server is told');
  assert.equal(response.header('set-cookie'), undefined, 'no cookie');
  assert.equal(response.header('access-control-allow-origin'), undefined, 'no CORS header');
}

/**
 * Sends bytes on a fresh connection and collects every response until the other side closes it or, if it
 * stays open, the first response has come.
 * @param {number | string} port
 * @param {string | Buffer} bytes
 * @param {{ method?: string, check?: boolean }} [how]
 */
export async function exchange(port, bytes, how) {
  const connection = await new Connection(port).open();
  try {
    connection.write(bytes);
    return await connection.response(how);
  } finally {
    connection.destroy();
  }
}

/**
 * Sends bytes on a fresh connection that the other side has to close, and gives all the responses.
 * @param {number | string} port
 * @param {string | Buffer} bytes
 * @param {{ method?: string, check?: boolean, cut?: boolean, ms?: number }} [how]
 */
export async function exchangeToEnd(port, bytes, how) {
  const connection = await new Connection(port).open();
  try {
    connection.write(bytes);
    await connection.closed(how?.ms);
    const responses = [];
    while (connection.input.length > 0) responses.push(await connection.response(how));
    return responses;
  } finally {
    connection.destroy();
  }
}

/**
 * An ordinary request as text.
 * @param {string} target
 * @param {{ method?: string, host?: string, headers?: Record<string, string> }} [how]
 */
export function request(target, { method = 'GET', host = 'localhost:3000', headers = {} } = {}) {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return lines.join('\r\n') + '\r\n\r\n';
}

/**
 * One ordinary request on a connection of its own.
 * @param {number | string} port
 * @param {string} target
 * @param {{ method?: string, host?: string, headers?: Record<string, string>, check?: boolean }} [how]
 */
export function fetchRaw(port, target, how = {}) {
  return exchange(port, request(target, how), { method: how.method, check: how.check });
}
