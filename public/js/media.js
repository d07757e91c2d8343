/**
 * Camera and microphone: asks for them, switches them, and says in plain words what is wrong.
 *
 * A call never waits for them and never fails without them: who has neither can still watch and listen.
 */

/** @typedef {'audio' | 'video'} Kind */
/** @typedef {{ title: string, text: string, isCurable: boolean }} Problem  curable: trying again may help */

/**
 * @typedef {object} MediaEvents
 * @property {(kind: Kind, track: MediaStreamTrack | null) => void} onTrack  a device came, went, or was exchanged
 * @property {() => void} onChange                       what is on and what is off has changed
 * @property {(problem: Problem | null) => void} onProblem  null when all is well again
 */

/** @typedef {Pick<MediaDevices, 'getUserMedia'> & Partial<Pick<MediaDevices, 'addEventListener' | 'removeEventListener'>>} Devices */

/** What we ask of a device. Each participant's picture is encoded once for each other: be modest. */
const CONSTRAINTS = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 30, max: 30 }, facingMode: 'user' },
};

/** @type {readonly Kind[]} */
const KINDS = ['audio', 'video'];

/** A device that was there and is gone. Named like the errors of getUserMedia, which does not know this one. */
const DEVICE_LOST = 'DeviceLostError';
/** Plain http: the browser does not even offer devices. */
const INSECURE = 'InsecureContextError';

// ---------------------------------------------------------------------------------------------
// Words
// ---------------------------------------------------------------------------------------------

const NOUNS = {
  audio: { it: 'it', the: 'the microphone', no: 'microphone', Name: 'Microphone', need: 'needs' },
  video: { it: 'it', the: 'the camera', no: 'camera', Name: 'Camera', need: 'needs' },
  both: { it: 'them', the: 'the camera and the microphone', no: 'camera or microphone', Name: 'Camera and microphone', need: 'need' },
};

const MEANWHILE = {
  audio: 'You hear the others; they do not hear you.',
  video: 'You see the others; they do not see you.',
  both: 'You see and hear the others; they do not see or hear you.',
};

/**
 * Says what went wrong and what to do about it.
 * Spec: W3C Media Capture and Streams, section 10.2 "getUserMedia()", for the names.
 * @param {string} name of the DOMException
 * @param {Kind | 'both'} kind
 * @returns {Problem}
 */
export function describeProblem(name, kind) {
  const noun = NOUNS[kind];
  const meanwhile = MEANWHILE[kind];
  switch (name) {
    case INSECURE:
      return {
        title: `${noun.Name} ${noun.need} a secure address`,
        text: `Browsers keep ${noun.the} from pages opened by plain http. Open this page by https, `
          + `or on the server's own computer as http://localhost. ${meanwhile}`,
        isCurable: false,
      };
    case 'NotAllowedError':
    case 'SecurityError':
      return {
        title: `${noun.Name} not allowed`,
        text: `The browser keeps ${noun.the} from this page. Allow ${noun.it} by the icon beside the address, then try again. ${meanwhile}`,
        isCurable: true,
      };
    case 'NotFoundError':
    case 'OverconstrainedError':
      return { title: `No ${noun.no} found`, text: `Plug one in, then try again. ${meanwhile}`, isCurable: true };
    case 'NotReadableError':
    case 'AbortError':
      return {
        title: `${noun.Name} busy`,
        text: `Another program seems to be using ${noun.the}. Close that program, then try again. ${meanwhile}`,
        isCurable: true,
      };
    case DEVICE_LOST:
      return {
        title: `${noun.Name} gone`,
        text: `Unplugged, or switched off. Connect ${noun.it} again, then try again. ${meanwhile}`,
        isCurable: true,
      };
    default:
      return { title: `${noun.Name} not working`, text: `The browser could not start ${noun.the}. ${meanwhile}`, isCurable: true };
  }
}

/**
 * Two devices with the same trouble get one message; with two troubles, the titles of both.
 * @param {Partial<Record<Kind, string>>} failures name of the error for each device that failed
 * @returns {Problem | null}
 */
