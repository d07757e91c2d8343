// What attackers share: sockets from other addresses of the loopback net, which throw bytes and do not care.
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { Changes, pause } from '../lib/wait.mjs';
import { CLOSE, closePayload, frameBytes, openingRequest, parseFrame } from '../lib/websocket.mjs';

const CONNECTIONS_AN_ADDRESS = 40; // below the 60 that an address may open at once
const WAITING_MAX = 1 << 20; // of our own memory, for one who is not read

/** A connection that keeps nothing of what it hears but the beginning. */
export class Guest {
  /** @param {{ port: number, host: string }} server @param {string} from @param {{ deaf?: boolean }} [how] */
  constructor(server, from, { deaf = false } = {}) {
    this.host = server.host;
    this.changes = new Changes();
    this.heard = Buffer.alloc(0);
    this.opened = false;
    this.ended = false;
    this.talks = false; // a WebSocket
    this.skip = 0; // bytes that are still to come of the frame that is coming in
    this.piece = Buffer.alloc(0); // of the head of a frame
    this.peerId = '';
    this.socket = net.connect({ port: server.port, host: '127.0.0.1', localAddress: from, noDelay: true });
    this.socket.on('connect', () => {
      this.opened = true;
      this.changes.changed();
    });
    this.socket.on('data', (data) => {
      if (this.heard.length < 8192) this.heard = Buffer.concat([this.heard, data]);
      if (this.talks) this.#look(data);
      this.changes.changed();
    });
    for (const event of ['error', 'end', 'close']) {
      this.socket.on(event, () => {
        this.ended = true;
        this.changes.changed();
      });
    }
    if (deaf) this.socket.pause();
  }

  /** Throws bytes, unless too much of ours waits already. @param {Buffer | string} bytes @returns {boolean} whether */
  throw(bytes) {
    if (this.ended || this.socket.writableLength > WAITING_MAX) return false;
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return true;
  }

  /** @param {Parameters<typeof frameBytes>[0]} frame */
  frame(frame) {
    return this.throw(frameBytes(frame));
  }

  /** @param {unknown} message */
  say(message) {
    return this.frame({ payload: typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message) });
  }

  /** Waits for a TCP connection: false if there is none. */
  connected() {
    return this.changes.until(() => (this.opened ? 'yes' : this.ended ? 'no' : undefined), 'a connection or its refusal').then((answer) => answer === 'yes');
  }

  /** Shakes hands: false if the server would not. */
  async upgrade() {
    this.throw(openingRequest({ host: this.host }));
    const end = await this.changes.until(() => (this.ended ? -1 : this.heard.indexOf('\r\n\r\n') + 1 || undefined), 'a handshake or its refusal');
    this.talks = end > 0 && this.heard.toString('latin1', 9, 12) === '101';
    this.heard = this.heard.subarray(end + 3);
    if (this.talks) this.#look(this.heard);
    return this.talks;
  }

  /** Looks for a close frame, which is the end: what is thrown behind it meets nobody. @param {Buffer} data */
  #look(data) {
    let bytes = this.piece.length ? Buffer.concat([this.piece, data]) : data;
    for (;;) {
      const skipped = Math.min(this.skip, bytes.length);
      this.skip -= skipped;
      bytes = bytes.subarray(skipped);
      const length = bytes.length < 2 ? 0 : bytes[1] & 127;
      const head = length === 127 ? 10 : length === 126 ? 4 : 2;
      if (this.skip > 0 || bytes.length < head) break;
      if ((bytes[0] & 15) === CLOSE) this.ended = true;
      this.skip = head + (length === 127 ? Number(bytes.readBigUInt64BE(2)) : length === 126 ? bytes.readUInt16BE(2) : length);
    }
    this.piece = this.skip > 0 ? Buffer.alloc(0) : Buffer.from(bytes);
  }

  /** Joins and waits for its peerId: false if it gets none. @param {string} roomId */
  async join(roomId) {
    this.say({ type: 'JoinRoom', roomId });
    const first = await this.changes.until(() => parseFrame(this.heard)?.frame ?? (this.ended ? 'no' : undefined), 'a seat or its refusal');
    if (first === 'no' || first.opcode !== 1) return false;
    this.peerId = JSON.parse(first.payload.toString()).peerId ?? '';
    return this.peerId !== '';
  }

  /** Ends it without a word, by a reset. (Node's own end hangs when a socket was to be reset that had not connected or had something to write.) */
  cut() {
    const { socket } = this;
    if (this.opened && !this.ended && !socket.writableEnded && socket.writableLength === 0) socket.resetAndDestroy();
    else socket.destroy();
  }

  leave() {
    if (this.talks) this.frame({ opcode: CLOSE, payload: closePayload(1000) });
    this.socket.end();
  }
}

