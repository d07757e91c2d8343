import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './client.js';

const { Call, nextActive } = await load('call.js');

function makeCall() {
  const sent = [];
  const seen = [];
  const peers = new Map();
  const timers = [];
  const call = new Call({
    roomId: 'tea',
    send: (message) => sent.push(message) > 0,
    createPeer: (request) => {
      const peer = {
        request, received: [], calls: [],
        receive: (message) => peer.received.push(message),
        resume: () => peer.calls.push('resume'),
        close: () => peer.calls.push('close'),
        setTrack: (kind, track) => peer.calls.push(`${kind} ${track}`),
        setMediaState: (state) => peer.calls.push(state),
      };
      peers.set(request.peerId, peer);
      return peer;
    },
    events: {
      onJoined: () => seen.push('joined'),
      onParticipant: ({ peerId }) => seen.push(`+${peerId}`),
      onParticipantLeft: (peerId) => seen.push(`-${peerId}`),
      onRefused: (code) => seen.push(code),
    },
    setTimer: (action, ms) => timers.push({ action, ms }),
  });
  return { call, sent, seen, peers, timers };
}

const joined = (present = [], more = {}) => ({
  type: 'RoomJoined', roomId: 'tea', peerId: 'm', resumed: false, participants: present.map((peerId) => ({ peerId })),
  iceServers: [], locked: false, limits: { maxParticipants: 4 }, ...more,
});

test('a newcomer waits for the offers of those present', () => {
  const { call, seen, peers } = makeCall();
  call.receive(joined(['a', 'z']));
  assert.deepEqual(seen, ['+a', '+z', 'joined']);
  assert.deepEqual([...peers.values()].map(({ request }) => request.offers), [false, false]);
});

test('whoever is present makes the offer to a newcomer', () => {
  const { call, peers } = makeCall();
  call.receive(joined());
  call.receive({ type: 'UserJoined', peerId: 'a' });
  assert.equal(peers.get('a').request.offers, true);
});

test('exactly one of two is polite', () => {
  const { call, peers } = makeCall();
  call.receive(joined(['a', 'z']));
  assert.equal(peers.get('a').request.polite, false);
  assert.equal(peers.get('z').request.polite, true);
});

test('signals reach their peer, and only announced ones', () => {
  const { call, peers } = makeCall();
  call.receive(joined(['a']));
  call.receive({ type: 'Signal', peerId: 'a', message: 1 });
  call.receive({ type: 'Signal', peerId: 'stranger', message: 2 });
  assert.deepEqual(peers.get('a').received, [1]);
  assert.equal(peers.size, 1);
});

test('what a peer sends goes to the hub with its address', () => {
  const { call, sent, peers } = makeCall();
  call.receive(joined(['a']));
  peers.get('a').request.send({ candidate: null });
  assert.deepEqual(sent.at(-1), { type: 'Signal', peerId: 'a', message: { candidate: null } });
});

test('whoever leaves is closed, once', () => {
  const { call, seen, peers } = makeCall();
  call.receive(joined(['a']));
  call.receive({ type: 'UserLeft', peerId: 'a', reason: 'left' });
  call.receive({ type: 'UserLeft', peerId: 'a', reason: 'left' });
  assert.deepEqual(seen, ['+a', 'joined', '-a']);
  assert.deepEqual(peers.get('a').calls, ['close']);
});

test('a second announcement, our own id, and more than the room holds make no connection', () => {
  const { call, peers } = makeCall();
  call.receive(joined(['a', 'a', 'm', 'b', 'c', 'd', 'e']));
  assert.deepEqual([...peers.keys()], ['a', 'b', 'c']);
});

test('nobody is announced before we are in the room', () => {
  const { call, peers } = makeCall();
  call.receive({ type: 'UserJoined', peerId: 'a' });
  assert.equal(peers.size, 0);
});

