import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from './client.js';
import { FakeClock, FakeSocket } from './helpers.js';

const { isFinalClose, parseServerMessage, reconnectDelayMs, Signaling } = await load('signaling.js');

const JOINED = {
  type: 'RoomJoined', roomId: 'tea', peerId: 'own', resumed: false, participants: [], iceServers: [], locked: false,
  limits: {},
};

function makeSignaling({ chance = 0.5 } = {}) {
  const clock = new FakeClock();
  const sockets = [];
  const seen = [];
  const signaling = new Signaling('ws://hub/ws', {
    onOpen: () => seen.push('open'),
    onMessage: (message) => seen.push(message.type),
    onLost: () => seen.push('lost'),
    onRefused: (code) => seen.push(`refused ${code}`),
  }, {
    openSocket: () => {
      sockets.push(new FakeSocket());
      return sockets.at(-1);
    },
    setTimer: clock.setTimer,
    clearTimer: clock.clearTimer,
    random: () => chance,
  });
  return { signaling, clock, sockets, seen };
}

test('the ceiling of the waiting time doubles from 0.5 s to 15 s, and chance takes any part of it', () => {
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 60].map((attempt) => reconnectDelayMs(attempt, 1));
  assert.deepEqual(ceilings, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  assert.equal(reconnectDelayMs(5, 0), 0);
  assert.equal(reconnectDelayMs(5, 0.5), 7500);
});

test('policy, replaced, unauthorized and removed are final; all else is worth another try', () => {
  assert.deepEqual([1000, 1001, 1006, 1008, 1009, 1012, 1013, 4000, 4001, 4002, 4003, 4004].filter(isFinalClose),
    [1008, 4001, 4003, 4004]);
});

test('messages go out as JSON while the socket is open, and nowhere else', () => {
  const { signaling, sockets } = makeSignaling();
  assert.equal(signaling.send({ type: 'LeaveRoom' }), false);
  signaling.open();
  assert.equal(signaling.send({ type: 'LeaveRoom' }), false);
  sockets[0].accept();
  assert.equal(signaling.send({ type: 'LeaveRoom' }), true);
  assert.deepEqual(sockets[0].sent, [{ type: 'LeaveRoom' }]);
});

test('a broken socket is opened again, after longer and longer pauses', () => {
  const { signaling, sockets, clock, seen } = makeSignaling();
  signaling.open();
  const pauses = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    sockets.at(-1).break();
    pauses.push(clock.waiting[0]);
    clock.pass(clock.waiting[0]);
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000]);
  assert.equal(sockets.length, 5);
  assert.deepEqual(seen, ['lost', 'lost', 'lost', 'lost']);
});

test('an open socket alone does not shorten the pauses again; being let in does', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  sockets[0].break();
  clock.pass(250);
  sockets[1].accept();
  sockets[1].break();
  assert.deepEqual(clock.waiting, [500]);
  clock.pass(500);
  sockets[2].accept();
  sockets[2].deliver(JOINED);
  sockets[2].break();
  assert.deepEqual(clock.waiting, [250]);
});

test('who waits at the door of a locked room comes back as soon as a member would', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    sockets.at(-1).break();
    clock.pass(clock.waiting[0]);
  }
  sockets.at(-1).accept();
  sockets.at(-1).deliver({ type: 'Waiting' });
  sockets.at(-1).break();
  assert.deepEqual(clock.waiting, [250]);
});

test('a socket that does not open in 10 s is given up for another', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  clock.pass(10_000);
  assert.equal(sockets[0].readyState, 3);
  clock.pass(250);
  assert.equal(sockets.length, 2);
});

for (const code of [1008, 4001, 4003, 4004]) {
  test(`after ${code} nobody comes back by themselves`, () => {
    const { signaling, sockets, clock, seen } = makeSignaling();
    signaling.open();
    sockets[0].accept();
    sockets[0].break(code);
    assert.deepEqual(clock.waiting, []);
    assert.deepEqual(seen, ['open', `refused ${code}`]);
    signaling.hurry();
    assert.equal(sockets.length, 1);
  });
}

test('hanging up is clean and final', () => {
  const { signaling, sockets, clock, seen } = makeSignaling();
  signaling.open();
  sockets[0].accept();
  signaling.close();
  assert.equal(sockets[0].closedWith, 1000);
  assert.equal(sockets[0].onclose, null);
  assert.deepEqual(clock.waiting, []);
  signaling.hurry();
  assert.equal(sockets.length, 1);
  assert.deepEqual(seen, ['open']);
});

test('hanging up while waiting for the next attempt ends the waiting', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  sockets[0].break();
  signaling.close();
  clock.pass(60_000);
  assert.equal(sockets.length, 1);
});

test('when the network is back, the pause is cut short', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  sockets[0].break();
  signaling.hurry();
  assert.equal(sockets.length, 2);
  sockets[1].accept();
  signaling.hurry();
  clock.pass(60_000);
  assert.equal(sockets.length, 2);
});

