import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { load } from './client.js';
import { FakeClock, settle } from './helpers.js';

const { dropsOffer, fingerprintOf, isPolite, parseMediaState, parseSignal, Peer, restartDelayMs } = await load('peer.js');

const OFFER = { description: { type: 'offer', sdp: 'their offer' } };
const ANSWER = { description: { type: 'answer', sdp: 'their answer' } };
const CANDIDATE = { candidate: { candidate: 'candidate:1', sdpMid: '0' } };

const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;
/** @type {FakeClock} */
let clock;

beforeEach(() => {
  clock = new FakeClock();
  globalThis.setTimeout = clock.setTimer;
  globalThis.clearTimeout = clock.clearTimer;
});

afterEach(() => {
  globalThis.setTimeout = realSetTimeout;
  globalThis.clearTimeout = realClearTimeout;
});

class FakeLine {
  direction = 'recvonly';
  streams = null;

  constructor(kind, mid, track = null) {
    this.mid = mid;
    this.receiver = { track: { kind } };
    this.sender = {
      track,
      replaceTrack: async (next) => { this.sender.track = next; },
      setStreams: (...streams) => { this.streams = streams; },
    };
  }
}

/** As much of an RTCPeerConnection as negotiation sees. */
class FakeConnection {
  signalingState = 'stable';
  connectionState = 'new';
  localDescription = null;
  remoteDescription = null;
  lines = [];
  candidates = [];
  restarts = 0;
  channel = { readyState: 'connecting', sent: [], send: (text) => this.channel.sent.push(JSON.parse(text)) };

  createDataChannel(label, options) {
    Object.assign(this.channel, { label, options });
    return this.channel;
  }

  addTransceiver(trackOrKind, { direction, streams }) {
    const isKind = typeof trackOrKind === 'string';
    const line = new FakeLine(isKind ? trackOrKind : trackOrKind.kind, null, isKind ? null : trackOrKind);
    Object.assign(line, { direction, streams });
    this.lines.push(line);
    return line;
  }

  getTransceivers() {
    return this.lines;
  }

  async setLocalDescription() {
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer';
    this.localDescription = { type, sdp: `our ${type}` };
    this.signalingState = type === 'offer' ? 'have-local-offer' : 'stable';
  }

  async setRemoteDescription(description) {
    if (description.sdp === 'rubbish') throw new Error('rubbish');
    this.remoteDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
    if (description.type === 'answer') this.lines.forEach((line, index) => { line.mid ??= String(index); });
    if (description.type === 'offer' && this.lines.every((line) => line.mid === null)) {
      this.lines.push(new FakeLine('audio', '0'), new FakeLine('video', '1'));
    }
  }

  async addIceCandidate(candidate) {
    if (candidate?.candidate === 'rubbish') throw new Error('rubbish');
    this.candidates.push(candidate);
  }

  restartIce() {
    this.restarts += 1;
  }

