// Real browsers: started with fake cameras and microphones, one process for each participant, so that each has what a
// person at another computer would have.
import assert from 'node:assert/strict';
import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { repository } from './server.mjs';
import { pause, within } from './wait.mjs';

/** How long a call may take to come about. Generous: two cores encode and decode for all participants. */
const CALL_MS = Number(process.env.ALOHA_TEST_DEADLINE_MS ?? 60_000);

export const artifacts = path.join(repository, 'tests/e2e/artifacts');

/** @typedef {'chromium' | 'firefox'} Kind */

const NAMES = {
  chromium: { env: 'ALOHA_CHROMIUM', commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'], install: 'chromium' },
  firefox: { env: 'ALOHA_FIREFOX', commands: ['firefox-esr', 'firefox'], install: 'firefox-esr' },
};

/** Where a browser is. A missing one is a failure: a call that was not tried is not a call that works. @param {Kind} kind */
export function executableOf(kind) {
  const { env, commands, install } = NAMES[kind];
  const given = process.env[env];
  if (given) return given;
  for (const command of commands) {
    for (const folder of (process.env.PATH ?? '').split(':')) {
      try {
        accessSync(path.join(folder, command), constants.X_OK);
        return path.join(folder, command);
      } catch {
        // not there
      }
    }
  }
  throw new Error(`no ${kind} to test with: install ${install}, or say where it is with ${env}`);
}

const CHROMIUM_ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps',
  '--no-pings', '--metrics-recording-only', '--disable-dev-shm-usage', '--mute-audio'];

const FIREFOX_PREFS = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.peerconnection.ice.loopback': true,
  'media.autoplay.default': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.trr.mode': 5,
  'network.dns.disablePrefetch': true,
  'network.prefetch-next': false,
  'app.update.enabled': false,
  'app.normandy.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.safebrowsing.downloads.remote.enabled': false,
  'browser.safebrowsing.provider.google4.updateURL': '',
  'browser.safebrowsing.provider.google4.gethashURL': '',
  'browser.safebrowsing.provider.mozilla.updateURL': '',
  'browser.region.network.url': '',
  'browser.search.update': false,
  'datareporting.healthreport.uploadEnabled': false,
  'toolkit.telemetry.server': '',
  'toolkit.telemetry.unified': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'extensions.update.enabled': false,
  'extensions.getAddons.cache.enabled': false,
  'media.gmp-manager.url': '',
  'media.gmp-manager.updateEnabled': false,
};

/**
 * @typedef {object} How
 * @property {Kind} [kind]
 * @property {'granted' | 'denied'} [permission]  what the person answers when asked for camera and microphone
 * @property {boolean} [devices]                  false: the computer has neither
 * @property {boolean} [autoplay]                 false: sound wants a gesture first, as by default
 * @property {string[]} [args]                    more of them for Chromium
 * @property {{ width: number, height: number, isMobile?: boolean, hasTouch?: boolean }} [viewport]
 */

/** @type {Set<import('puppeteer-core').Browser>} */
const running = new Set();
process.on('exit', () => {
  for (const browser of running) browser.process()?.kill('SIGKILL');
});

