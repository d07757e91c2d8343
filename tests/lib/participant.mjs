// Someone who talks to the hub as a native client would: the npm package ws, an implementation independent of the server's.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { faultOfHub } from './schema.mjs';
import { isSecureHost } from './ports.mjs';
import { Changes } from './wait.mjs';

export const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A room that no other test is in. */
export const freshRoom = () => randomUUID();

export class Participant {
  /**
   * @param {{ host?: string, socketUrl?: string }} server  socketUrl: by default ws://host/ws
   * @param {{ protocols?: string[], headers?: Record<string, string>, origin?: string, options?: import('ws').ClientOptions }} [how]
   *   options: of the library, such as a certificate's
   */
  constructor(server, { protocols = [], headers, origin, options } = {}) {
    this.changes = new Changes();
    /** @type {{ text: string, object: any }[]} */
    this.queue = [];
    this.received = 0;
    this.pongs = 0;
    /** @type {number | undefined} */
    this.closeCode = undefined;
    this.closeReason = '';
    /** @type {string} */
    this.peerId = '';
    this.socket = new WebSocket(server.socketUrl ?? `${isSecureHost(server.host ?? '') ? 'wss' : 'ws'}://${server.host}/ws`, protocols, { rejectUnauthorized: false, ...options, headers, origin, perMessageDeflate: false, skipUTF8Validation: false });
    this.socket.on('open', () => this.changes.changed());
    this.socket.on('pong', () => {
      this.pongs++;
      this.changes.changed();
    });
    this.socket.on('message', (data, binary) => {
      assert.equal(binary, false, 'the hub sends text frames only');
      const text = data.toString();
      const object = JSON.parse(text);
      this.received++;
      this.queue.push({ text, object });
      this.changes.changed();
      const fault = faultOfHub(object); // fails the test that runs, which goes on with what it has heard
      assert.ok(!fault, `the hub keeps to the schema: ${fault} in ${text.slice(0, 500)}`);
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString();
      this.changes.changed();
    });
  }

  /** @param {{ host?: string }} server @param {ConstructorParameters<typeof Participant>[1]} [how] */
  static async connect(server, how) {
    const participant = new Participant(server, how);
    await participant.changes.until(() => {
      if (participant.closeCode !== undefined) throw new Error(`no WebSocket: ${participant.error ?? participant.closeCode}`);
      return participant.socket.readyState === WebSocket.OPEN;
    }, 'an open WebSocket');
    return participant;
  }

  /** Connects and joins. @param {{ host?: string }} server @param {string} roomId @param {object} [members] @returns {Promise<Participant & { joined: any }>} */
  static async join(server, roomId, members) {
    const participant = await Participant.connect(server);
    const joined = await participant.join(roomId, members);
    return Object.assign(participant, { joined });
  }

  /** @param {unknown} message  a string is sent as it is, anything else as JSON */
  send(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** @param {string} roomId @param {object} [members] */
  async join(roomId, members = {}) {
    this.send({ type: 'JoinRoom', roomId, ...members });
    const joined = await this.receive('RoomJoined');
    this.peerId = joined.peerId;
    return joined;
  }

  /** @param {string} peerId @param {unknown} message */
  signal(peerId, message) {
    this.send({ type: 'Signal', peerId, message });
  }

  /** The next message as it came: its text and its object. */
  receiveRaw() {
    return this.changes.until(() => {
      if (this.queue.length === 0 && this.closeCode !== undefined) throw new Error(`closed ${this.closeCode} ${this.closeReason} where a message was expected`);
      return this.queue.shift();
    }, 'a message of the hub');
  }

  /** The next message, which has to be of this type. @param {string} type */
  async receive(type) {
    const { object, text } = await this.receiveRaw();
    assert.equal(object.type, type, `the next message: ${text.slice(0, 500)}`);
    return object;
  }

  /** The next message, which has to be this error; the socket's fate is another matter. @param {string} code */
  async receiveError(code) {
    const error = await this.receive('Error');
    assert.equal(error.code, code, JSON.stringify(error));
    assert.equal(typeof error.message, 'string');
    assert.ok(error.message.length > 0, 'an error has a text for a person');
    return error;
  }

  /**
   * Proves that nothing is under way to this one: messages to one receiver keep their order, so whatever the hub had
   * queued before would come before the answer to a question of ours.
   */
  async hearsNothing() {
    this.send({ type: 'Marker' });
    await this.receiveError('unknown-type');
  }

  /** @param {number} [ms] */
  closed(ms) {
    return this.changes.until(() => this.closeCode, 'the end of a WebSocket', ms);
  }

  /** A clean close, and the wait until it is done. @param {number} [code] */
  async leave(code = 1000) {
    this.socket.close(code);
    return this.closed();
  }

  destroy() {
    this.socket.terminate();
  }
}

/**
 * Several in one fresh room, each having seen the others come.
 * @param {{ host?: string }} server @param {number} count @param {string} [roomId]
 */
export async function roomOf(server, count, roomId = freshRoom()) {
  /** @type {Participant[]} */
  const all = [];
  for (let i = 0; i < count; i++) {
    const one = await Participant.join(server, roomId);
    for (const other of all) {
      const came = await other.receive('UserJoined');
      assert.equal(came.peerId, one.peerId);
    }
    all.push(one);
  }
  return Object.assign(all, {
    roomId,
    async end() {
      for (const one of all) one.destroy();
      await Promise.all(all.map((one) => one.closed()));
    },
  });
}

/** Two in a room of their own exchange a message: the server serves. @param {{ host?: string }} server */
export async function assertServes(server) {
  const pair = await roomOf(server, 2);
  const [a, b] = pair;
  a.signal(b.peerId, 'are you there');
  assert.deepEqual(await b.receive('Signal'), { type: 'Signal', peerId: a.peerId, message: 'are you there' });
  await pair.end();
}
