/**
 * One participant: one RTCPeerConnection with them.
 *
 * How a connection comes to be:
 *   1. the one who was in the room first offers: a microphone line, a camera line, a data channel;
 *   2. the newcomer answers in kind; both trickle their candidates as they find them;
 *   3. whenever a camera or microphone arrives, goes or changes, its track is put into the line
 *      that already stands (replaceTrack): no second negotiation, and no waiting for the camera.
 *
 * Spec: W3C WebRTC 1.0, section 10.7 "Perfect negotiation example".
 */
import { parseObject } from './signaling.js';

/** @typedef {'audio' | 'video'} Kind */
/** @typedef {{ microphone: boolean, camera: boolean }} MediaState */
/** @typedef {{ stream: MediaStream, audio: MediaStreamTrack | null, video: MediaStreamTrack | null }} LocalMedia */
/** @typedef {{ description: RTCSessionDescriptionInit } | { candidate: RTCIceCandidateInit | null }} PeerSignal */

/**
 * @typedef {object} PeerEvents
 * @property {(track: MediaStreamTrack) => void} onTrack
 * @property {(state: MediaState) => void} onMediaState           they muted themselves, or turned the camera on
 * @property {(state: RTCPeerConnectionState) => void} onConnectionState
 */

/**
 * @typedef {object} PeerOptions
 * @property {boolean} polite                 gives way when two offers cross: exactly one of us does
 * @property {boolean} offers                 makes the first offer: the one who was there first
 * @property {RTCIceServer[]} iceServers
 * @property {LocalMedia} local               read whenever lines are set up
 * @property {MediaState} mediaState          ours, told to them when the channel opens
 * @property {(signal: PeerSignal) => void} send
 * @property {PeerEvents} events
 * @property {(configuration: RTCConfiguration) => RTCPeerConnection} [connect]
 */

/** @type {readonly Kind[]} */
const KINDS = ['audio', 'video'];

const CANDIDATES_MAX = 200;
const ANSWER_TIMEOUT_MS = 10_000;
const OFFER_REPEATS_MAX = 2;
/** A connection that has not even begun by then is repaired like one that failed. */
const BEGIN_TIMEOUT_MS = 12_000;
const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 15_000;
/** The polite side leaves the repair to the other for so long. */
const RESTART_POLITE_EXTRA_MS = 5_000;

/** The version of what we say on the data channel. See docs/protocol.md, "Between the peers". */
const CHANNEL_VERSION = 1;

// ---------------------------------------------------------------------------------------------
// The rules, without a browser
// ---------------------------------------------------------------------------------------------

/**
 * Who gives way when offers cross. Any rule will do on which both agree without asking.
 * @param {string} ownId
 * @param {string} theirId
 */
export function isPolite(ownId, theirId) {
  return ownId < theirId;
}

/**
 * Tells whether to drop an offer that crosses our own. The polite side never does: it rolls back.
 * @param {{ polite: boolean, makingOffer: boolean, settingAnswer: boolean }} side
 * @param {RTCSignalingState} state
 */
export function dropsOffer({ polite, makingOffer, settingAnswer }, state) {
  if (polite) return false;
  return makingOffer || (state !== 'stable' && !settingAnswer);
}

/**
 * How long to wait before the next repair of a failed connection.
 * @param {number} attempt 0 for the first
 * @param {boolean} polite
 */
export function restartDelayMs(attempt, polite) {
  const delay = attempt === 0 ? 0 : Math.min(RESTART_MAX_MS, RESTART_FIRST_MS * 2 ** (attempt - 1));
  return polite ? delay + RESTART_POLITE_EXTRA_MS : delay;
}

/**
 * Reads what another participant sent through the hub, which relays anything.
 * @param {unknown} message
 * @returns {PeerSignal | null} null for what we do not understand
 */