/** @param {How} how */
async function launch({ kind = 'chromium', permission = 'granted', devices = true, autoplay = true, args = [] }) {
  const common = { executablePath: executableOf(kind), headless: true, protocolTimeout: 120_000, timeout: 60_000, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  const browser = kind === 'firefox'
    ? await puppeteer.launch({ ...common, browser: 'firefox', extraPrefsFirefox: FIREFOX_PREFS })
    : await puppeteer.launch({
      ...common,
      pipe: true,
      args: [
        ...CHROMIUM_ARGS,
        ...args,
        ...(devices ? ['--use-fake-device-for-media-stream=fps=10'] : []),
        permission === 'granted' ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts',
        `--autoplay-policy=${autoplay ? 'no-user-gesture-required' : 'document-user-activation-required'}`,
      ],
    });
  running.add(browser);
  browser.once('disconnected', () => running.delete(browser));
  return browser;
}

/**
 * Runs in the page before its own scripts: keeps hold of every RTCPeerConnection, counts the frames that are shown, and
 * writes down what the hub says and which tiles go.
 */
function installProbe() {
  /** @type {any[]} */
  const heard = [];
  window.WebSocket = class extends WebSocket {
    /** @param {ConstructorParameters<typeof WebSocket>} args */
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        try {
          heard.push(JSON.parse(data));
        } catch {
          // a hub of a test may talk nonsense
        }
      });
    }
  };
  /** @type {string[]} */
  const vanished = [];
  const watchTiles = () => new MutationObserver((changes) => {
    for (const { removedNodes } of changes) {
      for (const node of removedNodes) if (node instanceof HTMLElement) vanished.push(node.dataset.peerId ?? '');
    }
  }).observe(/** @type {Node} */ (document.getElementById('participants') ?? document), { childList: true });
  document.addEventListener('DOMContentLoaded', watchTiles);

  const real = window.RTCPeerConnection;
  /** @type {RTCPeerConnection[]} */
  const connections = [];
  /** @type {{ index: number, state: string }[]} */
  const states = [];
  window.RTCPeerConnection = new Proxy(real, {
    construct(target, args, newTarget) {
      const pc = Reflect.construct(target, args, newTarget);
      const index = connections.push(pc) - 1;
      pc.addEventListener('connectionstatechange', () => states.push({ index, state: pc.connectionState }));
      return pc;
    },
  });
  /** @type {WeakMap<HTMLVideoElement, { frames: number }>} */
  const counters = new WeakMap();
  /** @param {HTMLVideoElement} video */
  const counterOf = (video) => {
    const known = counters.get(video);
    if (known) return known;
    const counter = { frames: 0 };
    counters.set(video, counter);
    const again = () => video.requestVideoFrameCallback(() => {
      counter.frames++;
      again();
    });
    again();
    return counter;
  };
  /** @param {string | undefined} sdp */
  const fingerprintOf = (sdp) => /a=fingerprint:(.*)/.exec(sdp ?? '')?.[1].trim().toUpperCase() ?? '';
  /** @param {Element} element */
  const isShown = (element) => element.checkVisibility?.() ?? element.getClientRects().length > 0;

  Object.assign(window, {
    probe: {
      async sample() {
        const result = [];
        for (const [index, pc] of connections.entries()) {
          if (pc.connectionState !== 'connected') continue;
          const one = {
            index,
            local: fingerprintOf(pc.localDescription?.sdp),
            remote: fingerprintOf(pc.remoteDescription?.sdp),
            framesDecoded: 0,
            packetsReceived: 0,
            peerId: '',
            width: 0,
            currentTime: 0,
            framesShown: 0,
            isPlaying: false,
            isAudible: false,
          };
          for (const report of (await pc.getStats()).values()) {
            if (report.type !== 'inbound-rtp') continue;
            if (report.kind === 'video') one.framesDecoded += report.framesDecoded ?? 0;
            if (report.kind === 'audio') one.packetsReceived += report.packetsReceived ?? 0;
          }
          const tracks = pc.getReceivers().map((receiver) => receiver.track);
          const plays = (/** @type {HTMLMediaElement} */ element, /** @type {string} */ kind) =>
            element.srcObject instanceof MediaStream && element.srcObject.getTracks().some((track) => track.kind === kind && tracks.includes(track));
          for (const video of document.querySelectorAll('video')) {
            if (!plays(video, 'video') || video.id === 'active-participant') continue;
            one.peerId = video.closest('[data-peer-id]')?.getAttribute('data-peer-id') ?? '';
            one.width = video.videoWidth;
            one.currentTime = video.currentTime;
            one.framesShown = counterOf(video).frames;
            one.isPlaying = !video.paused && isShown(video);
          }
          for (const element of document.querySelectorAll('audio, video')) {
            const media = /** @type {HTMLMediaElement} */ (element);
            if (plays(media, 'audio') && !media.muted && !media.paused && media.volume > 0) one.isAudible = true;
          }
          result.push(one);
        }
        return result;
      },
      /** What the large picture shows: the id of the strip item with the same picture. */
      active() {
        const large = /** @type {HTMLVideoElement} */ (document.getElementById('active-participant'));
        const shown = large.srcObject instanceof MediaStream ? large.srcObject.getVideoTracks()[0]?.id : undefined;
        for (const item of document.querySelectorAll('#participants [data-peer-id]')) {
          const video = item.querySelector('video');
          if (shown && video?.srcObject instanceof MediaStream && video.srcObject.getVideoTracks()[0]?.id === shown) {
            return { peerId: item.getAttribute('data-peer-id'), width: large.videoWidth, frames: counterOf(large).frames, currentTime: large.currentTime, paused: large.paused, muted: large.muted };
          }
        }
        return null;
      },
      /** Every message of the hub, in the order of arrival. */
      heard: () => heard,
      /** The ids of all tiles that were taken away. */
      vanished: () => vanished,
      /** Every change of a connection's state. */
      states: () => states,
      open: () => connections.filter((pc) => pc.connectionState !== 'closed').length,
    },
  });
}

