/**
 * Who is here. The hub tells who comes and goes; each of them gets a Peer (peer.js).
 *
 * The order of events, for a newcomer:   JoinRoom -> RoomJoined (with those present) -> their offers
 * and for somebody already in the room:  UserJoined -> our offer
 * at a locked room:                      JoinRoom -> Waiting -> RoomJoined, or Error room-locked
 * when the line was down:                JoinRoom with our token -> RoomJoined (our old seat); nobody else hears of it
 *
 * The hub may have been started anew while the line was down, and then knows only those who are back
 * already. So whoever it does not name may still come: what our connection with them says counts.
 */
import { isPolite, parseSignal } from './peer.js';

/** @typedef {import('./signaling.js').ServerMessage} ServerMessage */
/** @typedef {import('./signaling.js').ClientMessage} ClientMessage */
/** @typedef {import('./signaling.js').Participant} Participant */
/** @typedef {import('./signaling.js').RoomJoined} RoomJoined */
/** @typedef {import('./peer.js').PeerSignal} PeerSignal */

/** What a call needs of a Peer, so that its test needs no browser. */
/** @typedef {Pick<import('./peer.js').Peer, 'connectionState' | 'receive' | 'isOfAnother' | 'resume' | 'close' | 'setTrack' | 'setMediaState'>} PeerLike */

/**
 * @typedef {object} PeerRequest
 * @property {string} peerId
 * @property {boolean} polite
 * @property {boolean} offers
 * @property {RTCIceServer[]} iceServers
 * @property {(signal: PeerSignal) => void} send
 * @property {(state: RTCPeerConnectionState) => void} onConnectionState
 */

/**
 * @typedef {object} CallEvents
 * @property {() => void} onJoined
 * @property {() => void} onWaiting                           the room is locked, and those in it have been asked
 * @property {(participant: Participant) => void} onParticipant
 * @property {(peerId: string) => void} onParticipantLeft
 * @property {(code: string) => void} onRefused               the hub keeps us out of this room
 * @property {(knocker: Participant) => void} onKnock         somebody asks us to let them in
 * @property {(peerId: string) => void} onKnockEnded          they are in, or gone, or were sent away
 * @property {() => void} onNoRoom                            there is no seat for whom we wanted to let in
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
/** What the hub keeps a seat for, if it does not tell. */
const RESUME_DEFAULT_S = 30;
const RETRY_MS = 1_000;
/** A hub that is full when we come back to our call: the call goes on meanwhile. */
const RETRY_FULL_MS = 5_000;
const WELCOME_EVERY_MS = 1_000;
/** New connections with one and the same peer: an honest one needs two or three, after a restart of the hub. */
const CONNECTIONS_MAX = 20;

/** The errors that answer a JoinRoom and that a second try at once would not cure. */
const REFUSALS = new Set(['bad-room-id', 'bad-name', 'room-full', 'room-locked', 'hub-full', 'unauthorized']);

/** Tells a peer that we are at the hub again. See docs/protocol.md, "Between the peers". */
const BACK = { back: true };

