/**
 * The line to the hub: one WebSocket, opened again when it breaks.
 *
 * It carries messages and knows nothing of rooms; call.js decides what they mean.
 * Spec: docs/protocol.md.
 */

/** @typedef {{ peerId: string, name?: string, offers?: boolean }} Participant  offers: has been told of us, and will offer */
/** @typedef {{ maxMessageBytes?: number, maxParticipants?: number, heartbeatSeconds?: number, resumeSeconds?: number }} Limits */

/**
 * @typedef {{ type: 'RoomJoined', roomId: string, peerId: string, resumed: boolean, resumeToken?: string,
 *             participants: Participant[], iceServers: RTCIceServer[], locked: boolean, limits: Limits }} RoomJoined
 * @typedef {{ type: 'UserJoined', peerId: string, name?: string, hello?: unknown }} UserJoined
 * @typedef {{ type: 'UserLeft', peerId: string, reason: 'left' | 'timeout' | 'removed' }} UserLeft
 * @typedef {{ type: 'Signal', peerId: string, message: unknown }} Signal
 * @typedef {{ type: 'IceServers', iceServers: RTCIceServer[] }} IceServers
 * @typedef {{ type: 'RoomLocked', locked: boolean, peerId: string }} RoomLocked
 * @typedef {{ type: 'Knock', peerId: string, name?: string }} Knock
 * @typedef {{ type: 'KnockEnded', peerId: string }} KnockEnded
 * @typedef {{ type: 'Waiting' }} Waiting
 * @typedef {{ type: 'Reconnect', afterMs: number }} Reconnect
 * @typedef {{ type: 'Error', code: string, message: string, peerId?: string, retryAfterMs?: number }} HubError
 * @typedef {RoomJoined | UserJoined | UserLeft | Signal | IceServers | RoomLocked | Knock | KnockEnded | Waiting
 *           | Reconnect | HubError} ServerMessage
 */

/**
 * @typedef {{ type: 'JoinRoom', roomId: string, name?: string, resumeToken?: string, hello?: unknown }
 *           | { type: 'Signal', peerId: string, message: unknown }
 *           | { type: 'LockRoom', locked: boolean }
 *           | { type: 'Admit' | 'Deny', peerId: string }
 *           | { type: 'LeaveRoom' }} ClientMessage
 */

/** What we need of a WebSocket, so that a test can hand in its own. */
/** @typedef {Pick<WebSocket, 'readyState' | 'send' | 'close' | 'onopen' | 'onmessage' | 'onclose'>} SocketLike */

/**
 * @typedef {object} SignalingEvents
 * @property {() => void} onOpen                        the socket stands: say JoinRoom
 * @property {(message: ServerMessage) => void} onMessage
 * @property {() => void} onLost                        the socket broke; we are trying again
 * @property {(code: number) => void} onRefused         the hub does not want us back: no further try
 */

/** The outside world: sockets, timers, chance. @type {Outside} */
const browser = {
  openSocket: (url) => new WebSocket(url, SUBPROTOCOL),
  setTimer: (action, ms) => setTimeout(action, ms),
  clearTimer: (timer) => clearTimeout(timer),
  random: Math.random,
};

/**
 * @typedef {object} Outside
 * @property {(url: string) => SocketLike} openSocket
 * @property {(action: () => void, ms: number) => ReturnType<typeof setTimeout>} setTimer
 * @property {(timer: ReturnType<typeof setTimeout>) => void} clearTimer
 * @property {() => number} random                      in [0, 1)
 */

const SUBPROTOCOL = 'aloha.v1';
const RECONNECT_FIRST_MS = 500;
const RECONNECT_MAX_MS = 15_000;
const OPEN_TIMEOUT_MS = 10_000;
const SOCKET_OPEN = 1;

/** RFC 6455, section 7.4.1. A clean close frees our seat in the room at once. */
const CLOSE_NORMAL = 1000;
/** RFC 6455, section 7.4.2, private range: we go on with another socket, so the hub must keep our seat. */
const CLOSE_MOVING = 3000;

/** Policy, replaced by a newer socket, unauthorized, removed: coming back by ourselves would only annoy. */
const FINAL_CLOSE_CODES = new Set([1008, 4001, 4003, 4004]);

/** @param {number} code of the WebSocket's close event */
export function isFinalClose(code) {
  return FINAL_CLOSE_CODES.has(code);
}

/**
 * "Full jitter": any moment below a ceiling that doubles. A hub that restarts is then not
 * run over by everybody at the same instant.
 * @param {number} attempt 0 for the first
 * @param {number} chance  in [0, 1)
 */
export function reconnectDelayMs(attempt, chance) {
  return chance * Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** attempt);
}

export class Signaling {
  #url;
  #events;
  #outside;
  /** @type {SocketLike | null} */
  #socket = null;
  /** What waits: the next attempt, or the end of our patience with this one. @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #attempt = 0;
  /** The hub has told us when to come back, and #timer waits for that moment. */
  #isMoving = false;

  /**
   * @param {string} url
   * @param {SignalingEvents} events
   * @param {Outside} [outside]
   */
  constructor(url, events, outside = browser) {
    this.#url = url;
    this.#events = events;
    this.#outside = outside;
  }