export function parseSignal(message) {
  if (typeof message !== 'object' || message === null) return null;
  if ('description' in message) {
    const description = /** @type {Partial<RTCSessionDescriptionInit> | null} */ (message.description);
    const { type, sdp } = description ?? {};
    if ((type !== 'offer' && type !== 'answer') || typeof sdp !== 'string') return null;
    return { description: { type, sdp } };
  }
  if ('candidate' in message) {
    const { candidate } = message;
    if (candidate === null) return { candidate: null };
    if (typeof candidate !== 'object') return null;
    return { candidate: /** @type {RTCIceCandidateInit} */ (candidate) };
  }
  return null;
}

/**
 * The certificate that a description names: made for one RTCPeerConnection, so it tells one from another.
 * Spec: RFC 8122, section 5.
 * @param {string} [sdp]
 */
export function fingerprintOf(sdp) {
  return sdp?.match(/^a=fingerprint:\s*(\S+\s+\S+)/m)?.[1]?.toUpperCase() ?? null;
}

/**
 * Reads what another participant said on the data channel. Kinds we do not know are ignored: they are from the future.
 * @param {unknown} data
 * @returns {MediaState | null}
 */
export function parseMediaState(data) {
  const fields = parseObject(data);
  if (!fields || fields.kind !== 'state') return null;
  const { microphone, camera } = fields;
  if (typeof microphone !== 'boolean' || typeof camera !== 'boolean') return null;
  return { microphone, camera };
}

// ---------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------

export class Peer {
  #options;
  #pc;
  /** @type {RTCDataChannel} */
  #channel;
  #mediaState;

  /** What we send on. @type {Map<Kind, RTCRtpTransceiver>} */
  #lines = new Map();

  #mayOffer;
  #makingOffer = false;
  #settingAnswer = false;
  /** They have closed their side of the data channel, and nobody does that alone. */
  #hasHungUp = false;

  /** Our candidates that are not in the description we sent last. @type {(RTCIceCandidateInit | null)[]} */
  #found = [];
  /** Candidates that came before the description they belong to. @type {(RTCIceCandidateInit | null)[]} */
  #early = [];
  #candidateCount = 0;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #answerTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  #restarts = 0;

