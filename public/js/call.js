/**
 * Who is here. The hub tells who comes and goes; each of them gets a Peer (peer.js).
 *
 * The order of events, for a newcomer:   JoinRoom -> RoomJoined (with those present) -> their offers
 * and for somebody already in the room:  UserJoined -> our offer
 */
import { isPolite } from './peer.js';

/** @typedef {import('./signaling.js').ServerMessage} ServerMessage */
/** @typedef {import('./signaling.js').ClientMessage} ClientMessage */
/** @typedef {import('./signaling.js').Participant} Participant */
/** @typedef {import('./signaling.js').RoomJoined} RoomJoined */
/** @typedef {import('./peer.js').PeerSignal} PeerSignal */

/** What a call needs of a Peer, so that its test needs no browser. */
/** @typedef {Pick<import('./peer.js').Peer, 'receive' | 'resume' | 'close' | 'setTrack' | 'setMediaState'>} PeerLike */

/**
 * @typedef {object} PeerRequest
 * @property {string} peerId
 * @property {boolean} polite
 * @property {boolean} offers
 * @property {RTCIceServer[]} iceServers
 * @property {(signal: PeerSignal) => void} send
 */

/**
 * @typedef {object} CallEvents
 * @property {() => void} onJoined
 * @property {(participant: Participant) => void} onParticipant
 * @property {(peerId: string) => void} onParticipantLeft
 * @property {(code: string) => void} onRefused               the hub keeps us out of this room
 */

/**
 * @typedef {object} CallOptions
 * @property {string} roomId
 * @property {(message: ClientMessage) => boolean} send
 * @property {(request: PeerRequest) => PeerLike} createPeer
 * @property {CallEvents} events
 * @property {(action: () => void, ms: number) => unknown} [setTimer]
 */

/** One connection and one decoder for each: more than this no browser bears, whatever a hub says. */
const PARTICIPANTS_MAX = 50;
/** What we assume of a hub that does not tell its limit. */
const PARTICIPANTS_DEFAULT = 12;
const RETRY_JOIN_MS = 1_000;

/** The errors that answer a JoinRoom and that a second try at once would not cure. */
const REFUSALS = new Set(['bad-room-id', 'bad-name', 'room-full', 'room-locked', 'hub-full', 'unauthorized']);

/**
 * Who fills the large picture: the one chosen, as long as they are here; else whoever was there;
 * else the first of the others; else oneself.
 * @param {string[]} present   ids in order of arrival; 'me' for oneself
 * @param {string | null} chosen  by a click
 * @param {string | null} current
 */
export function nextActive(present, chosen, current) {
  if (chosen !== null && present.includes(chosen)) return chosen;
  if (current !== null && current !== 'me' && present.includes(current)) return current;
  return present.find((id) => id !== 'me') ?? 'me';
}

export class Call {
  #options;
  /** Our own id, while the hub holds a seat for us. @type {string | null} */
  #ownId = null;
  /** @type {string | null} */
  #resumeToken = null;
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  #peersMax = PARTICIPANTS_DEFAULT - 1;
  /** @type {Map<string, PeerLike>} */
  #peers = new Map();

  /** @param {CallOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** The socket stands. Asks for a seat, or for our old one when the hub gave us a token for it. */
  join() {
    const { roomId, send } = this.#options;
    send({ type: 'JoinRoom', roomId, ...(this.#resumeToken !== null && { resumeToken: this.#resumeToken }) });
  }

  /** Ends the call on our side: tells the hub, closes every connection. */
  leave() {
    if (this.#ownId !== null) this.#options.send({ type: 'LeaveRoom' });
    this.#ownId = null;
    this.#resumeToken = null;
    for (const peerId of [...this.#peers.keys()]) this.#remove(peerId);
  }

  /** @param {ServerMessage} message */
  receive(message) {
    switch (message.type) {
      case 'RoomJoined':
        this.#joined(message);
        break;
      case 'UserJoined':
        if (this.#ownId !== null) this.#add(message, { offers: true });
        break;
      case 'UserLeft':
        this.#remove(message.peerId);
        break;
      case 'Signal':
        this.#peers.get(message.peerId)?.receive(message.message);
        break;
      case 'IceServers':
        this.#iceServers = message.iceServers;
        break;
      case 'Error':
        this.#failed(message.code, message.retryAfterMs);
        break;
      default: // nothing for us: knocking, locks and the hub's drain are others' work
    }
  }

  /**
   * @param {'audio' | 'video'} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    for (const peer of this.#peers.values()) peer.setTrack(kind, track);
  }

  /** @param {import('./peer.js').MediaState} state */
  setMediaState(state) {
    for (const peer of this.#peers.values()) peer.setMediaState(state);
  }

  /**
   * The room's list decides. In our old seat the standing connections go on; in a new seat the
   * others have been told that we left, so theirs are gone and all begin anew.
   * @param {RoomJoined} message
   */
  #joined({ peerId, resumed, resumeToken, participants, iceServers, limits }) {
    const isOldSeat = resumed && peerId === this.#ownId;
    const present = new Set(participants.map((each) => each.peerId));

    this.#ownId = peerId;
    this.#resumeToken = resumeToken ?? null;
    this.#iceServers = iceServers;
    this.#peersMax = Math.min(limits.maxParticipants ?? PARTICIPANTS_DEFAULT, PARTICIPANTS_MAX) - 1;

    for (const known of [...this.#peers.keys()]) {
      if (!isOldSeat || !present.has(known)) this.#remove(known);
    }
    for (const peer of this.#peers.values()) peer.resume();
    // In an old seat, whoever is unknown came while we were away: then we were here first, and offer.
    for (const participant of participants) this.#add(participant, { offers: isOldSeat });
    this.#options.events.onJoined();
  }

  /**
   * @param {Participant} participant
   * @param {{ offers: boolean }} role
   */
  #add({ peerId, name }, { offers }) {
    const ownId = this.#ownId;
    if (ownId === null || peerId === ownId || this.#peers.has(peerId) || this.#peers.size >= this.#peersMax) return;
    this.#options.events.onParticipant({ peerId, ...(name !== undefined && { name }) });
    this.#peers.set(peerId, this.#options.createPeer({
      peerId,
      offers,
      polite: isPolite(ownId, peerId),
      iceServers: this.#iceServers,
      send: (signal) => this.#options.send({ type: 'Signal', peerId, message: signal }),
    }));
  }

  /** @param {string} peerId */
  #remove(peerId) {
    const peer = this.#peers.get(peerId);
    if (!peer) return;
    this.#peers.delete(peerId);
    peer.close();
    this.#options.events.onParticipantLeft(peerId);
  }

  /**
   * @param {string} code
   * @param {number} [retryAfterMs]
   */
  #failed(code, retryAfterMs) {
    if (code === 'bad-resume-token') {
      this.#resumeToken = null; // the old seat is gone: take a new one
      this.join();
    } else if (REFUSALS.has(code)) {
      this.#options.events.onRefused(code);
    } else if (code === 'rate-limited' && this.#ownId === null) {
      const { setTimer = setTimeout } = this.#options;
      setTimer(() => this.join(), retryAfterMs ?? RETRY_JOIN_MS);
    }
    // The others need nothing: unknown-peer, for one, only means that somebody left this very moment.
  }
}