  close() {
    this.signalingState = 'closed';
  }

  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

function makePeer({ polite = false, offers = false, local = { stream: 'stream', audio: null, video: null } } = {}) {
  const connection = new FakeConnection();
  const sent = [];
  const seen = [];
  let configuration;
  const peer = new Peer({
    polite, offers, local, iceServers: [{ urls: 'stun:hub' }], mediaState: { microphone: true, camera: false },
    send: (signal) => sent.push(signal),
    events: {
      onTrack: (track) => seen.push(track),
      onMediaState: (state) => seen.push(state),
      onConnectionState: (state) => seen.push(state),
    },
    connect: (given) => {
      configuration = given;
      return connection;
    },
  });
  return { peer, connection, sent, seen, configuration };
}

test('of two participants exactly one is polite', () => {
  assert.notEqual(isPolite('a', 'b'), isPolite('b', 'a'));
});

test('the impolite side drops an offer that crosses its own; the polite side never drops one', () => {
  const side = { polite: false, makingOffer: false, settingAnswer: false };
  assert.equal(dropsOffer(side, 'stable'), false);
  assert.equal(dropsOffer(side, 'have-local-offer'), true);
  assert.equal(dropsOffer({ ...side, makingOffer: true }, 'stable'), true);
  assert.equal(dropsOffer({ ...side, settingAnswer: true }, 'have-local-offer'), false);
  for (const state of ['stable', 'have-local-offer', 'have-remote-offer']) {
    assert.equal(dropsOffer({ polite: true, makingOffer: true, settingAnswer: false }, state), false);
  }
});

test('repairs come at once, then ever slower; the polite side leaves them to the other for a while', () => {
  assert.deepEqual([0, 1, 2, 3, 9].map((attempt) => restartDelayMs(attempt, false)), [0, 1000, 2000, 4000, 15000]);
  assert.deepEqual([0, 1].map((attempt) => restartDelayMs(attempt, true)), [5000, 6000]);
});

test('signals: descriptions and candidates are read, all else is not', () => {
  assert.deepEqual(parseSignal({ ...OFFER, more: 1 }), OFFER);
  assert.deepEqual(parseSignal(CANDIDATE), CANDIDATE);
  assert.deepEqual(parseSignal({ candidate: null }), { candidate: null });
  for (const message of [null, 1, 'x', [], {}, { description: null }, { description: { type: 'offer' } },
    { description: { type: 'rollback', sdp: '' } }, { description: { type: 'offer', sdp: 1 } }, { candidate: 'x' }]) {
    assert.equal(parseSignal(message), null, JSON.stringify(message));
  }
});

test('data channel: the state is read; unknown kinds, other forms and noise are ignored', () => {
  assert.deepEqual(parseMediaState('{"version":1,"kind":"state","microphone":true,"camera":false,"hand":true}'),
    { microphone: true, camera: false });
  for (const text of ['', '[]', '{"kind":"hand"}', '{"kind":"state"}', '{"kind":"state","microphone":1,"camera":true}', new ArrayBuffer(2)]) {
    assert.equal(parseMediaState(text), null);
  }
});

test('the connection is bundled, and has the channel that both sides agreed on beforehand', () => {
  const { configuration, connection } = makePeer();
  assert.deepEqual(configuration, { iceServers: [{ urls: 'stun:hub' }], bundlePolicy: 'max-bundle' });
  assert.equal(connection.channel.label, 'aloha');
  assert.deepEqual(connection.channel.options, { negotiated: true, id: 0 });
});

test('the offering side makes a line for each kind before any camera is there', async () => {
  const { connection, sent } = makePeer({ offers: true });
  assert.deepEqual(connection.lines.map((line) => [line.receiver.track.kind, line.direction]), [['audio', 'sendrecv'], ['video', 'sendrecv']]);
  await connection.onnegotiationneeded();
  assert.deepEqual(sent, [{ description: { type: 'offer', sdp: 'our offer' } }]);
});

test('the newcomer makes no offer before it got one, and sends on the lines of that offer', async () => {
  const video = { kind: 'video' };
  const { peer, connection, sent } = makePeer({ local: { stream: 'stream', audio: null, video } });
  await connection.onnegotiationneeded();
  assert.deepEqual(sent, []);
  await peer.receive(OFFER);
  assert.deepEqual(sent, [{ description: { type: 'answer', sdp: 'our answer' } }]);
  assert.deepEqual(connection.lines.map((line) => [line.direction, line.streams, line.sender.track]),
    [['sendrecv', ['stream'], null], ['sendrecv', ['stream'], video]]);
});

test('a browser without setStreams answers all the same', async () => {
  const { peer, connection, sent } = makePeer();
  connection.lines.push(new FakeLine('audio', '0'));
  delete connection.lines[0].sender.setStreams;
  await peer.receive(OFFER);
  assert.equal(sent.length, 1);
});

test('a camera that comes later goes into its line without another negotiation', async () => {
  const { peer, connection, sent } = makePeer({ offers: true });
  const track = { kind: 'video' };
  peer.setTrack('video', track);
  await settle();
  assert.equal(connection.lines[1].sender.track, track);
  peer.setTrack('video', null);
  await settle();
  assert.equal(connection.lines[1].sender.track, null);
  assert.deepEqual(sent, []);
});

test('crossing offers: the polite side rolls back and answers, the impolite side stays with its own', async () => {
  for (const polite of [true, false]) {
    const { peer, connection, sent } = makePeer({ polite, offers: true });
    await connection.onnegotiationneeded();
    await peer.receive(OFFER);
    assert.deepEqual(sent.map(({ description }) => description.type), polite ? ['offer', 'answer'] : ['offer']);
    if (!polite) {
      await peer.receive(ANSWER);
      assert.equal(connection.signalingState, 'stable');
    }
  }
});

test('lines that a rollback left over are not used any more', async () => {
  const { peer, connection } = makePeer({ polite: true, offers: true });
  await connection.onnegotiationneeded();
  await peer.receive(OFFER);
  assert.deepEqual(connection.lines.map((line) => line.direction), ['inactive', 'inactive', 'sendrecv', 'sendrecv']);
  peer.setTrack('video', 'track');
  assert.deepEqual(connection.lines.map((line) => line.sender.track), [null, null, null, 'track']);
});

test('a second offer leaves the lines as they are', async () => {
  const { peer, connection, sent } = makePeer();
  await peer.receive(OFFER);
  connection.lines[1].direction = 'recvonly';
  await peer.receive(OFFER);
  assert.equal(connection.lines[1].direction, 'recvonly');
  assert.deepEqual(sent.map(({ description }) => description.type), ['answer', 'answer']);
});

test('candidates that come before the description wait for it, in order, the end included', async () => {
  const { peer, connection } = makePeer();
  await peer.receive(CANDIDATE);
  await peer.receive({ candidate: null });
  assert.deepEqual(connection.candidates, []);
  await peer.receive(OFFER);
  await peer.receive(CANDIDATE);
  assert.deepEqual(connection.candidates, [CANDIDATE.candidate, undefined, CANDIDATE.candidate]);
});

test('our candidates go out as they are found, the end as null', () => {
  const { connection, sent } = makePeer();
  connection.onicecandidate({ candidate: { toJSON: () => CANDIDATE.candidate } });
  connection.onicecandidate({ candidate: null });
  assert.deepEqual(sent, [CANDIDATE, { candidate: null }]);
});

test('at most 200 candidates are taken for one description', async () => {
  const { peer, connection } = makePeer();
  for (let count = 0; count < 300; count += 1) await peer.receive(CANDIDATE);
  await peer.receive(OFFER);
  assert.equal(connection.candidates.length, 200);
  for (let count = 0; count < 300; count += 1) await peer.receive(CANDIDATE);
  assert.equal(connection.candidates.length, 400);
});

test('a useless candidate costs only itself', async () => {
  const { peer, connection, seen } = makePeer();
  await peer.receive(OFFER);
  await peer.receive({ candidate: { candidate: 'rubbish' } });
  await peer.receive(CANDIDATE);
  assert.deepEqual(connection.candidates, [CANDIDATE.candidate]);
  assert.deepEqual(seen, []);
});

test('a description that cannot be used ends this connection, and says so', async () => {
  const { peer, connection, seen } = makePeer();
  await peer.receive({ description: { type: 'offer', sdp: 'rubbish' } });
  assert.equal(connection.signalingState, 'closed');
  assert.deepEqual(seen, ['failed']);
  await peer.receive(OFFER);
  assert.deepEqual(seen, ['failed']);
});

test('an answer that nobody asked for changes nothing', async () => {
  const { peer, connection, seen } = makePeer();
  await peer.receive(ANSWER);
  assert.equal(connection.remoteDescription, null);
  assert.deepEqual(seen, []);
});

test('an offer without an answer is said again after 10 s, twice', async () => {
  const { connection, sent } = makePeer({ offers: true });
  await connection.onnegotiationneeded();
  clock.pass(10_000);
  assert.equal(sent.length, 2);
  clock.pass(60_000);
  assert.equal(sent.length, 3);
});

test('a failed connection is repaired by new candidates until it stands again', () => {
  const { connection, seen } = makePeer();
  connection.become('failed');
  clock.pass(0);
  assert.equal(connection.restarts, 1);
  clock.pass(1000);
  clock.pass(2000);
  assert.equal(connection.restarts, 3);
  connection.become('connected');
  clock.pass(60_000);
  assert.equal(connection.restarts, 3);
  assert.deepEqual(seen, ['failed', 'connected']);
});

test('a connection that does not even begin is repaired as well', () => {
  const { connection } = makePeer();
  clock.pass(11_999);
  assert.equal(connection.restarts, 0);
  clock.pass(1);
  assert.equal(connection.restarts, 1);

  const begun = makePeer().connection;
  begun.become('connecting');
  clock.pass(60_000);
  assert.equal(begun.restarts, 0);
});

test('a closed connection is not repaired, and says nothing again', async () => {
  const { peer, connection, sent } = makePeer({ offers: true });
  await connection.onnegotiationneeded();
  connection.become('failed');
  peer.close();
  clock.pass(60_000);
  assert.equal(connection.restarts, 0);
  assert.equal(sent.length, 1);
});

test('back at the hub, a pending offer is said again', async () => {
  const { peer, connection, sent } = makePeer({ offers: true });
  await connection.onnegotiationneeded();
  peer.resume();
  assert.deepEqual(sent.map(({ description }) => description.type), ['offer', 'offer']);
});

test('back at the hub, what was found since the last description is said again until the connection stands', async () => {
  const { peer, connection, sent } = makePeer();
  await peer.receive(OFFER);
  connection.onicecandidate({ candidate: { toJSON: () => CANDIDATE.candidate } });
  connection.onicecandidate({ candidate: null });
  peer.resume();
  assert.deepEqual(sent.slice(1), [CANDIDATE, { candidate: null }, CANDIDATE, { candidate: null }]);
  await peer.receive(OFFER);
  peer.resume();
  assert.equal(sent.length, 6, 'what is in the description needs no words of its own');
  connection.onicecandidate({ candidate: null });
  connection.become('connected');
  peer.resume();
  assert.equal(sent.length, 7);
});

test('back at the hub, only a failed connection is repaired, and at once', () => {
  const { peer, connection } = makePeer();
  connection.become('failed');
  for (let restarts = 1; restarts < 4; restarts += 1) clock.pass(clock.waiting[0]);
  assert.equal(connection.restarts, 3);
  peer.resume();
  assert.deepEqual(clock.waiting, [0]);
  connection.become('disconnected');
  peer.resume();
  assert.deepEqual(clock.waiting, []);
});

test('a repair whose offer still waits for an answer is not begun again', async () => {
  const { peer, connection, sent } = makePeer({ offers: true });
  await connection.onnegotiationneeded();
  connection.become('failed');
  clock.pass(5000);
  assert.equal(connection.restarts, 0);
  peer.resume();
  assert.equal(sent.length, 2);
  await peer.receive(ANSWER);
  clock.pass(15_000);
  assert.notEqual(connection.restarts, 0);
});

test('back at the hub, the repetitions of a pending offer begin anew', async () => {
  const { peer, connection, sent } = makePeer({ offers: true });
  await connection.onnegotiationneeded();
  clock.pass(60_000);
  assert.equal(sent.length, 3);
  peer.resume();
  clock.pass(60_000);
  assert.equal(sent.length, 6);
});

test('a certificate tells one connection from another', () => {
  const sdpOf = (value) => `v=0\r\na=group:BUNDLE 0\r\na=fingerprint:${value}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n`;
  assert.equal(fingerprintOf(sdpOf('sha-256 aB:01')), 'SHA-256 AB:01');
  assert.equal(fingerprintOf('v=0'), null);
  assert.equal(fingerprintOf(undefined), null);

  const { peer, connection } = makePeer();
  const offerOf = (value) => ({ description: { type: 'offer', sdp: sdpOf(value) } });
  assert.equal(peer.isOfAnother(offerOf('sha-256 AA')), false, 'nobody is known yet');
  connection.remoteDescription = offerOf('sha-256 AA').description;
  assert.equal(peer.isOfAnother(offerOf('sha-256 aa')), false);
  assert.equal(peer.isOfAnother(offerOf('sha-256 BB')), true);
  for (const other of [OFFER, CANDIDATE, null, { back: true }]) assert.equal(peer.isOfAnother(other), false);
});

test('a connection that was given up is another one for their next offer', async () => {
  const { peer } = makePeer();
  await peer.receive({ description: { type: 'offer', sdp: 'rubbish' } });
  assert.equal(peer.isOfAnother(OFFER), true);
  for (const other of [ANSWER, CANDIDATE]) assert.equal(peer.isOfAnother(other), false);
});

test('who closes the data channel has hung up', () => {
  const { peer, connection, seen } = makePeer();
  connection.become('connected');
  assert.equal(peer.connectionState, 'connected');
  connection.channel.onclose();
  assert.equal(peer.connectionState, 'closed');
  assert.deepEqual(seen, ['connected', 'closed']);
  peer.close();
  assert.equal(connection.channel.onclose, null);
});

test('our state is told when the channel opens and when it changes', () => {
  const { peer, connection, seen } = makePeer();
  peer.setMediaState({ microphone: false, camera: true });
  assert.deepEqual(connection.channel.sent, []);
  connection.channel.readyState = 'open';
  connection.channel.onopen();
  peer.setMediaState({ microphone: true, camera: true });
  assert.deepEqual(connection.channel.sent, [
    { version: 1, kind: 'state', microphone: false, camera: true },
    { version: 1, kind: 'state', microphone: true, camera: true },
  ]);
  connection.channel.onmessage({ data: '{"version":1,"kind":"state","microphone":false,"camera":false}' });
  connection.channel.onmessage({ data: '{"version":9,"kind":"later"}' });
  assert.deepEqual(seen, [{ microphone: false, camera: false }]);
});

test('several tracks are handed on one by one', () => {
  const { connection, seen } = makePeer();
  connection.ontrack({ track: 'audio' });
  connection.ontrack({ track: 'video' });
  assert.deepEqual(seen, ['audio', 'video']);
});