export function describeFailures({ audio, video }) {
  if (audio && video) {
    if (audio === video) return describeProblem(audio, 'both');
    const [camera, microphone] = [describeProblem(video, 'video'), describeProblem(audio, 'audio')];
    return {
      title: `${camera.title}, ${lowerFirst(microphone.title)}`,
      text: MEANWHILE.both,
      isCurable: camera.isCurable || microphone.isCurable,
    };
  }
  if (video) return describeProblem(video, 'video');
  if (audio) return describeProblem(audio, 'audio');
  return null;
}

/** @param {string} text */
const lowerFirst = (text) => text.charAt(0).toLowerCase() + text.slice(1);

/** @param {unknown} error */
const nameOf = (error) => (error instanceof Error || error instanceof DOMException ? error.name : 'UnknownError');

// ---------------------------------------------------------------------------------------------
// Devices
// ---------------------------------------------------------------------------------------------

export class Media {
  /** Names our tracks as one stream to the others, and shows us ourselves. */
  stream = new MediaStream();

  #events;
  #devices;
  /** What the person wants, whether or not a device is there yet. @type {Record<Kind, boolean>} */
  #wanted = { audio: true, video: true };
  /** Why a device is not there. @type {Partial<Record<Kind, string>>} */
  #failures = {};
  /** Requests that the browser has not answered yet. @type {Set<Kind>} */
  #pending = new Set();
  #isStopped = true;

  /**
   * @param {MediaEvents} events
   * @param {Devices | undefined} [devices] absent in a page that was opened by plain http
   */
  constructor(events, devices = navigator.mediaDevices) {
    this.#events = events;
    this.#devices = devices;
  }