test('in a new seat every connection begins anew', () => {
  const { call, seen, peers } = makeCall();
  call.receive(joined(['a', 'b']));
  const before = peers.get('a');
  call.receive(joined(['a'], { peerId: 'n' }));
  assert.deepEqual(before.calls, ['close']);
  assert.notEqual(peers.get('a'), before);
  assert.deepEqual(seen, ['+a', '+b', 'joined', '-a', '-b', '+a', 'joined']);
});

test('in our old seat the connections go on; the room list decides who is gone and who is new', () => {
  const { call, sent, peers, seen } = makeCall();
  call.receive(joined(['a', 'b'], { resumeToken: 'token' }));
  call.join();
  assert.deepEqual(sent.at(-1), { type: 'JoinRoom', roomId: 'tea', resumeToken: 'token' });
  call.receive(joined(['a', 'c'], { resumed: true, resumeToken: 'next' }));
  assert.deepEqual(peers.get('a').calls, ['resume']);
  assert.deepEqual(peers.get('b').calls, ['close']);
  assert.equal(peers.get('c').request.offers, true);
  assert.deepEqual(seen, ['+a', '+b', 'joined', '-b', '+c', 'joined']);
});

test('a token that the hub does not take is forgotten, and the join repeated without it', () => {
  const { call, sent } = makeCall();
  call.receive(joined([], { resumeToken: 'token' }));
  call.receive({ type: 'Error', code: 'bad-resume-token', message: '' });
  assert.deepEqual(sent, [{ type: 'JoinRoom', roomId: 'tea' }]);
});

test('a hub without resume is no trouble', () => {
  const { call, sent } = makeCall();
  call.receive(joined());
  call.join();
  assert.deepEqual(sent, [{ type: 'JoinRoom', roomId: 'tea' }]);
});

test('leaving tells the hub and closes all, and a rejoin asks for a new seat', () => {
  const { call, sent, peers, seen } = makeCall();
  call.receive(joined(['a'], { resumeToken: 'token' }));
  call.leave();
  call.leave();
  assert.deepEqual(sent, [{ type: 'LeaveRoom' }]);
  assert.deepEqual(peers.get('a').calls, ['close']);
  assert.deepEqual(seen, ['+a', 'joined', '-a']);
  call.join();
  assert.deepEqual(sent.at(-1), { type: 'JoinRoom', roomId: 'tea' });
});

test('a full, locked or unknown room is said; somebody who just left is not', () => {
  const { call, seen } = makeCall();
  for (const code of ['room-full', 'room-locked', 'bad-room-id', 'hub-full', 'unknown-peer', 'already-in-room', 'bad-message']) {
    call.receive({ type: 'Error', code, message: '' });
  }
  assert.deepEqual(seen, ['room-full', 'room-locked', 'bad-room-id', 'hub-full']);
});

test('a join that came too fast is repeated when the hub says so', () => {
  const { call, sent, timers } = makeCall();
  call.receive({ type: 'Error', code: 'rate-limited', message: '', retryAfterMs: 700 });
  assert.equal(timers[0].ms, 700);
  timers[0].action();
  assert.deepEqual(sent, [{ type: 'JoinRoom', roomId: 'tea' }]);
});

test('tracks and states go to everybody', () => {
  const { call, peers } = makeCall();
  call.receive(joined(['a', 'b']));
  call.setTrack('video', null);
  call.setMediaState('state');
  for (const peer of peers.values()) assert.deepEqual(peer.calls, ['video null', 'state']);
});

test('the large picture: the chosen one, else who was there, else the first of the others, else oneself', () => {
  assert.equal(nextActive(['me'], null, null), 'me');
  assert.equal(nextActive(['me', 'a'], null, 'me'), 'a');
  assert.equal(nextActive(['me', 'a', 'b'], null, 'b'), 'b');
  assert.equal(nextActive(['me', 'a', 'b'], 'me', 'b'), 'me');
  assert.equal(nextActive(['me', 'a'], 'gone', 'gone'), 'a');
  assert.equal(nextActive(['me'], 'gone', 'gone'), 'me');
});