/** One participant: a browser of its own with the page of a room in it. */
export class Person {
  /** @type {import('puppeteer-core').Browser} */
  browser;
  /** @type {import('puppeteer-core').Page} */
  page;
  /** @type {string[]} every address that was asked for */
  requests = [];
  /** @type {string[]} what the page complained of */
  complaints = [];

  /**
   * Starts a browser with an empty page.
   * @param {How} [how]
   */
  static async start(how = {}) {
    const person = new Person();
    person.kind = how.kind ?? 'chromium';
    person.browser = await launch(how);
    await person.freshPage(how);
    return person;
  }

  /** @param {How} [how] */
  async freshPage({ viewport = { width: 960, height: 600 } } = {}) {
    this.page = await this.browser.newPage();
    const { page } = this;
    page.setDefaultTimeout(CALL_MS);
    page.setDefaultNavigationTimeout(CALL_MS);
    if (this.kind === 'chromium') await page.setViewport(viewport);
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error instanceof Error ? error.stack ?? error.message : error}`));
    page.on('console', (message) => {
      // Browsers disagree about the names in Permissions-Policy, and note each one that they do not know.
      if (/Permissions-Policy/.test(message.text())) return;
      if (['error', 'warn'].includes(message.type())) this.complaints.push(`${message.type()}: ${message.text()} ${message.location()?.url ?? ''}`);
    });
    await page.evaluateOnNewDocument(installProbe);
    return this;
  }

  /**
   * Opens the page of a room.
   * @param {{ url?: string }} server @param {string} roomId
   */
  async enter(server, roomId) {
    await this.page.goto(`${server.url}/room/${roomId}`, { waitUntil: 'domcontentloaded' });
    return this;
  }

  /** The ids of the strip, without one's own. @returns {Promise<string[]>} */
  others() {
    return this.page.evaluate(() => [...document.querySelectorAll('#participants [data-peer-id]')].map((e) => e.getAttribute('data-peer-id') ?? '').filter((id) => id !== 'me'));
  }

  /** Waits until the strip shows oneself and this many others. @param {number} count */
  async seesOthers(count) {
    await this.page.waitForFunction((n) => {
      const ids = [...document.querySelectorAll('#participants [data-peer-id]')].map((e) => e.getAttribute('data-peer-id'));
      return ids.length === n + 1 && ids.includes('me') && new Set(ids).size === ids.length;
    }, {}, count);
    return this.others();
  }

  /** Waits for something to be true in the page. @param {string | ((...args: any[]) => unknown)} condition @param {...unknown} args */
  async until(condition, ...args) {
    await this.page.waitForFunction(condition, {}, ...args);
  }

  /**
   * Evaluates an expression as no gesture of the person. The driver's own evaluate() counts as one, after which every
   * browser lets a page make noise. Chromium only.
   * @param {string} expression
   * @returns {Promise<any>}
   */
  async evaluateWithoutGesture(expression) {
    const cdp = await this.page.createCDPSession();
    try {
      const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: false });
      assert.equal(exceptionDetails, undefined);
      return result.value;
    } finally {
      await cdp.detach();
    }
  }

  /** @param {string} selector */
  async click(selector) {
    await this.page.waitForSelector(selector, { visible: true });
    await this.page.click(selector);
  }

  /** @returns {Promise<any[]>} */
  sample() {
    return this.page.evaluate('probe.sample()');
  }

  /** What the hub has said to this page, or what it said of these types. @param {...string} types @returns {Promise<any[]>} */
  async heard(...types) {
    const all = /** @type {any[]} */ (await this.page.evaluate('probe.heard()'));
    return types.length ? all.filter(({ type }) => types.includes(type)) : all;
  }

  /** The ids of the tiles that have gone from this page. @returns {Promise<string[]>} */
  vanished() {
    return this.page.evaluate('probe.vanished()');
  }

  /** The states that this page's connections have been in, in order. @returns {Promise<string[]>} */
  async states() {
    const states = /** @type {{ state: string }[]} */ (await this.page.evaluate('probe.states()'));
    return states.map(({ state }) => state);
  }

  /** @returns {Promise<any>} */
  active() {
    return this.page.evaluate('probe.active()');
  }

  /** @param {string} name */
  async screenshot(name) {
    mkdirSync(artifacts, { recursive: true });
    await this.page.screenshot({ path: /** @type {`${string}.png`} */ (path.join(artifacts, `${name}.png`)) });
  }

  /** Closes the tab as a person does, and the browser stays. */
  async closeTab() {
    await this.page.close({ runBeforeUnload: false });
  }

  /** The end of the browser without a word to anybody. */
  async kill() {
    running.delete(this.browser);
    const child = this.browser.process();
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async end() {
    running.delete(this.browser);
    const child = this.browser.process();
    await within(this.browser.close(), 'the end of a browser', 15_000).catch(() => {});
    if (child && child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

/** @typedef {{ video?: boolean, audio?: boolean }} Sends */

/**
 * Waits until every one of these people sees and hears every other: the decoder of each flow decodes frames, sound
 * arrives, an element on the page shows the picture, and it moves. Tells which flow is missing if it stays missing.
 * @param {Person[]} people
 * @param {{ sends?: (index: number) => Sends, audible?: boolean, ms?: number }} [how]
 */
export async function everyoneSeesEveryone(people, { sends = () => ({}), audible = true, ms = CALL_MS } = {}) {
  const deadline = Date.now() + ms;
  let base = await Promise.all(people.map((person) => person.sample()));
  let missing = ['nothing looked at yet'];
  while (Date.now() < deadline) {
    await pause(250);
    const now = await Promise.all(people.map((person) => person.sample()));
    missing = [];
    for (const [to] of people.entries()) {
      for (const [from] of people.entries()) {
        if (from === to) continue;
        const flow = now[to].find((r) => now[from].some((s) => s.local === r.remote && s.remote === r.local && r.remote !== ''));
        const name = `${from} -> ${to}`;
        if (!flow) {
          missing.push(`${name}: not connected`);
          continue;
        }
        const before = base[to].find((r) => r.index === flow.index);
        if (!before) {
          base[to].push(flow); // it has just come up: its window begins now
          missing.push(`${name}: just connected`);
          continue;
        }
        const { video = true, audio = true } = sends(from);
        const faults = [];
        if (video) {
          if (flow.framesDecoded - before.framesDecoded < 5) faults.push(`frames decoded ${before.framesDecoded}..${flow.framesDecoded}`);
          if (!(flow.width > 0)) faults.push('no <video> with a picture');
          if (!(flow.currentTime > before.currentTime)) faults.push(`currentTime ${before.currentTime}..${flow.currentTime}`);
          if (!(flow.framesShown > before.framesShown)) faults.push(`frames shown ${before.framesShown}..${flow.framesShown}`);
          if (!flow.isPlaying) faults.push('not playing, or not visible');
          if (!flow.peerId || flow.peerId === 'me') faults.push(`not in the strip (${flow.peerId})`);
        }
        if (audio) {
          if (flow.packetsReceived - before.packetsReceived < 5) faults.push(`audio packets ${before.packetsReceived}..${flow.packetsReceived}`);
          if (audible && !flow.isAudible) faults.push('no element plays the sound');
        }
        if (faults.length) missing.push(`${name}: ${faults.join(', ')}`);
      }
    }
    if (missing.length === 0) return now;
  }
  assert.fail(`after ${ms} ms:\n${missing.join('\n')}`);
}

/**
 * Waits until the large picture shows this participant, and moves.
 * @param {Person} person @param {string} peerId
 */
export async function largePictureShows(person, peerId) {
  const deadline = Date.now() + CALL_MS;
  /** @type {any} */
  let before = null;
  let now = null;
  while (Date.now() < deadline) {
    now = await person.active();
    if (now?.peerId === peerId && before?.peerId === peerId && now.width > 0 && now.frames > before.frames && now.currentTime > before.currentTime && !now.paused) {
      assert.equal(now.muted, true, 'the large picture has no sound of its own: the strip item plays it');
      return;
    }
    if (now?.peerId !== before?.peerId) before = now;
    await pause(200);
  }
  assert.fail(`the large picture does not show ${peerId}: ${JSON.stringify({ before, now })}`);
}