  /** The network is back: if we were waiting for the next attempt, make it now. */
  hurry() {
    if (this.#socket === null && this.#timer !== null) this.open();
  }

  /** Opens a socket, unless there is one. */
  open() {
    if (this.isOpen) return;
    this.#dropSocket(CLOSE_MOVING);

    const socket = this.#outside.openSocket(this.#url);
    this.#socket = socket;
    this.#wait(OPEN_TIMEOUT_MS, () => this.#lost());
    socket.onopen = () => {
      this.#stopWaiting();
      this.#events.onOpen();
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code }) => this.#closed(code);
  }

  get isOpen() {
    return this.#socket?.readyState === SOCKET_OPEN;
  }

  /**
   * @param {ClientMessage} message
   * @returns {boolean} false when there is no socket to carry it; nothing is kept for later
   */
  send(message) {
    if (!this.#socket || !this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Hangs up for good. open() starts again. */
  close() {
    this.#attempt = 0;
    this.#dropSocket(CLOSE_NORMAL);
  }

  /** @param {unknown} data */
  #received(data) {
    const message = parseServerMessage(data);
    if (!message) return;
    if (message.type === 'RoomJoined' || message.type === 'Waiting') this.#attempt = 0;
    if (message.type === 'Reconnect') this.#moveAfter(message.afterMs);
    this.#events.onMessage(message);
  }

  /**
   * The hub is about to restart and has told each of us when to come back.
   * @param {number} afterMs
   */
  #moveAfter(afterMs) {
    this.#wait(afterMs, () => {
      if (this.#socket) this.#events.onLost();
      this.#dropSocket(CLOSE_MOVING);
      this.open();
    });
    this.#isMoving = true;
  }

  /** @param {number} code */
  #closed(code) {
    this.#socket = null;
    if (isFinalClose(code)) {
      this.#stopWaiting();
      this.#events.onRefused(code);
    } else if (this.#isMoving) {
      this.#events.onLost(); // the timer brings us back
    } else {
      this.#lost();
    }
  }

  #lost() {
    this.#dropSocket(CLOSE_MOVING);
    this.#wait(reconnectDelayMs(this.#attempt, this.#outside.random()), () => this.open());
    this.#attempt += 1;
    this.#events.onLost();
  }

  /** @param {number} code */
  #dropSocket(code) {
    this.#stopWaiting();
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  /**
   * @param {number} ms
   * @param {() => void} action
   */
  #wait(ms, action) {
    this.#stopWaiting();
    this.#timer = this.#outside.setTimer(() => {
      this.#timer = null;
      action();
    }, ms);
  }

  #stopWaiting() {
    if (this.#timer !== null) this.#outside.clearTimer(this.#timer);
    this.#timer = null;
    this.#isMoving = false;
  }
}

// ---------------------------------------------------------------------------------------------
// What the hub may say
// ---------------------------------------------------------------------------------------------

/** @typedef {Record<string, unknown>} Fields */

/** @param {unknown} value @returns {value is Fields} */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** @param {unknown} value @returns {value is string} */
const isText = (value) => typeof value === 'string';
/** @param {unknown} value */
const isId = (value) => isText(value) && value !== '';
/** @param {unknown} value */
const isFlag = (value) => typeof value === 'boolean';
/** @param {unknown} value */
const isDuration = (value) => typeof value === 'number' && value >= 0;
/** @param {(value: unknown) => boolean} test */
const optional = (test) => (/** @type {unknown} */ value) => value === undefined || test(value);
/** @param {(value: unknown) => boolean} test */
const listOf = (test) => (/** @type {unknown} */ value) => Array.isArray(value) && value.every(test);
/** @param {unknown} value */
const isParticipant = (value) => isObject(value) && isId(value.peerId) && optional(isText)(value.name)
  && optional(isFlag)(value.offers);
/** @param {unknown} value */
const isReason = (value) => value === 'left' || value === 'timeout' || value === 'removed';
const isAnything = () => true;

/** One row for each message: its members and the form of each. @type {Record<string, Record<string, (value: unknown) => boolean>>} */
export const FORMS = {
  RoomJoined: {
    roomId: isId, peerId: isId, resumed: isFlag, resumeToken: optional(isText), participants: listOf(isParticipant),
    iceServers: listOf(isObject), locked: isFlag, limits: isObject,
  },
  UserJoined: { peerId: isId, name: optional(isText), hello: isAnything },
  UserLeft: { peerId: isId, reason: isReason },
  Signal: { peerId: isId, message: (value) => value !== undefined },
  IceServers: { iceServers: listOf(isObject) },
  RoomLocked: { locked: isFlag, peerId: isId },
  Knock: { peerId: isId, name: optional(isText) },
  KnockEnded: { peerId: isId },
  Waiting: {},
  Reconnect: { afterMs: isDuration },
  Error: { code: isId, message: isText, peerId: optional(isId), retryAfterMs: optional(isDuration) },
};

/**
 * Reads one frame from the hub. Members we do not know are ignored, so that the hub can grow.
 * @param {unknown} data
 * @returns {ServerMessage | null} null for what we do not understand
 */
export function parseServerMessage(data) {
  const fields = parseObject(data);
  if (!fields || !isText(fields.type) || !Object.hasOwn(FORMS, fields.type)) return null;

  const form = Object.entries(FORMS[fields.type] ?? {});
  const isWhole = form.every(([member, test]) => test(fields[member]));
  return isWhole ? /** @type {ServerMessage} */ (/** @type {unknown} */ (fields)) : null;
}

/**
 * @param {unknown} text
 * @returns {Fields | null} null when it is not the text of one JSON object
 */
export function parseObject(text) {
  if (!isText(text)) return null;
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
