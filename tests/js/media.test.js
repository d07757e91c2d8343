import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { load } from './client.js';

const { describeFailures, describeProblem, Media } = await load('media.js');

class FakeTrack {
  enabled = true;
  readyState = 'live';

  constructor(kind) {
    this.kind = kind;
  }

  stop() {
    this.readyState = 'ended';
  }
}

class FakeStream {
  tracks = [];
  getTracks() { return this.tracks; }
  getAudioTracks() { return this.tracks.filter(({ kind }) => kind === 'audio'); }
  getVideoTracks() { return this.tracks.filter(({ kind }) => kind === 'video'); }
  addTrack(track) { this.tracks.push(track); }
  removeTrack(track) { this.tracks = this.tracks.filter((each) => each !== track); }
}

const permissions = { camera: 'granted', microphone: 'granted' };

before(() => {
  globalThis.MediaStream = FakeStream;
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { permissions: { query: async ({ name }) => ({ state: permissions[name] }) } },
  });
});

/** @param trouble what goes wrong with a kind, by the name of its error */
function makeMedia(trouble = {}, { withDevices = true } = {}) {
  const asked = [];
  const given = [];
  const seen = [];
  const listeners = [];
  const devices = {
    addEventListener: (name, listener) => listeners.push(listener),
    removeEventListener: () => listeners.pop(),
    getUserMedia: async (constraints) => {
      const kinds = Object.keys(constraints);
      asked.push(kinds.join('+'));
      const name = kinds.map((kind) => trouble[kind]).find(Boolean);
      if (name) throw new DOMException('no', name);
      const stream = new FakeStream();
      kinds.forEach((kind) => stream.addTrack(new FakeTrack(kind)));
      given.push(...stream.tracks);
      return stream;
    },
  };
  const problems = [];
  const media = new Media({
    onTrack: (kind, track) => seen.push(`${kind} ${track ? 'on' : 'off'}`),
    onChange: () => {},
    onProblem: (problem) => problems.push(problem?.title ?? null),
  }, withDevices ? devices : undefined);
  return { media, trouble, asked, given, seen, problems, listeners };
}

test('both are asked for in one question', async () => {
  const { media, asked, seen, problems } = makeMedia();
  const started = media.start();
  assert.equal(media.isStarting, true);
  assert.deepEqual(media.switches, { microphone: true, camera: true });
  assert.deepEqual(media.state, { microphone: false, camera: false });
  await started;
  assert.deepEqual(asked, ['audio+video']);
  assert.deepEqual(seen, ['audio on', 'video on']);
  assert.deepEqual(problems, [null]);
  assert.deepEqual(media.state, { microphone: true, camera: true });
});

test('a missing camera does not cost the microphone', async () => {
  const { media, asked, problems } = makeMedia({ video: 'NotFoundError' });
  await media.start();
  assert.deepEqual(asked, ['audio+video', 'audio', 'video']);
  assert.deepEqual(media.state, { microphone: true, camera: false });
  assert.deepEqual(problems, ['No camera found']);
});

test('a person who refused both is not asked again', async () => {
  Object.assign(permissions, { camera: 'denied', microphone: 'denied' });
  const { media, asked, problems } = makeMedia({ audio: 'NotAllowedError', video: 'NotAllowedError' });
  await media.start();
  assert.deepEqual(asked, ['audio+video']);
  assert.deepEqual(problems, ['Camera and microphone not allowed']);
  Object.assign(permissions, { camera: 'granted', microphone: 'granted' });
});

test('a person who closed the question without an answer is not asked again', async () => {
  Object.assign(permissions, { camera: 'prompt', microphone: 'prompt' });
  const { media, asked } = makeMedia({ audio: 'NotAllowedError', video: 'NotAllowedError' });
  await media.start();
  assert.deepEqual(asked, ['audio+video']);
  Object.assign(permissions, { camera: 'granted', microphone: 'granted' });
});

test('a camera refused for ever leaves the microphone to be asked for', async () => {
  Object.assign(permissions, { camera: 'denied', microphone: 'prompt' });
  const { media, asked, problems } = makeMedia({ video: 'NotAllowedError' });
  await media.start();
  assert.deepEqual(asked, ['audio+video', 'audio']);
  assert.deepEqual(problems, ['Camera not allowed']);
  Object.assign(permissions, { camera: 'granted', microphone: 'granted' });
});

