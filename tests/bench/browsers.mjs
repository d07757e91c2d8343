// Cold Chromium participants with a fake camera, and what is noted inside their pages.
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

const FLAGS = ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--disable-gpu',
  '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-default-apps', '--no-pings', '--metrics-recording-only', '--autoplay-policy=no-user-gesture-required'];

function executable() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const places = (process.env.PATH ?? '').split(':').flatMap((folder) => names.map((name) => path.join(folder, name)));
  const found = [process.env.CHROMIUM_BIN, ...places].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error('no Chromium: install it, or name it in $CHROMIUM_BIN');
  return found;
}

/** Runs in the page before its own scripts. Times are milliseconds of the wall clock, to compare two browsers. */
function noteMilestones() {
  const now = () => performance.timeOrigin + performance.now();
  const milestones = {};
  for (const name of ['asked', 'camera', 'joined', 'frame']) {
    let reach;
    milestones[name] = new Promise((resolve) => {
      reach = resolve;
    });
    milestones[name].reach = () => reach(now());
  }
  window.milestones = milestones;

  const { mediaDevices } = navigator;
  const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (constraints) => {
    milestones.asked.reach();
    const stream = await getUserMedia(constraints);
    milestones.camera.reach();
    return stream;
  };

  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    send.call(this, data);
    if (typeof data === 'string' && data.includes('JoinRoom')) milestones.joined.reach();
  };

  const remoteTracks = new WeakSet();
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      this.addEventListener('track', ({ track }) => remoteTracks.add(track));
    }
  };
  const watched = new WeakSet();
  const watch = (video) => {
    const look = () => {
      if (video.srcObject?.getVideoTracks().some((track) => remoteTracks.has(track))) milestones.frame.reach();
      else video.requestVideoFrameCallback(look);
    };
    if (!watched.has(video)) video.requestVideoFrameCallback(look);
    watched.add(video);
  };
  const property = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...property,
    set(stream) {
      property.set.call(this, stream);
      if (stream && this instanceof HTMLVideoElement) watch(this);
    },
  });
}

const open = new Set();

/** A browser that has never been anywhere, with one empty page. */
export async function coldBrowser() {
  const browser = await puppeteer.launch({ executablePath: executable(), headless: true, pipe: true, args: FLAGS, protocolTimeout: 60_000 });
  open.add(browser);
  const [page] = await browser.pages();
  await page.evaluateOnNewDocument(noteMilestones);
  return page;
}

/** @param {import('puppeteer-core').Page} page */
export async function closeBrowser(page) {
  open.delete(page.browser());
  await page.browser().close();
}

process.on('exit', () => {
  for (const browser of open) browser.process()?.kill('SIGKILL');
});

/**
 * When a page reached a milestone; waits for it, within reason.
 * @param {import('puppeteer-core').Page} page
 * @param {'asked' | 'camera' | 'joined' | 'frame'} name  asked for the camera, has it, sent JoinRoom, shows a remote frame
 * @returns {Promise<number>}
 */
export async function milestone(page, name) {
  let limit;
  const tooLate = new Promise((_, reject) => {
    limit = setTimeout(() => reject(new Error(`a page never reached "${name}"`)), 30_000);
  });
  try {
    return await Promise.race([page.evaluate((key) => window.milestones[key], name), tooLate]);
  } finally {
    clearTimeout(limit);
  }
}