  get audio() {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  get video() {
    return this.stream.getVideoTracks()[0] ?? null;
  }

  /** What is heard and seen of us. @returns {import('./peer.js').MediaState} */
  get state() {
    return { microphone: this.audio?.enabled ?? false, camera: this.video !== null };
  }

  /** How the switches stand: a device that is still starting counts as on. @returns {import('./peer.js').MediaState} */
  get switches() {
    return { microphone: this.#isSwitchedOn('audio'), camera: this.#isSwitchedOn('video') };
  }

  /** Is the browser, or the person asked by it, still thinking? */
  get isStarting() {
    return this.#pending.size > 0;
  }

  /**
   * Asks for what is wanted and not there. Also the "try again".
   * @param {readonly Kind[]} kinds
   */
  async start(kinds = KINDS) {
    this.#isStopped = false;
    this.#devices?.addEventListener?.('devicechange', this.#onDeviceChange);
    const missing = kinds.filter((kind) => this.#wanted[kind] && !this[kind] && !this.#pending.has(kind));
    if (missing.length > 0) await this.#acquire(missing);
  }

  /** Releases everything: no light stays on. */
  stop() {
    this.#isStopped = true;
    this.#devices?.removeEventListener?.('devicechange', this.#onDeviceChange);
    this.#failures = {};
    for (const kind of KINDS) this.#release(kind);
  }

  /**
   * Mute is instant and local: the device stays ours, and sends silence.
   * @param {boolean} on
   */
  async setMicrophone(on) {
    this.#wanted.audio = on;
    if (this.audio) this.audio.enabled = on;
    this.#events.onChange();
    if (on) await this.start(['audio']);
  }

  /**
   * Off really lets the camera go, so that its light goes off.
   * @param {boolean} on
   */
  async setCamera(on) {
    this.#wanted.video = on;
    if (!on) this.#release('video');
    this.#events.onChange();
    if (on) await this.start(['video']);
  }

  /** @param {Kind} kind */
  #isSwitchedOn(kind) {
    return this.#wanted[kind] && (this[kind] !== null || this.#pending.has(kind));
  }

  /** @param {Kind[]} kinds */
  async #acquire(kinds) {
    kinds.forEach((kind) => this.#pending.add(kind));
    this.#events.onChange();

    const failure = await this.#request(kinds);
    if (failure === null) kinds.forEach((kind) => delete this.#failures[kind]);
    else if (kinds.length === 1) this.#fail(kinds, failure);
    else await this.#acquireOneByOne(kinds, failure);

    kinds.forEach((kind) => this.#pending.delete(kind));
    if (!this.#isStopped) this.#tell();
  }

  /**
   * Asked for both, the browser gives both or none. One of them may still work.
   * @param {Kind[]} kinds
   * @param {string} failure
   */
  async #acquireOneByOne(kinds, failure) {
    this.#fail(kinds, failure);
    const permissions = await Promise.all(kinds.map(permissionFor));
    for (const [index, kind] of kinds.entries()) {
      // A person who said no is not asked again, except for a device that they did not refuse.
      const isUnrefused = permissions[index] === 'granted'
        || (permissions[index] === 'prompt' && permissions.includes('denied'));
      if (failure === 'NotAllowedError' && !isUnrefused) continue;
      const own = await this.#request([kind]);
      if (own === null) delete this.#failures[kind];
      else this.#fail([kind], own);
    }
  }

  /**
   * @param {Kind[]} kinds
   * @returns {Promise<string | null>} the name of the error, or null
   */
  async #request(kinds) {
    if (!this.#devices) return INSECURE;
    try {
      const constraints = Object.fromEntries(kinds.map((kind) => [kind, CONSTRAINTS[kind]]));
      const stream = await this.#devices.getUserMedia(constraints);
      stream.getTracks().forEach((track) => this.#take(track));
      return null;
    } catch (error) {
      return nameOf(error);
    }
  }

  /** @param {MediaStreamTrack} track */
  #take(track) {
    const kind = /** @type {Kind} */ (track.kind);
    const isUnwanted = kind === 'video' && !this.#wanted.video;
    if (this.#isStopped || isUnwanted || this[kind]) {
      track.stop(); // the person changed their mind while the browser was asking
      return;
    }
    track.enabled = this.#wanted[kind];
    track.onended = () => this.#lost(kind);
    this.stream.addTrack(track);
    this.#events.onTrack(kind, track);
  }

  /** @param {Kind} kind */
  #release(kind) {
    const track = this[kind];
    if (!track) return;
    track.onended = null;
    track.stop();
    this.stream.removeTrack(track);
    this.#events.onTrack(kind, null);
  }

  /**
   * Unplugged, or taken back by the person: perhaps there is another one.
   * @param {Kind} kind
   */
  async #lost(kind) {
    this.#release(kind);
    this.#events.onChange();
    const permission = await permissionFor(kind);
    const isReplaced = permission === 'granted' && (await this.#request([kind])) === null;
    if (this.#isStopped) return;
    if (!isReplaced) this.#fail([kind], permission === 'denied' ? 'NotAllowedError' : DEVICE_LOST);
    this.#tell();
  }

  #tell() {
    this.#events.onProblem(describeFailures(this.#failures));
    this.#events.onChange();
  }

  /** Something was plugged in or out: whoever misses a device gets it without asking. */
  #onDeviceChange = () => {
    const isAwaited = KINDS.some((kind) => [DEVICE_LOST, 'NotFoundError'].includes(this.#failures[kind] ?? ''));
    if (isAwaited) this.start();
  };

  /**
   * @param {Kind[]} kinds
   * @param {string} name
   */
  #fail(kinds, name) {
    for (const kind of kinds) this.#failures[kind] = name;
  }
}

/**
 * What the person has said about a device so far. A browser that does not tell counts as undecided.
 * @param {Kind} kind
 * @returns {Promise<PermissionState>}
 */
async function permissionFor(kind) {
  try {
    const name = /** @type {PermissionName} */ (kind === 'audio' ? 'microphone' : 'camera');
    return (await navigator.permissions.query({ name })).state;
  } catch {
    return 'prompt';
  }
}
