/**
 * What is seen: the large picture, the strip, the switches, and every word to the person.
 *
 * The markup lies in views/room.html; this module fills it. It decides nothing about the call.
 * Text from others goes into the page by textContent only.
 */
import { nextActive } from './call.js';

/** @typedef {import('./peer.js').MediaState} MediaState */
/** @typedef {{ label: string, run: () => void }} Action */
/** @typedef {{ title: string, text: string, action?: Action }} Message */

/**
 * @typedef {object} StageActions
 * @property {() => void} toggleMicrophone
 * @property {() => void} toggleCamera
 * @property {() => void} copyLink
 * @property {() => void} leave
 * @property {(peerId: string) => void} admit   lets somebody in who knocked
 * @property {(peerId: string) => void} deny
 */

/**
 * @typedef {object} Tile
 * @property {string} name
 * @property {HTMLButtonElement} element
 * @property {HTMLVideoElement} video
 * @property {HTMLAudioElement} audio
 * @property {MediaState | null} state     as they told us; null as long as they have not
 * @property {boolean} hasPicture          a frame has arrived
 * @property {string} note                 "Connecting…", or nothing
 */

const CONNECTION_NOTES = {
  new: 'Connecting…',
  connecting: 'Connecting…',
  connected: '',
  disconnected: 'Reconnecting…',
  failed: 'Cannot connect',
  closed: '',
};

const COPIED_FOR_MS = 2_000;

/** @type {Promise<void>} */
const pageLoaded = new Promise((resolve) => {
  if (document.readyState === 'complete') resolve();
  else window.addEventListener('load', () => resolve(), { once: true });
});

export class Stage {
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {string | null} */
  #chosen = null;
  /** @type {string | null} */
  #active = null;
  /** Out of the room, at its door, or in it. @type {'out' | 'waiting' | 'joined'} */
  #presence = 'out';
  /** The prompts about those who knock. @type {Map<string, HTMLElement>} */
  #knocks = new Map();

  #page = find('call');
  #strip = find('participants');
  #picture = find('picture');
  #activeVideo = /** @type {HTMLVideoElement} */ (find('active-participant'));
  #activeAvatar = find('active-avatar');
  #activeName = find('active-name');
  #invite = find('invite');
  #waiting = find('waiting');
  #link = /** @type {HTMLInputElement} */ (find('link'));
  #status = find('status');
  #notice = find('notice');
  #knockList = find('knocks');
  #knockTemplate = /** @type {HTMLTemplateElement} */ (find('knock'));
  #actions;
  #hear = find('hear');
  #curtain = find('curtain');
  #announcer = find('announcer');
  #tileTemplate = /** @type {HTMLTemplateElement} */ (find('tile'));