  /** @param {PeerOptions} options */
  constructor(options) {
    const connect = options.connect ?? ((configuration) => new RTCPeerConnection(configuration));
    this.#options = options;
    this.#mediaState = options.mediaState;
    this.#mayOffer = options.offers;
    this.#pc = connect({ iceServers: options.iceServers, bundlePolicy: 'max-bundle' });

    this.#pc.onnegotiationneeded = () => this.#offer();
    this.#pc.onicecandidate = ({ candidate }) => {
      this.#found.push(candidate ? candidate.toJSON() : null);
      this.#sendCandidates(this.#found.slice(-1));
    };
    this.#pc.ontrack = ({ track }) => options.events.onTrack(track);
    this.#pc.onconnectionstatechange = () => this.#connectionChanged();
    this.#channel = this.#openChannel();
    if (options.offers) this.#addLines();
    this.#restartAfter(BEGIN_TIMEOUT_MS + (options.polite ? RESTART_POLITE_EXTRA_MS : 0));
  }

  /** @returns {RTCPeerConnectionState} closed also when they have closed their side */
  get connectionState() {
    return this.#hasHungUp ? 'closed' : this.#pc.connectionState;
  }

  /**
   * Puts a track into the line of its kind, or takes it out. Nobody has to negotiate for that.
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    this.#lines.get(kind)?.sender.replaceTrack(track).catch(() => { /* the connection closed meanwhile */ });
  }

  /** @param {MediaState} state what we tell them about our microphone and camera */
  setMediaState(state) {
    this.#mediaState = state;
    this.#tellMediaState();
  }

  /**
   * Takes what this participant sent through the hub.
   * @param {unknown} message
   */
  async receive(message) {
    const signal = parseSignal(message);
    if (!signal || this.#isClosed) return;
    try {
      if ('description' in signal) await this.#receiveDescription(signal.description);
      else await this.#receiveCandidate(signal.candidate);
    } catch {
      // What they sent cannot be used. This ends our connection with them, and with nobody else.
      this.close();
      this.#options.events.onConnectionState('failed');
    }
  }

  /**
   * Whether this description is of another connection than the one we have: they have begun anew, and so
   * must we, for a connection keeps its certificate as long as it lives. One that we had to give up is none.
   * @param {unknown} message
   */
  isOfAnother(message) {
    const signal = parseSignal(message);
    if (!signal || !('description' in signal)) return false;
    if (this.#isClosed) return signal.description.type === 'offer';
    const [known, theirs] = [this.#pc.remoteDescription, signal.description].map((each) => fingerprintOf(each?.sdp));
    return known !== null && theirs !== null && known !== theirs;
  }

  /**
   * What we said may have been lost: our line to the hub was down, or theirs. Says again what still
   * waits for an answer, and repairs what has failed. Leaves a connection that works alone.
   */
  resume() {
    if (this.#pc.signalingState === 'have-local-offer') {
      this.#sendDescription();
      this.#expectAnswer(OFFER_REPEATS_MAX);
    } else if (this.#pc.connectionState === 'failed') {
      this.#restarts = 0;
      this.#scheduleRestart();
    } else if (this.#pc.connectionState !== 'connected') {
      this.#sendCandidates(this.#found);
    }
  }

  close() {
    clearTimeout(this.#answerTimer);
    clearTimeout(this.#restartTimer);
    this.#pc.onnegotiationneeded = this.#pc.onicecandidate = this.#pc.ontrack = null;
    this.#pc.onconnectionstatechange = null;
    this.#channel.onopen = this.#channel.onmessage = this.#channel.onclose = null;
    this.#pc.close();
  }

  get #isClosed() {
    return this.#pc.signalingState === 'closed';
  }

  // --- lines -----------------------------------------------------------------------------------

  /** The offering side: a line for each kind, with or without a track to put into it yet. */
  #addLines() {
    const { local } = this.#options;
    for (const kind of KINDS) {
      const line = this.#pc.addTransceiver(local[kind] ?? kind, { direction: 'sendrecv', streams: [local.stream] });
      this.#lines.set(kind, line);
    }
  }

  /** The answering side: their offer made the lines; ours go back on them. */
  async #joinLines() {
    const { local } = this.#options;
    for (const kind of KINDS) {
      const before = this.#lines.get(kind);
      if (before && before.mid !== null) continue;
      const line = this.#pc.getTransceivers().find((each) => each.mid !== null && each.receiver.track.kind === kind);
      if (!line) continue;
      // Our own offer was rolled back, and its line has no place in the session. (Stopping it instead
      // makes Chromium ask for a negotiation again and again.)
      if (before) before.direction = 'inactive';
      this.#lines.set(kind, line);
      line.direction = 'sendrecv';
      line.sender.setStreams?.(local.stream);
      if (local[kind]) await line.sender.replaceTrack(local[kind]);
    }
  }

  // --- negotiation -----------------------------------------------------------------------------

  async #offer() {
    if (!this.#mayOffer || this.#isClosed) return;
    try {
      this.#makingOffer = true;
      this.#found = [];
      await this.#pc.setLocalDescription();
      this.#sendDescription();
      this.#expectAnswer(OFFER_REPEATS_MAX);
    } catch {
      // Their offer came in between, or the connection closed: then there is nothing to offer.
    } finally {
      this.#makingOffer = false;
    }
  }

  #sendDescription() {
    const description = this.#pc.localDescription;
    if (description) this.#options.send({ description: { type: description.type, sdp: description.sdp } });
  }

  /**
   * An offer may be lost with somebody's socket. Say it again, not for ever.
   * @param {number} repeats how often still
   */
  #expectAnswer(repeats) {
    clearTimeout(this.#answerTimer);
    if (repeats === 0) return;
    this.#answerTimer = setTimeout(() => {
      if (this.#pc.signalingState !== 'have-local-offer') return;
      this.#sendDescription();
      this.#expectAnswer(repeats - 1);
    }, ANSWER_TIMEOUT_MS);
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #receiveDescription(description) {
    const pc = this.#pc;
    if (description.type === 'offer') {
      const side = { polite: this.#options.polite, makingOffer: this.#makingOffer, settingAnswer: this.#settingAnswer };
      if (dropsOffer(side, pc.signalingState)) return;
    } else if (pc.signalingState !== 'have-local-offer') {
      return; // an answer to an offer that we said twice, or took back
    }

    this.#settingAnswer = description.type === 'answer';
    try {
      await pc.setRemoteDescription(description); // rolls our own offer back if one is pending
    } finally {
      this.#settingAnswer = false;
    }
    this.#mayOffer = true;
    await this.#addEarlyCandidates();
    if (description.type === 'offer') await this.#answer();
  }

  async #answer() {
    await this.#joinLines();
    if (this.#pc.signalingState !== 'have-remote-offer') return; // the same offer, said again, is answered already
    this.#found = [];
    await this.#pc.setLocalDescription();
    this.#sendDescription();
  }

  // --- candidates ------------------------------------------------------------------------------

  /** @param {(RTCIceCandidateInit | null)[]} candidates ours */
  #sendCandidates(candidates) {
    for (const candidate of candidates) this.#options.send({ candidate });
  }

  /** @param {RTCIceCandidateInit | null} candidate null when they have no more */
  async #receiveCandidate(candidate) {
    this.#candidateCount += 1;
    if (this.#candidateCount > CANDIDATES_MAX) return;
    if (this.#pc.remoteDescription) await this.#addCandidate(candidate);
    else this.#early.push(candidate);
  }

  async #addEarlyCandidates() {
    this.#candidateCount = 0;
    const early = this.#early;
    this.#early = [];
    for (const candidate of early) await this.#addCandidate(candidate);
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #addCandidate(candidate) {
    try {
      await this.#pc.addIceCandidate(candidate ?? undefined);
    } catch {
      // One useless candidate (of a dropped offer, of a kind this browser does not know) costs only itself.
    }
  }

  // --- health ----------------------------------------------------------------------------------

  #connectionChanged() {
    const state = this.#pc.connectionState;
    if (state === 'connected') this.#restarts = 0;
    clearTimeout(this.#restartTimer);
    if (state === 'failed') this.#scheduleRestart();
    this.#options.events.onConnectionState(state);
  }

  /** Silence of half a minute, or another network: new candidates on both sides, the same session. */
  #scheduleRestart() {
    this.#restartAfter(restartDelayMs(this.#restarts, this.#options.polite));
  }

  /** @param {number} ms */
  #restartAfter(ms) {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => {
      if (this.#isClosed || this.#pc.connectionState === 'connected') return;
      // An offer that still waits for its answer does the same.
      if (this.#pc.signalingState === 'stable') this.#pc.restartIce();
      this.#restarts += 1;
      this.#scheduleRestart();
    }, ms);
  }

  // --- the data channel ------------------------------------------------------------------------

  #openChannel() {
    const channel = this.#pc.createDataChannel('aloha', { negotiated: true, id: 0 });
    channel.onopen = () => this.#tellMediaState();
    channel.onmessage = ({ data }) => {
      const state = parseMediaState(data);
      if (state) this.#options.events.onMediaState(state);
    };
    channel.onclose = () => {
      this.#hasHungUp = true;
      this.#options.events.onConnectionState('closed');
    };
    return channel;
  }

  #tellMediaState() {
    if (this.#channel.readyState !== 'open') return;
    this.#channel.send(JSON.stringify({ version: CHANNEL_VERSION, kind: 'state', ...this.#mediaState }));
  }
}