/** @param {unknown} message of a peer */
const isBack = (message) => typeof message === 'object' && message !== null && 'back' in message && message.back === true;

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
  /** In memory only: a page that is loaded again is somebody new. @type {string | null} */
  #resumeToken = null;
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  #peersMax = PARTICIPANTS_DEFAULT - 1;
  /** @type {Map<string, PeerLike>} */
  #peers = new Map();
  /** How many connections we have had with each. @type {Map<string, number>} */
  #connections = new Map();

  /** We have asked for a seat and the hub has neither given nor refused one. */
  #isAsking = false;
  /** Counts what we ask for and give up, so that a timer of before does nothing. */
  #turn = 0;
  #isLocked = false;
  /** Who asks to come in. @type {Set<string>} */
  #knocks = new Set();

  /** Whom the hub did not name when we came back. @type {Set<string>} */
  #absent = new Set();
  /** Who came back a moment ago. @type {Set<string>} */
  #welcomed = new Set();
  /** As long as they may still come back. */
  #isAbsencePardoned = false;

  /** @param {CallOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** The socket stands. Asks for a seat, or for our old one when the hub gave us a token for it. */
  join() {
    const { roomId, send } = this.#options;
    this.#turn += 1;
    this.#isAsking = true;
    send({ type: 'JoinRoom', roomId, ...(this.#resumeToken !== null && { resumeToken: this.#resumeToken }) });
  }

  /** Ends the call on our side: tells the hub, closes every connection. */
  leave() {
    if (this.#ownId !== null || this.#isAsking) this.#options.send({ type: 'LeaveRoom' });
    this.#turn += 1;
    this.#isAsking = false;
    this.#resumeToken = null;
    this.#giveUpSeat();
  }

  /** @param {string} peerId somebody who knocked */
  admit(peerId) {
    this.#options.send({ type: 'Admit', peerId });
  }

  /** @param {string} peerId somebody who knocked */
  deny(peerId) {
    this.#options.send({ type: 'Deny', peerId });
  }

  /** @param {ServerMessage} message */
  receive(message) {
    switch (message.type) {
      case 'RoomJoined':
        this.#joined(message);
        break;
      case 'Waiting': // whatever seat we had, the others have been told that we left it
        this.#giveUpSeat();
        this.#options.events.onWaiting();
        break;
      case 'UserJoined':
        this.#userJoined(message);
        break;
      case 'UserLeft':
        this.#remove(message.peerId);
        this.#connections.delete(message.peerId);
        break;
      case 'Signal':
        this.#signalled(message);
        break;
      case 'IceServers':
        this.#iceServers = message.iceServers;
        break;
      case 'RoomLocked':
        this.#isLocked = message.locked;
        break;
      case 'Knock':
        this.#knocks.add(message.peerId);
        this.#options.events.onKnock(message);
        break;
      case 'KnockEnded':
        this.#endKnock(message.peerId);
        break;
      case 'Error':
        this.#failed(message);
        break;
      default: // the hub's drain is the line's business
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

  // --- our seat --------------------------------------------------------------------------------

  /**
   * In our old seat the standing connections go on, also with those whom the hub does not name; in a
   * new seat the others have been told that we left, so theirs are gone and all begin anew.
   * @param {RoomJoined} message
   */
  #joined({ peerId, resumed, resumeToken, participants, iceServers, locked, limits }) {
    const isOldSeat = resumed && peerId === this.#ownId;
    if (!isOldSeat) this.#giveUpSeat();

    this.#turn += 1;
    this.#isAsking = false;
    this.#ownId = peerId;
    this.#resumeToken = resumeToken ?? null;
    this.#iceServers = iceServers;
    this.#peersMax = Math.min(limits.maxParticipants ?? PARTICIPANTS_DEFAULT, PARTICIPANTS_MAX) - 1;

    const present = new Set(participants.map((each) => each.peerId));
    this.#absent = new Set([...this.#peers.keys()].filter((known) => !present.has(known)));
    this.#lockAgain(locked, this.#absent.size === this.#peers.size);
    for (const participant of participants) {
      // In an old seat, whoever is unknown came while we were away: then we were here first, and offer.
      if (!this.#peers.has(participant.peerId)) this.#add(participant, { offers: isOldSeat && !participant.offers });
      else if (isOldSeat) this.#meetAgain(participant.peerId, { offers: !participant.offers, isExpected: !participant.offers });
    }
    for (const peerId of [...this.#absent]) {
      if (this.#peers.get(peerId)?.connectionState === 'closed') this.#remove(peerId);
    }
    this.#pardonAbsence((limits.resumeSeconds ?? RESUME_DEFAULT_S) * 1000);
    this.#options.events.onJoined();
  }

  #giveUpSeat() {
    this.#ownId = null;
    this.#isLocked = false;
    this.#connections.clear();
    for (const peerId of [...this.#peers.keys()]) this.#remove(peerId);
    for (const peerId of [...this.#knocks]) this.#endKnock(peerId);
  }

  /**
   * A hub that was started anew has forgotten that the room was locked. The first of us to be back says
   * it again. (Somebody may just as well have unlocked it while we were away, but then the hub names
   * others whom we know.)
   * @param {boolean} locked
   * @param {boolean} isFirst
   */
  #lockAgain(locked, isFirst) {
    const isForgotten = this.#isLocked && !locked && isFirst;
    this.#isLocked = locked;
    for (const peerId of [...this.#knocks]) this.#endKnock(peerId); // who still knocks follows, anew
    if (isForgotten) this.#options.send({ type: 'LockRoom', locked: true });
  }

  // --- the others ------------------------------------------------------------------------------

  /** @param {import('./signaling.js').UserJoined} message */
  #userJoined(message) {
    if (this.#ownId === null) return;
    if (this.#peers.has(message.peerId)) this.#meetAgain(message.peerId, { offers: true, isExpected: false });
    else this.#add(message, { offers: true });
  }

  /**
   * @param {Participant} participant
   * @param {{ offers: boolean }} role
   */
  #add({ peerId, name }, { offers }) {
    if (peerId === this.#ownId || this.#peers.size >= this.#peersMax || !this.#mayConnect(peerId)) return;
    this.#options.events.onParticipant({ peerId, ...(name !== undefined && { name }) });
    this.#connect(peerId, offers);
  }

  /**
   * Somebody whom we know is at the hub, as we are. A connection that works goes on; another one is
   * repaired, or begins anew on both sides when they may not know us.
   * @param {string} peerId
   * @param {{ offers: boolean, isExpected: boolean }} how  expected: they know us as we know them
   */
  #meetAgain(peerId, { offers, isExpected }) {
    const peer = this.#peers.get(peerId);
    this.#absent.delete(peerId);
    if (!isExpected && peer?.connectionState !== 'connected') return this.#connect(peerId, offers);
    this.#send(peerId, BACK);
    peer?.resume();
  }

  /**
   * Opens a connection, in the place of the one there may be.
   * @param {string} peerId
   * @param {boolean} offers
   */
  #connect(peerId, offers) {
    if (this.#ownId === null || !this.#mayConnect(peerId)) return;
    this.#connections.set(peerId, (this.#connections.get(peerId) ?? 0) + 1);
    this.#peers.get(peerId)?.close();
    this.#peers.set(peerId, this.#options.createPeer({
      peerId,
      offers,
      polite: isPolite(this.#ownId, peerId),
      iceServers: this.#iceServers,
      send: (signal) => this.#send(peerId, signal),
      onConnectionState: (state) => this.#connectionChanged(peerId, state),
    }));
  }

  /** @param {string} peerId */
  #mayConnect(peerId) {
    return this.#ownId !== null && (this.#connections.get(peerId) ?? 0) < CONNECTIONS_MAX;
  }

  /** @param {string} peerId */
  #remove(peerId) {
    const peer = this.#peers.get(peerId);
    if (!peer) return;
    this.#peers.delete(peerId);
    this.#absent.delete(peerId);
    peer.close();
    this.#options.events.onParticipantLeft(peerId);
  }

  /**
   * Signals come from members of our room only. If we do not know them, then because we have given
   * them up while they were away; and they us, if theirs is another connection than we know.
   * @param {import('./signaling.js').Signal} signal
   */
  #signalled({ peerId, message }) {
    const signal = parseSignal(message);
    const isOffer = signal !== null && 'description' in signal && signal.description.type === 'offer';

    this.#absent.delete(peerId);
    if (!this.#peers.has(peerId) && isOffer) this.#add({ peerId }, { offers: false });
    else if (this.#peers.get(peerId)?.isOfAnother(message)) this.#connect(peerId, !isOffer);
    if (isBack(message)) this.#cameBack(peerId);
    else this.#peers.get(peerId)?.receive(message);
  }

  /**
   * Somebody is at the hub again: says again what waits for their answer. Not as often as they like, for
   * it can be much, and the hub counts it as ours.
   * @param {string} peerId
   */
  #cameBack(peerId) {
    if (this.#welcomed.has(peerId)) return;
    this.#welcomed.add(peerId);
    this.#after(WELCOME_EVERY_MS, () => this.#welcomed.delete(peerId));
    this.#peers.get(peerId)?.resume();
  }

  /**
   * @param {string} peerId
   * @param {unknown} message
   */
  #send(peerId, message) {
    this.#options.send({ type: 'Signal', peerId, message });
  }

  // --- who is away -----------------------------------------------------------------------------

  /** @param {number} ms for so long the hub would keep their seat, had it not been started anew */
  #pardonAbsence(ms) {
    this.#isAbsencePardoned = true;
    this.#later(ms, () => {
      this.#isAbsencePardoned = false;
      for (const peerId of [...this.#absent]) {
        if (this.#peers.get(peerId)?.connectionState !== 'connected') this.#remove(peerId);
      }
    });
  }

  /**
   * @param {string} peerId
   * @param {RTCPeerConnectionState} state
   */
  #connectionChanged(peerId, state) {
    if (!this.#absent.has(peerId)) return;
    if (state === 'closed' || (state === 'failed' && !this.#isAbsencePardoned)) this.#remove(peerId);
  }

  // --- knocks and errors -----------------------------------------------------------------------

  /** @param {string} peerId */
  #endKnock(peerId) {
    if (this.#knocks.delete(peerId)) this.#options.events.onKnockEnded(peerId);
  }

  /** @param {import('./signaling.js').HubError} error */
  #failed({ code, peerId, retryAfterMs = RETRY_MS }) {
    if (peerId !== undefined) {
      // Of somebody in the room it says that they left this very moment, or that what we said is lost:
      // then they will tell us when they are back.
      if (this.#knocks.has(peerId)) this.#knockFailed(peerId, code);
    } else if (code === 'rate-limited') {
      this.#later(retryAfterMs, () => this.#sayAgain());
    } else if (code === 'bad-resume-token') {
      this.#resumeToken = null; // the old seat is gone: take a new one
      this.join();
    } else if (code === 'hub-full' && this.#ownId !== null) {
      this.#later(RETRY_FULL_MS, () => this.join());
    } else if (REFUSALS.has(code)) {
      this.#isAsking = false;
      this.#options.events.onRefused(code);
    }
  }

  /**
   * @param {string} peerId
   * @param {string} code
   */
  #knockFailed(peerId, code) {
    if (code === 'unknown-peer') this.#endKnock(peerId);
    if (code === 'room-full') this.#options.events.onNoRoom();
  }

  /** The hub does not tell what it was that came too fast. */
  #sayAgain() {
    if (this.#isAsking) this.join();
    else for (const peer of this.#peers.values()) peer.resume();
  }

  /**
   * @param {number} ms
   * @param {() => void} action
   */
  #after(ms, action) {
    const { setTimer = setTimeout } = this.#options;
    setTimer(action, ms);
  }

  /**
   * Unless we have asked again, got a seat or left meanwhile.
   * @param {number} ms
   * @param {() => void} action
   */
  #later(ms, action) {
    const turn = this.#turn;
    this.#after(ms, () => {
      if (turn === this.#turn) action();
    });
  }
}
