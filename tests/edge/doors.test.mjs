// Locked rooms: who knocks waits until a member lets him in.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Participant, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite, startServer } from '../lib/server.mjs';

/** A locked room of so many. @param {any} server @param {number} count */
async function lockedRoom(server, count) {
  const room = await roomOf(server, count);
  room[0].send({ type: 'LockRoom', locked: true });
  for (const one of room) assert.deepEqual(await one.receive('RoomLocked'), { type: 'RoomLocked', locked: true, peerId: room[0].peerId });
  return room;
}

/** Knocks; every member hears of it. @param {any} server @param {Participant[] & { roomId: string }} room @param {object} [members] */
async function knock(server, room, members = {}) {
  const one = await Participant.connect(server);
  one.send({ type: 'JoinRoom', roomId: room.roomId, ...members });
  assert.deepEqual(await one.receive('Waiting'), { type: 'Waiting' });
  for (const member of room) one.peerId = (await member.receive('Knock')).peerId;
  return one;
}

describe('locked rooms', () => {
  const held = serverOfSuite({ before, after });

  it('Admit lets the one who knocks in, with his name and his hello', async () => {
    const room = await lockedRoom(held.current, 2);
    const [a, b] = room;
    const one = await Participant.connect(held.current);
    one.send({ type: 'JoinRoom', roomId: room.roomId, name: 'Mele', hello: [1, 'x'] });
    await one.receive('Waiting');
    const { peerId, name } = await a.receive('Knock');
    assert.equal(name, 'Mele');
    assert.deepEqual(await b.receive('Knock'), { type: 'Knock', peerId, name });

    b.send({ type: 'Admit', peerId });
    const joined = await one.receive('RoomJoined');
    assert.equal(joined.peerId, peerId);
    assert.equal(joined.locked, true);
    assert.deepEqual(joined.participants, [{ peerId: a.peerId }, { peerId: b.peerId }]);
    for (const member of room) {
      assert.deepEqual(await member.receive('KnockEnded'), { type: 'KnockEnded', peerId });
      assert.deepEqual(await member.receive('UserJoined'), { type: 'UserJoined', peerId, name, hello: [1, 'x'] });
    }
    one.signal(a.peerId, 'thanks');
    assert.equal((await a.receive('Signal')).peerId, peerId);
    one.destroy();
    await room.end();
  });

  it('Deny sends him away; his socket stays open, and he may knock again', async () => {
    const room = await lockedRoom(held.current, 2);
    const one = await knock(held.current, room);
    room[1].send({ type: 'Deny', peerId: one.peerId });
    await one.receiveError('room-locked');
    for (const member of room) assert.equal((await member.receive('KnockEnded')).peerId, one.peerId);
    one.send({ type: 'JoinRoom', roomId: room.roomId });
    await one.receive('Waiting');
    const again = (await room[0].receive('Knock')).peerId;
    assert.notEqual(again, one.peerId);
    one.destroy();
    await room.end();
  });

  for (const [how, go] of /** @type {[string, (one: Participant) => unknown][]} */ ([
    ['says LeaveRoom', (one) => one.send({ type: 'LeaveRoom' })],
    ['closes', (one) => one.leave()],
    ['breaks off', (one) => one.destroy()],
  ])) {
    it(`a knock is withdrawn when its sender ${how}`, async () => {
      const room = await lockedRoom(held.current, 2);
      const one = await knock(held.current, room);
      await go(one);
      for (const member of room) assert.deepEqual(await member.receive('KnockEnded'), { type: 'KnockEnded', peerId: one.peerId });
      room[0].send({ type: 'Admit', peerId: one.peerId });
      assert.equal((await room[0].receiveError('unknown-peer')).peerId, one.peerId);
      one.destroy();
      await room.end();
    });
  }

  it('who knocks may do nothing else, and nobody reaches him', async () => {
    const room = await lockedRoom(held.current, 1);
    const one = await knock(held.current, room);
    for (const message of [{ type: 'Signal', peerId: room[0].peerId, message: 1 }, { type: 'LockRoom', locked: false },
      { type: 'Admit', peerId: one.peerId }, { type: 'Deny', peerId: one.peerId }, { type: 'RefreshIceServers' }]) {
      one.send(message);
      await one.receiveError('not-in-room');
    }
    one.send({ type: 'JoinRoom', roomId: room.roomId });
    await one.receiveError('already-in-room');
    room[0].signal(one.peerId, 'psst');
    assert.equal((await room[0].receiveError('unknown-peer')).peerId, one.peerId);
    await one.hearsNothing();
    one.destroy();
    await room.end();
  });

  it('unlocking lets all in, in the order of their knocks', async () => {
    const room = await lockedRoom(held.current, 1);
    const waiting = [];
    for (let i = 0; i < 3; i++) waiting.push(await knock(held.current, room));
    room[0].send({ type: 'LockRoom', locked: false });
    assert.equal((await room[0].receive('RoomLocked')).locked, false);
    for (const one of waiting) {
      assert.equal((await room[0].receive('KnockEnded')).peerId, one.peerId);
      assert.equal((await room[0].receive('UserJoined')).peerId, one.peerId);
    }
    for (const [i, one] of waiting.entries()) {
      const joined = await one.receive('RoomJoined');
      assert.equal(joined.locked, false);
      assert.deepEqual(joined.participants.map((/** @type {any} */ each) => each.peerId), [room[0], ...waiting.slice(0, i)].map((each) => each.peerId));
    }
    for (const one of waiting) one.destroy();
    await room.end();
  });

  it('the last member leaves: the room is open, and those who waited have it', async () => {
    const room = await lockedRoom(held.current, 2);
    const one = await knock(held.current, room);
    await room[1].leave();
    await room[0].receive('UserLeft');
    await room[0].leave();
    const joined = await one.receive('RoomJoined');
    assert.equal(joined.locked, false);
    assert.deepEqual(joined.participants, []);
    const next = await Participant.join(held.current, room.roomId);
    assert.deepEqual(next.joined.participants, [{ peerId: one.peerId }]);
    one.destroy();
    next.destroy();
  });

  it('who is let in hears of those who still knock', async () => {
    const room = await lockedRoom(held.current, 1);
    const first = await knock(held.current, room);
    const second = await knock(held.current, room, { name: 'Keoni' });
    room[0].send({ type: 'Admit', peerId: first.peerId });
    await first.receive('RoomJoined');
    assert.deepEqual(await first.receive('Knock'), { type: 'Knock', peerId: second.peerId, name: 'Keoni' });
    first.send({ type: 'Deny', peerId: second.peerId });
    await second.receiveError('room-locked');
    first.destroy();
    second.destroy();
    await room.end();
  });

  it('a resume token opens a locked room: its seat was never given up', async () => {
    const room = await lockedRoom(held.current, 2);
    const [a, b] = room;
    b.destroy();
    await b.closed();
    const one = await Participant.connect(held.current);
    one.send({ type: 'JoinRoom', roomId: room.roomId });
    await one.receive('Waiting');
    const { peerId } = await a.receive('Knock');
    const back = await Participant.join(held.current, room.roomId, { resumeToken: /** @type {any} */ (b).joined.resumeToken });
    assert.equal(back.joined.locked, true);
    assert.equal((await back.receive('Knock')).peerId, peerId, 'what was asked while he was away');
    await back.hearsNothing();
    await a.hearsNothing();
    one.destroy();
    back.destroy();
    await room.end();
  });

  it('a full room admits nobody; the knock stays', async () => {
    const server = await startServer([...UNLIMITED, '--room-peers-max', '2']);
    const room = await lockedRoom(server, 1);
    const first = await knock(server, room);
    const second = await knock(server, room);
    room[0].send({ type: 'Admit', peerId: first.peerId });
    await first.receive('RoomJoined');
    await first.receive('Knock');
    await room[0].receive('KnockEnded');
    await room[0].receive('UserJoined');
    room[0].send({ type: 'Admit', peerId: second.peerId });
    assert.equal((await room[0].receiveError('room-full')).peerId, second.peerId);
    await second.hearsNothing();
    await first.leave();
    await room[0].receive('UserLeft');
    room[0].send({ type: 'Admit', peerId: second.peerId });
    await second.receive('RoomJoined');
    second.destroy();
    await room.end();
    await server.endsCleanly();
  });

  it('RefreshIceServers is answered, six times a minute', async () => {
    const one = await Participant.join(held.current, freshRoom());
    for (let i = 0; i < 6; i++) {
      one.send({ type: 'RefreshIceServers' });
      assert.deepEqual(await one.receive('IceServers'), { type: 'IceServers', iceServers: [] });
    }
    one.send({ type: 'RefreshIceServers' });
    assert.ok((await one.receiveError('rate-limited')).retryAfterMs > 0);
    one.destroy();
  });

  it('the server of this suite ends cleanly', () => held.current.endsCleanly());
});