  /** @param {StageActions} actions */
  constructor(actions) {
    this.#actions = actions;
    find('toggle-microphone').onclick = actions.toggleMicrophone;
    find('toggle-camera').onclick = actions.toggleCamera;
    find('copy-link').onclick = actions.copyLink;
    find('invite-copy').onclick = actions.copyLink;
    find('leave').onclick = actions.leave;
    // Any touch of the page counts as leave to play sound; the button only says so.
    document.addEventListener('click', () => { if (!this.#hear.hidden) this.#playAll(); });
    this.#link.onfocus = () => this.#link.select();
    this.#strip.onclick = ({ target }) => {
      const tile = target instanceof Element ? target.closest('[data-peer-id]') : null;
      if (tile instanceof HTMLElement && tile.dataset.peerId) this.#choose(tile.dataset.peerId);
    };
  }

  // --- participants ----------------------------------------------------------------------------

  /** @param {MediaStream} stream our own camera; never played aloud */
  showMe(stream) {
    const tile = this.#addTile('me', 'You');
    this.#attach(tile.video, stream);
    this.#render();
  }

  /**
   * @param {string} peerId
   * @param {string} [name]
   */
  addParticipant(peerId, name) {
    const tile = this.#addTile(peerId, name || this.#freeGuestName());
    tile.note = CONNECTION_NOTES.new;
    this.announce(`${tile.name} joined`);
    this.#render();
  }

  /** @param {string} peerId */
  removeParticipant(peerId) {
    const tile = this.#tiles.get(peerId);
    if (!tile) return;
    this.#tiles.delete(peerId);
    const hadFocus = tile.element === document.activeElement;
    tile.element.remove();
    tile.video.srcObject = tile.audio.srcObject = null;
    this.announce(`${tile.name} left`);
    if (hadFocus) this.#tiles.get('me')?.element.focus();
    this.#render();
  }

  /**
   * Sound and picture play in elements of their own, so that neither waits for the other.
   * @param {string} peerId
   * @param {MediaStreamTrack} track
   */
  async setTrack(peerId, track) {
    const tile = this.#tiles.get(peerId);
    if (!tile) return;
    const element = track.kind === 'video' ? tile.video : tile.audio;
    await this.#attach(element, new MediaStream([track]));
    if (element === tile.audio) tile.audio.play().catch((error) => this.#soundRefused(error));
  }

  /**
   * @param {string} peerId
   * @param {MediaState} state
   */
  setMediaState(peerId, state) {
    const tile = this.#tiles.get(peerId);
    if (!tile) return;
    tile.state = state;
    this.#render();
  }

  /**
   * @param {string} peerId
   * @param {RTCPeerConnectionState} state
   */
  setConnectionState(peerId, state) {
    const tile = this.#tiles.get(peerId);
    if (!tile) return;
    tile.note = CONNECTION_NOTES[state];
    this.#render();
  }

  /** In the room, an empty one is worth an invitation; at its door, a word of what we wait for. @param {'out' | 'waiting' | 'joined'} presence */
  setPresence(presence) {
    if (presence === 'waiting' && this.#presence !== presence) this.announce(this.#waiting.textContent ?? '');
    this.#presence = presence;
    this.#render();
  }

  // --- who knocks ------------------------------------------------------------------------------

  /**
   * @param {string} peerId
   * @param {string} [name]
   */
  addKnock(peerId, name) {
    if (this.#knocks.has(peerId)) return;
    const fragment = /** @type {DocumentFragment} */ (this.#knockTemplate.content.cloneNode(true));
    const element = /** @type {HTMLElement} */ (fragment.firstElementChild);
    const text = `${name || 'Somebody'} wants to come in`;
    setText(element, '.text', text);
    for (const [selector, answer] of /** @type {const} */ ([['.admit', this.#actions.admit], ['.deny', this.#actions.deny]])) {
      const button = /** @type {HTMLButtonElement} */ (element.querySelector(selector));
      if (name) button.setAttribute('aria-label', `${button.textContent}: ${name}`);
      button.onclick = () => answer(peerId);
    }
    this.#knockList.append(element);
    this.#knocks.set(peerId, element);
    this.announce(text);
  }

  /** @param {string} peerId */
  removeKnock(peerId) {
    const element = this.#knocks.get(peerId);
    this.#knocks.delete(peerId);
    const hadFocus = element?.contains(document.activeElement);
    element?.remove();
    if (hadFocus) this.#tiles.get('me')?.element.focus();
  }

  // --- switches --------------------------------------------------------------------------------

  /**
   * @param {MediaState} switches  how they stand
   * @param {MediaState} state     what is heard and seen of us
   * @param {string} note          "Starting…", or nothing
   */
  setControls(switches, state, note) {
    setSwitch('toggle-microphone', switches.microphone, 'Turn microphone off', 'Turn microphone on');
    setSwitch('toggle-camera', switches.camera, 'Turn camera off', 'Turn camera on');
    const me = this.#tiles.get('me');
    if (!me) return;
    me.state = state;
    me.note = note;
    this.#render();
  }

  showCopied() {
    this.announce('Link copied');
    for (const { dataset } of [find('copy-link'), find('invite-copy')]) {
      dataset.done = '';
      setTimeout(() => delete dataset.done, COPIED_FOR_MS);
    }
  }

  /**
   * The way for pages opened by plain http, where browsers offer no clipboard: select, and copy the selection.
   * @returns {boolean} whether the browser did it
   */
  copySelectedLink() {
    this.#invite.hidden = false;
    this.#link.select();
    const isCopied = document.execCommand('copy');
    this.#render();
    return isCopied;
  }

  // --- words -----------------------------------------------------------------------------------

  /** @param {string} link the address that others open */
  setLink(link) {
    this.#link.value = link;
  }

  /** For ears only. @param {string} text */
  announce(text) {
    this.#announcer.textContent = text;
  }

  /** A line that stays as long as it is true. @param {string} text empty for none */
  setStatus(text) {
    this.#status.textContent = text;
    this.#status.hidden = text === '';
  }

  /** Something is wrong, but the call goes on. @param {Message | null} message */
  setNotice(message) {
    this.#notice.hidden = message === null;
    if (!message) return;
    fillMessage(this.#notice, message);
    const close = this.#notice.querySelector('.notice-close');
    if (close instanceof HTMLElement) close.onclick = () => { this.#notice.hidden = true; };
  }

  /** There is no call: says why, and what now. @param {Message | null} message */
  setCurtain(message) {
    this.#curtain.hidden = message === null;
    this.#page.hidden = message !== null;
    if (!message) return;
    fillMessage(this.#curtain, message);
    this.announce(`${message.title}. ${message.text}`);
    const heading = this.#curtain.querySelector('h1');
    heading?.focus();
  }

  // --- inside ----------------------------------------------------------------------------------

  /**
   * @param {string} peerId
   * @param {string} name
   * @returns {Tile}
   */
  #addTile(peerId, name) {
    const fragment = /** @type {DocumentFragment} */ (this.#tileTemplate.content.cloneNode(true));
    const element = /** @type {HTMLButtonElement} */ (fragment.firstElementChild);
    const video = /** @type {HTMLVideoElement} */ (element.querySelector('video'));
    const audio = /** @type {HTMLAudioElement} */ (element.querySelector('audio'));
    /** @type {Tile} */
    const tile = { name, element, video, audio, state: null, hasPicture: false, note: '' };

    element.dataset.peerId = peerId;
    element.style.setProperty('--hue', hueOf(peerId));
    video.muted = true;
    video.onresize = () => {
      tile.hasPicture = video.videoWidth > 0;
      this.#render();
    };
    this.#strip.append(element);
    this.#tiles.set(peerId, tile);
    return tile;
  }

  /**
   * A stream that has no frame yet holds back the load event of the page, for ever if none comes.
   * @param {HTMLMediaElement} element
   * @param {MediaStream} stream
   */
  async #attach(element, stream) {
    await pageLoaded;
    element.srcObject = stream;
    this.#render();
  }

  /** Who has no name gets a number, the smallest that nobody here has. */
  #freeGuestName() {
    const taken = new Set([...this.#tiles.values()].map((tile) => tile.name));
    let number = 1;
    while (taken.has(`Guest ${number}`)) number += 1;
    return `Guest ${number}`;
  }

  /** @param {string} peerId */
  #choose(peerId) {
    this.#chosen = peerId;
    this.#render();
  }

  /** Brings the page in line with what is known. Cheap enough to do after every change. */
  #render() {
    const present = [...this.#tiles.keys()];
    if (this.#chosen !== null && !this.#tiles.has(this.#chosen)) this.#chosen = null;
    this.#active = nextActive(present, this.#chosen, this.#active);
    for (const [peerId, tile] of this.#tiles) this.#renderTile(tile, peerId === this.#active);
    this.#renderActive();
    this.#strip.style.setProperty('--count', String(present.length));
    this.#invite.hidden = this.#presence !== 'joined' || present.length > 1;
    this.#waiting.hidden = this.#presence !== 'waiting';
  }

  /**
   * @param {Tile} tile
   * @param {boolean} isActive
   */
  #renderTile({ element, name, state, hasPicture, note }, isActive) {
    const isMuted = state?.microphone === false;
    const hasVideo = hasPicture && state?.camera !== false;
    element.setAttribute('aria-pressed', String(isActive));
    element.setAttribute('aria-label', [name, isMuted && 'microphone off', !hasVideo && 'no picture', note].filter(Boolean).join(', '));
    element.toggleAttribute('data-muted', isMuted);
    element.toggleAttribute('data-no-picture', !hasVideo);
    setText(element, '.avatar', initialOf(name));
    setText(element, '.tile-name', name);
    setText(element, '.tile-note', note);
  }

  #renderActive() {
    const tile = this.#tiles.get(this.#active ?? 'me');
    if (!tile) return;
    const hasVideo = tile.hasPicture && tile.state?.camera !== false;
    if (this.#activeVideo.srcObject !== tile.video.srcObject) this.#activeVideo.srcObject = tile.video.srcObject;
    this.#activeVideo.hidden = !hasVideo;
    this.#activeAvatar.hidden = hasVideo;
    this.#activeAvatar.textContent = initialOf(tile.name);
    this.#activeAvatar.style.setProperty('--hue', hueOf(tile.element.dataset.peerId ?? ''));
    this.#activeName.textContent = [tile.name, tile.note].filter(Boolean).join(' · ');
    this.#picture.toggleAttribute('data-muted', tile.state?.microphone === false);
    this.#picture.toggleAttribute('data-video', hasVideo);
    this.#picture.style.setProperty('--width', String(tile.video.videoWidth));
    this.#picture.style.setProperty('--height', String(tile.video.videoHeight));
  }

  /** A browser may keep silence until the person has touched the page. @param {unknown} error */
  #soundRefused(error) {
    if (error instanceof DOMException && error.name === 'NotAllowedError') this.#hear.hidden = false;
  }

  #playAll() {
    this.#hear.hidden = true;
    for (const { audio } of this.#tiles.values()) {
      if (audio.srcObject) audio.play().catch((error) => this.#soundRefused(error));
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Small helpers
// ---------------------------------------------------------------------------------------------

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function find(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`views/room.html has no #${id}`);
  return element;
}

/**
 * @param {Element} parent
 * @param {string} selector
 * @param {string} text
 */
function setText(parent, selector, text) {
  const element = parent.querySelector(selector);
  if (element && element.textContent !== text) element.textContent = text;
}

/**
 * @param {string} id
 * @param {boolean} isOn
 * @param {string} labelOn   what a press does when it is on
 * @param {string} labelOff
 */
function setSwitch(id, isOn, labelOn, labelOff) {
  const button = find(id);
  button.setAttribute('aria-pressed', String(isOn));
  button.dataset.tooltip = isOn ? labelOn : labelOff;
}

/**
 * @param {HTMLElement} element with .title, .text and .action inside
 * @param {Message} message
 */
function fillMessage(element, { title, text, action }) {
  setText(element, '.title', title);
  setText(element, '.text', text);
  const button = element.querySelector('.action');
  if (!(button instanceof HTMLButtonElement)) return;
  button.hidden = action === undefined;
  button.textContent = action?.label ?? '';
  button.onclick = () => action?.run();
}

/** @param {string} name */
function initialOf(name) {
  return name.match(/^Guest (\d+)$/)?.[1] ?? [...name][0]?.toUpperCase() ?? '?';
}

/** A colour for each person, the same for as long as they are here. @param {string} id */
function hueOf(id) {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.charCodeAt(0)) % 360;
  return String(hash);
}