test('a draining hub says when to come back: the seat is kept, and the pause is the hub\'s', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  sockets[0].accept();
  sockets[0].deliver({ type: 'Reconnect', afterMs: 4000 });
  sockets[0].break(1012);
  assert.deepEqual(clock.waiting, [4000]);
  clock.pass(4000);
  assert.equal(sockets.length, 2);

  sockets[1].accept();
  sockets[1].deliver({ type: 'Reconnect', afterMs: 100 });
  clock.pass(100);
  assert.equal(sockets[1].closedWith, 3000, 'not 1000: that would give the seat away');
  assert.equal(sockets.length, 3);
});

test('a hub that closes before the moment it named does not change it', () => {
  const { signaling, sockets, clock, seen } = makeSignaling();
  signaling.open();
  sockets[0].accept();
  sockets[0].deliver(JOINED);
  sockets[0].deliver({ type: 'Reconnect', afterMs: 3000 });
  clock.pass(1000);
  sockets[0].break(1012);
  assert.deepEqual(clock.waiting, [2000]);
  clock.pass(2000);
  sockets[1].break(); // nobody listens there yet: from here on the pauses are ours
  assert.deepEqual(clock.waiting, [250]);
  assert.deepEqual(seen, ['open', 'RoomJoined', 'Reconnect', 'lost', 'lost']);
});

test('the network is back while a draining hub keeps us waiting: its moment counts no more', () => {
  const { signaling, sockets, clock } = makeSignaling();
  signaling.open();
  sockets[0].accept();
  sockets[0].deliver({ type: 'Reconnect', afterMs: 8000 });
  sockets[0].break(1012);
  signaling.hurry();
  assert.equal(sockets.length, 2);
  sockets[1].accept();
  clock.pass(60_000);
  assert.equal(sockets.length, 2);
});

test('what is not a message of the hub is ignored, and harms nothing', () => {
  const { signaling, sockets, seen } = makeSignaling();
  signaling.open();
  sockets[0].accept();
  for (const data of ['', 'x', '[]', 'null', '1', '{}', '{"type":1}', '{"type":"toString"}', '{"type":"__proto__"}',
    '{"type":"UserLeft"}', '{"type":"UserLeft","peerId":"a","reason":"bored"}', new ArrayBuffer(1)]) {
    sockets[0].onmessage({ data });
  }
  assert.deepEqual(seen, ['open']);
});

const GOOD = [
  JOINED,
  { ...JOINED, resumeToken: 't', participants: [{ peerId: 'a' }, { peerId: 'b', name: 'Mele' }], iceServers: [{ urls: 'stun:x' }] },
  { ...JOINED, participants: [{ peerId: 'a', offers: true }] },
  { type: 'UserJoined', peerId: 'a' },
  { type: 'UserJoined', peerId: 'a', name: 'Mele', hello: [1], later: 'unknown members are ignored' },
  { type: 'UserLeft', peerId: 'a', reason: 'left' },
  { type: 'Signal', peerId: 'a', message: null },
  { type: 'IceServers', iceServers: [] },
  { type: 'RoomLocked', locked: true, peerId: 'a' },
  { type: 'Knock', peerId: 'a' },
  { type: 'KnockEnded', peerId: 'a' },
  { type: 'Waiting' },
  { type: 'Reconnect', afterMs: 0 },
  { type: 'Error', code: 'room-full', message: 'the room has no free seat' },
  { type: 'Error', code: 'rate-limited', message: 'slower', retryAfterMs: 100 },
];

test('every message of the hub is understood', () => {
  for (const message of GOOD) assert.deepEqual(parseServerMessage(JSON.stringify(message)), message);
});

test('every message with a member missing that it must have, or of another type, is refused', () => {
  const isOptional = { resumeToken: 1, name: 1, hello: 1, later: 1, retryAfterMs: 1 };
  for (const message of GOOD) {
    for (const member of Object.keys(message)) {
      const { [member]: removed, ...rest } = message;
      if (!isOptional[member]) assert.equal(parseServerMessage(JSON.stringify(rest)), null, `${message.type} without ${member}`);
      if (['hello', 'later'].includes(member) || (message.type === 'Signal' && member === 'message')) continue;
      const wrong = JSON.stringify({ ...message, [member]: typeof removed === 'number' ? 'x' : 7 });
      assert.equal(parseServerMessage(wrong), null, `${message.type} with a wrong ${member}`);
    }
  }
});

/**
 * The wire vectors that the hub's own tests read as well.
 * @param {'valid' | 'invalid'} folder
 */
function readHubVectors(folder) {
  const url = new URL(`../vectors/${folder}/`, import.meta.url);
  const vectors = readdirSync(url).filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, url), 'utf8')) }))
    .filter(({ from }) => from === 'hub');
  assert.notEqual(vectors.length, 0);
  return vectors;
}

test('the wire vectors: every valid message of the hub is understood', () => {
  for (const { name, type, text } of readHubVectors('valid')) {
    const message = parseServerMessage(text);
    assert.equal(message?.type, type, name);
    assert.deepEqual(message, JSON.parse(text), name);
  }
});

test('the wire vectors: nothing invalid of the hub is taken for a message', () => {
  for (const { name, text } of readHubVectors('invalid')) assert.equal(parseServerMessage(text), null, name);
});
