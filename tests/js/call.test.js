import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './client.js';
import { FakeClock } from './helpers.js';

const { Call, nextActive } = await load('call.js');

function makeCall() {
  const sent = [];
  const seen = [];
  const peers = new Map();
  const clock = new FakeClock();
  const call = new Call({
    roomId: 'tea',
    send: (message) => sent.push(message) > 0,
    createPeer: (request) => {
      const peer = {
        request, received: [], calls: [], connectionState: 'connected', certificate: null,
        isOfAnother: ({ description }) => description !== undefined && peer.certificate !== null && description.sdp !== peer.certificate,
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
      onWaiting: () => seen.push('waiting'),
      onKnock: ({ peerId, name }) => seen.push(`knock ${peerId} ${name}`),
      onKnockEnded: (peerId) => seen.push(`knock ${peerId} ended`),
      onNoRoom: () => seen.push('no room'),
    },
    setTimer: clock.setTimer,
  });
  return { call, sent, seen, peers, clock };
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

/** A call with these, whose line broke and stands again. The hub's next word will be of our old seat. */
function makeReturning(known, more = {}) {
  const made = makeCall();
  made.call.join();
  made.call.receive(joined(known, { resumeToken: 'token', ...more }));
  made.call.join();
  made.sent.length = made.seen.length = 0;
  return made;
}
const resumed = (present = [], more = {}) => joined(present, { resumed: true, resumeToken: 'next', ...more });
const offerOf = (sdp) => ({ description: { type: 'offer', sdp } });
const answerOf = (sdp) => ({ description: { type: 'answer', sdp } });

test('we come back with our token, and after that with the next one', () => {
  const { call, sent } = makeCall();
  call.receive(joined([], { resumeToken: 'token' }));
  call.join();
  call.receive(resumed());
  call.join();
  assert.deepEqual(sent.map(({ resumeToken }) => resumeToken), ['token', 'next']);
});

test('in our old seat the connections go on, and whoever is named and new gets our offer', () => {
  const { call, peers, sent, seen } = makeReturning(['a', 'b']);
  call.receive(resumed(['a', 'b', 'c']));
  assert.deepEqual(peers.get('a').calls, ['resume']);
  assert.deepEqual(peers.get('b').calls, ['resume']);
  assert.equal(peers.get('c').request.offers, true);
  assert.deepEqual(seen, ['+c', 'joined']);
  assert.deepEqual(sent.map(({ peerId, message }) => [peerId, message]), [['a', { back: true }], ['b', { back: true }]]);
});

test('in our old seat, whoever has been told of us makes the offer', () => {
  const { call, peers } = makeReturning(['a']);
  call.receive(resumed([], { participants: [{ peerId: 'a' }, { peerId: 'c', offers: true }] }));
  assert.equal(peers.get('c').request.offers, false);
});

test('whom the hub does not name stays as long as the connection works', () => {
  const { call, peers, seen, clock } = makeReturning(['a', 'b']);
  call.receive(resumed(['b']));
  clock.pass(600_000);
  assert.deepEqual(seen, ['joined']);
  assert.deepEqual(peers.get('a').calls, []);
  peers.get('a').request.onConnectionState('disconnected');
  assert.deepEqual(seen, ['joined']);
  peers.get('a').request.onConnectionState('failed');
  assert.deepEqual(seen, ['joined', '-a']);
  assert.deepEqual(peers.get('a').calls, ['close']);
});

test('whom the hub does not name, and who is not connected, has as long to come back as the hub would give them', () => {
  const { call, peers, seen, clock } = makeReturning(['a', 'b', 'c']);
  peers.get('b').connectionState = 'failed';
  call.receive(resumed([], { limits: { maxParticipants: 4, resumeSeconds: 20 } }));
  peers.get('a').connectionState = 'failed';
  peers.get('a').request.onConnectionState('failed');
  clock.pass(19_999);
  assert.deepEqual(seen, ['joined']);
  clock.pass(1);
  assert.deepEqual(seen, ['joined', '-a', '-b']);
});

test('whom the hub does not name, and who has hung up, is gone at once', () => {
  const { call, peers, seen } = makeReturning(['a', 'b']);
  peers.get('a').connectionState = 'closed';
  call.receive(resumed());
  assert.deepEqual(seen, ['-a', 'joined']);
  peers.get('b').request.onConnectionState('closed');
  assert.deepEqual(seen, ['-a', 'joined', '-b']);
});

test('whom the hub does not name, and who has left, is gone when it says so', () => {
  const { call, seen } = makeReturning(['a']);
  call.receive(resumed());
  call.receive({ type: 'UserLeft', peerId: 'a', reason: 'timeout' });
  assert.deepEqual(seen, ['joined', '-a']);
});

test('whoever says something is back: now the hub decides again', () => {
  const { call, peers, seen, clock } = makeReturning(['a']);
  call.receive(resumed());
  call.receive({ type: 'Signal', peerId: 'a', message: { back: true } });
  peers.get('a').connectionState = 'failed';
  clock.pass(600_000);
  peers.get('a').request.onConnectionState('failed');
  assert.deepEqual(seen, ['joined']);
});

test('whoever is named when we come back once more is back', () => {
  const { call, peers, seen, clock } = makeReturning(['a']);
  call.receive(resumed());
  peers.get('a').connectionState = 'failed';
  call.join();
  clock.pass(600_000);
  call.receive(resumed(['a']));
  clock.pass(600_000);
  assert.deepEqual(seen, ['joined', 'joined']);
  assert.deepEqual(peers.get('a').calls, ['resume']);
});

test('while the line is down nobody goes', () => {
  const { peers, seen, clock } = makeReturning(['a']);
  peers.get('a').connectionState = 'failed';
  peers.get('a').request.onConnectionState('failed');
  clock.pass(600_000);
  assert.deepEqual(seen, []);
});

test('whoever is back is told again what waits for an answer', () => {
  const { call, peers, clock } = makeReturning(['a']);
  call.receive(resumed());
  call.receive({ type: 'Error', code: 'unknown-peer', message: '', peerId: 'a' });
  assert.deepEqual(peers.get('a').calls, []);
  const sayBack = () => call.receive({ type: 'Signal', peerId: 'a', message: { back: true } });
  sayBack();
  assert.deepEqual(peers.get('a').calls, ['resume']);
  assert.deepEqual(peers.get('a').received, []);
  for (let i = 0; i < 100; i += 1) sayBack();
  assert.deepEqual(peers.get('a').calls, ['resume'], 'but not as often as they like');
  clock.pass(1000);
  sayBack();
  assert.deepEqual(peers.get('a').calls, ['resume', 'resume']);
});

test('what came too fast is said again, and what is lost at a full place is not', () => {
  const { call, peers, clock } = makeCall();
  call.receive(joined(['a', 'b']));
  call.receive({ type: 'Error', code: 'rate-limited', message: '', peerId: 'a', retryAfterMs: 9000 });
  clock.pass(9000);
  assert.deepEqual(peers.get('a').calls, []);
  call.receive({ type: 'Error', code: 'rate-limited', message: '', retryAfterMs: 100 });
  clock.pass(100);
  for (const peer of peers.values()) assert.deepEqual(peer.calls, ['resume']);
});

test('somebody who knows us and whom we have given up gets an answer', () => {
  const { call, peers, seen } = makeReturning(['a']);
  call.receive(resumed());
  peers.get('a').request.onConnectionState('closed');
  call.receive({ type: 'Signal', peerId: 'a', message: { candidate: null } });
  assert.deepEqual(seen, ['joined', '-a']);
  call.receive({ type: 'Signal', peerId: 'a', message: offerOf('A1') });
  assert.deepEqual(seen, ['joined', '-a', '+a']);
  assert.equal(peers.get('a').request.offers, false);
  assert.deepEqual(peers.get('a').received, [offerOf('A1')]);
});

test('an offer of another connection than the one we know: they began anew, and so do we', () => {
  const { call, peers, seen } = makeCall();
  call.receive(joined(['a']));
  const before = peers.get('a');
  before.certificate = 'A1';
  call.receive({ type: 'Signal', peerId: 'a', message: offerOf('A1') });
  call.receive({ type: 'Signal', peerId: 'a', message: offerOf('A2') });
  assert.deepEqual(before.calls, ['close']);
  assert.deepEqual(before.received, [offerOf('A1')]);
  assert.deepEqual(peers.get('a').received, [offerOf('A2')]);
  assert.equal(peers.get('a').request.offers, false);
  assert.deepEqual(seen, ['+a', 'joined'], 'the tile stays');
});

test('an answer of another connection is of somebody who had given us up: a new offer is due', () => {
  const { call, peers } = makeCall();
  call.receive(joined(['a']));
  peers.get('a').certificate = 'A1';
  call.receive({ type: 'Signal', peerId: 'a', message: answerOf('A2') });
  assert.equal(peers.get('a').request.offers, true);
});

test('nobody makes us begin anew for ever, and who leaves and comes may do so again', () => {
  const { call, peers, seen } = makeCall();
  let made = 0;
  call.receive(joined(['a']));
  for (let i = 0; i < 100; i += 1) {
    const before = peers.get('a');
    before.certificate = `A${i}`;
    call.receive({ type: 'Signal', peerId: 'a', message: offerOf(`A${i + 1}`) });
    if (peers.get('a') !== before) made += 1;
  }
  assert.equal(made, 19);
  call.receive({ type: 'UserLeft', peerId: 'a', reason: 'left' });
  call.receive({ type: 'UserJoined', peerId: 'a' });
  assert.deepEqual(seen, ['+a', 'joined', '-a', '+a']);
});

test('somebody announced anew whom we know: a connection that works goes on, another begins anew', () => {
  const { call, peers, seen } = makeReturning(['a', 'b']);
  call.receive(resumed());
  const [a, b] = [peers.get('a'), peers.get('b')];
  b.connectionState = 'failed';
  call.receive({ type: 'UserJoined', peerId: 'a' });
  call.receive({ type: 'UserJoined', peerId: 'b' });
  assert.deepEqual(a.calls, ['resume']);
  assert.deepEqual(b.calls, ['close']);
  assert.equal(peers.get('b').request.offers, true);
  assert.deepEqual(seen, ['joined'], 'no tile came or went');
});

test('somebody who has been told of us whom we know: a connection that does not work waits for their offer', () => {
  const { call, peers } = makeReturning(['a']);
  peers.get('a').connectionState = 'failed';
  call.receive(resumed([], { participants: [{ peerId: 'a', offers: true }] }));
  assert.equal(peers.get('a').request.offers, false);
  assert.deepEqual(peers.get('a').calls, []);
});

test('a hub that is full when we come back ends nothing: we ask again', () => {
  const { call, sent, seen, clock, peers } = makeReturning(['a']);
  call.receive({ type: 'Error', code: 'hub-full', message: '' });
  clock.pass(5000);
  assert.deepEqual(sent, [{ type: 'JoinRoom', roomId: 'tea', resumeToken: 'token' }]);
  assert.deepEqual(seen, []);
  assert.deepEqual(peers.get('a').calls, []);
});

test('a hub that wants us to come back more slowly is obeyed, and not twice', () => {
  const { call, sent, clock } = makeReturning(['a']);
  call.receive({ type: 'Error', code: 'rate-limited', message: '', retryAfterMs: 25_000 });
  clock.pass(20_000);
  call.join(); // the line broke again meanwhile
  call.receive(resumed(['a']));
  clock.pass(60_000);
  assert.equal(sent.filter(({ type }) => type === 'JoinRoom').length, 1);
});

test('a lock that a new hub has forgotten is said again by the first of us who is back', () => {
  const lock = { type: 'LockRoom', locked: true };
  const first = makeReturning(['a'], { locked: true });
  first.call.receive(resumed());
  assert.deepEqual(first.sent, [lock]);

  const alone = makeReturning([]);
  alone.call.receive({ type: 'RoomLocked', locked: true, peerId: 'm' });
  alone.call.receive(resumed());
  assert.deepEqual(alone.sent, [lock]);

  const second = makeReturning(['a', 'b'], { locked: true });
  second.call.receive(resumed(['a']));
  assert.deepEqual(second.sent, [{ type: 'Signal', peerId: 'a', message: { back: true } }]);

  const unlocked = makeReturning(['a'], { locked: true });
  unlocked.call.receive({ type: 'RoomLocked', locked: false, peerId: 'a' });
  unlocked.call.receive(resumed());
  assert.deepEqual(unlocked.sent, []);
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
  const { call, sent, clock } = makeCall();
  call.join();
  call.receive({ type: 'Error', code: 'rate-limited', message: '', retryAfterMs: 700 });
  clock.pass(699);
  assert.equal(sent.length, 1);
  clock.pass(1);
  assert.deepEqual(sent[1], { type: 'JoinRoom', roomId: 'tea' });
});

test('at a locked room we wait, are let in or sent away', () => {
  const { call, sent, seen } = makeCall();
  call.join();
  call.receive({ type: 'Waiting' });
  call.receive({ type: 'Error', code: 'room-locked', message: '' });
  assert.deepEqual(seen, ['waiting', 'room-locked']);
  call.join();
  call.receive({ type: 'Waiting' });
  call.receive(joined(['a'], { locked: true }));
  assert.deepEqual(seen.slice(2), ['waiting', '+a', 'joined']);
  assert.equal(sent.length, 2);
});

test('whoever leaves while waiting withdraws', () => {
  const { call, sent } = makeCall();
  call.join();
  call.receive({ type: 'Waiting' });
  call.leave();
  assert.deepEqual(sent[1], { type: 'LeaveRoom' });
});

test('who has to knock again has lost the seat, and the connections with it', () => {
  const { call, seen, sent } = makeReturning(['a']);
  call.receive({ type: 'Error', code: 'bad-resume-token', message: '' });
  call.receive({ type: 'Waiting' });
  assert.deepEqual(seen, ['-a', 'waiting']);
  assert.deepEqual(sent, [{ type: 'JoinRoom', roomId: 'tea' }]);
});

test('who knocks is shown until it is over, and our answer goes to the hub', () => {
  const { call, sent, seen } = makeCall();
  call.receive(joined());
  call.receive({ type: 'Knock', peerId: 'k', name: 'Kai' });
  call.receive({ type: 'Knock', peerId: 'l' });
  call.admit('k');
  call.deny('l');
  assert.deepEqual(sent, [{ type: 'Admit', peerId: 'k' }, { type: 'Deny', peerId: 'l' }]);
  call.receive({ type: 'KnockEnded', peerId: 'k' });
  call.receive({ type: 'KnockEnded', peerId: 'k' });
  assert.deepEqual(seen, ['joined', 'knock k Kai', 'knock l undefined', 'knock k ended']);
});

test('a knock ends also when the hub knows nothing of it, when the list begins anew, and with our seat', () => {
  const { call, seen } = makeCall();
  call.receive(joined([], { locked: true, resumeToken: 'token' }));
  for (const peerId of ['k', 'l']) call.receive({ type: 'Knock', peerId });
  call.receive({ type: 'Error', code: 'unknown-peer', message: '', peerId: 'k' });
  assert.deepEqual(seen.slice(3), ['knock k ended']);
  call.receive(resumed([], { locked: true }));
  call.receive({ type: 'Knock', peerId: 'm' }); // who still knocks is told behind RoomJoined
  assert.deepEqual(seen.slice(4), ['knock l ended', 'joined', 'knock m undefined']);
  call.receive(resumed());
  assert.deepEqual(seen.slice(7), ['knock m ended', 'joined']);
  call.receive({ type: 'Knock', peerId: 'n' });
  call.leave();
  assert.deepEqual(seen.slice(9), ['knock n undefined', 'knock n ended']);
});

test('whoever lets somebody into a full room is told, and the knock stays', () => {
  const { call, seen } = makeCall();
  call.receive(joined());
  call.receive({ type: 'Knock', peerId: 'k' });
  call.receive({ type: 'Error', code: 'room-full', message: '', peerId: 'k' });
  assert.deepEqual(seen, ['joined', 'knock k undefined', 'no room']);
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