test('trying again works without a reload, and asks only for what is missing', async () => {
  const { media, trouble, asked, problems } = makeMedia({ video: 'NotReadableError' });
  await media.start();
  delete trouble.video;
  await media.start();
  assert.deepEqual(asked, ['audio+video', 'audio', 'video', 'video']);
  assert.deepEqual(problems, ['Camera busy', null]);
});

test('mute keeps the device and silences it', async () => {
  const { media, given, seen } = makeMedia();
  await media.start();
  await media.setMicrophone(false);
  assert.equal(given[0].enabled, false);
  assert.equal(given[0].readyState, 'live');
  assert.deepEqual(media.state, { microphone: false, camera: true });
  await media.setMicrophone(true);
  assert.equal(given[0].enabled, true);
  assert.deepEqual(seen, ['audio on', 'video on']);
});

test('camera off lets the camera go; on takes it anew', async () => {
  const { media, given, seen, asked } = makeMedia();
  await media.start();
  await media.setCamera(false);
  assert.equal(given[1].readyState, 'ended');
  await media.setCamera(true);
  assert.deepEqual(asked, ['audio+video', 'video']);
  assert.deepEqual(seen, ['audio on', 'video on', 'video off', 'video on']);
});

test('switched off while the browser was still asking: the camera is let go at once, the microphone stays silent', async () => {
  const { media, given, seen } = makeMedia();
  const started = media.start();
  media.setCamera(false);
  media.setMicrophone(false);
  await started;
  assert.equal(given[1].readyState, 'ended');
  assert.equal(given[0].enabled, false);
  assert.deepEqual(seen, ['audio on']);
  assert.deepEqual(media.state, { microphone: false, camera: false });
});

test('left while the browser was still asking: nothing stays on', async () => {
  const { media, given, seen, problems } = makeMedia();
  const started = media.start();
  media.stop();
  await started;
  assert.deepEqual(given.map((track) => track.readyState), ['ended', 'ended']);
  assert.deepEqual(seen, []);
  assert.deepEqual(problems, []);
});

test('an unplugged camera is replaced by another, or said; plugged in again it comes back', async () => {
  const { media, trouble, seen, problems, listeners } = makeMedia();
  await media.start();
  await media.video.onended();
  assert.deepEqual(seen, ['audio on', 'video on', 'video off', 'video on']);
  trouble.video = 'NotFoundError';
  await media.video.onended();
  assert.deepEqual(problems.at(-1), 'Camera gone');
  delete trouble.video;
  listeners[0]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(problems.at(-1), null);
  assert.equal(media.state.camera, true);
});

test('in a page opened by plain http nothing is asked, and the remedy is told', async () => {
  const { media, problems } = makeMedia({}, { withDevices: false });
  await media.start();
  media.stop();
  assert.deepEqual(problems, ['Camera and microphone need a secure address']);
  const { text, isCurable } = describeProblem('InsecureContextError', 'both');
  assert.match(text, /https/);
  assert.equal(isCurable, false);
});

test('every trouble has words of its own, without names of exceptions', () => {
  const names = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'DeviceLostError', 'InsecureContextError', 'WhateverError'];
  for (const kind of ['audio', 'video', 'both']) {
    const titles = names.map((name) => describeProblem(name, kind).title);
    assert.equal(new Set(titles).size, names.length);
    for (const name of names) {
      const { title, text } = describeProblem(name, kind);
      assert.doesNotMatch(title + text, /Error|undefined/);
    }
  }
});

test('the same trouble twice is one message; two troubles are named both', () => {
  assert.equal(describeFailures({}), null);
  assert.equal(describeFailures({ audio: 'NotFoundError' }).title, 'No microphone found');
  assert.equal(describeFailures({ audio: 'NotFoundError', video: 'NotFoundError' }).title, 'No camera or microphone found');
  assert.equal(describeFailures({ audio: 'NotAllowedError', video: 'NotReadableError' }).title, 'Camera busy, microphone not allowed');
});