let addresses = 0;

/** One case's attackers. */
export class Attack {
  /** @param {import('../lib/server.mjs').Server} server @param {{ seconds: number, strength: number }} how  strength: 1 for all of it */
  constructor(server, { seconds, strength }) {
    this.server = server;
    this.seconds = seconds;
    this.strength = strength;
    this.messages = 0;
    this.connections = 0;
    /** @type {Set<Guest>} */
    this.guests = new Set();
    this.ends = Date.now() + seconds * 1000;
    this.note = '';
  }

  get goesOn() {
    return Date.now() < this.ends;
  }

  /** Of so many, how many in this run; at least one. @param {number} all */
  share(all) {
    return Math.max(1, Math.round(all * this.strength));
  }

  /** An address that nobody has used; each loopback address is one for the limits. */
  address() {
    const n = addresses++;
    return `127.1.${Math.floor(n / 250) % 250}.${(n % 250) + 2}`;
  }

  /** An address that has hardly been used. */
  get freshAddress() {
    if (this.connections % CONNECTIONS_AN_ADDRESS === 0 || !this.from) this.from = this.address();
    return this.from;
  }

  /** @param {string} [from] @param {ConstructorParameters<typeof Guest>[2]} [how] */
  connect(from = this.freshAddress, how = undefined) {
    this.connections++;
    const guest = new Guest(/** @type {any} */ (this.server), from, how);
    this.guests.add(guest);
    guest.socket.on('close', () => this.guests.delete(guest));
    return guest;
  }

  /** A guest who has shaken hands, or undefined. @param {string} [from] */
  async websocket(from) {
    const guest = this.connect(from);
    if ((await guest.connected()) && (await guest.upgrade())) return guest;
    guest.socket.destroy();
    return undefined;
  }

  /** A guest in a room, or undefined. @param {string} [roomId] @param {string} [from] */
  async member(roomId = randomUUID(), from) {
    const guest = await this.websocket(from);
    if (guest && (await guest.join(roomId))) return guest;
    guest?.socket.destroy();
    return undefined;
  }

  /** Two of a room of their own, or undefined. */
  async pair() {
    const roomId = randomUUID();
    const mate = await this.member(roomId);
    const guest = mate && (await this.member(roomId));
    if (!guest) mate?.cut();
    return guest && { guest, mate };
  }

  /**
   * Keeps so many doing something until the case is over: one that ends is followed by another.
   * @param {number} count @param {() => Promise<unknown>} one
   */
  async crowd(count, one) {
    await Promise.all(Array.from({ length: this.share(count) }, async () => {
      while (this.goesOn) {
        await one();
        await pause(1);
      }
    }));
  }

  /**
   * So many a second, spread over ten-millisecond steps, until the case is over or throwing says that it is of no use.
   * @param {number} perSecond @param {(count: number) => boolean | void} throwing
   */
  async paced(perSecond, throwing) {
    const start = Date.now();
    let done = 0;
    while (this.goesOn) {
      const due = Math.floor(((Date.now() - start) / 1000) * perSecond * this.strength);
      const count = Math.min(due - done, Math.ceil(perSecond / 20)); // what a slow step left undone stays undone
      if (count > 0 && throwing(count) === false) return;
      done = due;
      await pause(10);
    }
  }

  /** Everybody goes at once. */
  release() {
    for (const guest of [...this.guests]) guest.socket.destroy();
  }
}
