// SIGTERM: everybody is told when to come back, one after another, and nothing is lost meanwhile.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetchRaw } from '../lib/http.mjs';
import { Participant, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, startServer } from '../lib/server.mjs';

const GRACE_S = 4;

describe('drain', () => {
  it('R73: Reconnect spread over the grace, readiness 503, Signals relayed, no new rooms, then 1012 and status 0', async () => {
    const server = await startServer([...UNLIMITED, '--drain-grace', String(GRACE_S)]);
    const rooms = await Promise.all(Array.from({ length: 10 }, () => roomOf(server, 4)));
    const all = rooms.flat();
    const idle = await Participant.connect(server);
    const ended = server.stop();

    const after = [];
    for (const one of [...all, idle]) after.push((await one.receive('Reconnect')).afterMs);
    for (let second = 0; second * 1000 < GRACE_S * 1000; second++) {
      const due = after.filter((ms) => Math.floor(ms / 1000) === second).length;
      assert.ok(due > 0 && due <= Math.ceil(after.length / GRACE_S), `${due} of ${after.length} in second ${second}`);
    }
    assert.ok(Math.max(...after) < GRACE_S * 1000);

    assert.equal((await fetch(`http://127.0.0.1:${server.opsPort}/readyz`)).status, 503);
    await assert.rejects(fetchRaw(server.port, '/room/tea'), 'nobody new is let in');

    // Whoever is last: a Signal between two who have not gone yet arrives.
    const latest = rooms.map((room) => room.map((one) => after[all.indexOf(one)])).map((ms) => Math.min(...ms));
    const room = rooms[latest.indexOf(Math.max(...latest))];
    room[0].signal(room[1].peerId, 'before we go');
    assert.equal((await room[1].receive('Signal')).message, 'before we go');
    room[2].send({ type: 'LeaveRoom' });
    room[2].send({ type: 'JoinRoom', roomId: freshRoom() });
    await room[2].receiveError('hub-full');

    for (const one of [...all, idle]) assert.equal(await one.closed(), 1012);
    assert.deepEqual(await ended, { code: 0, signal: null }, server.stderr.slice(-4000));
    assert.equal(server.sanitizerReport, '');
    for (const one of all) {
      const left = one.queue.filter(({ object }) => object.type === 'UserLeft');
      assert.ok(left.every(({ object }) => object.reason === 'left'), 'nobody is told that somebody left but of who did');
    }
  });

  it('clients that go by themselves end the wait', async () => {
    const server = await startServer([...UNLIMITED, '--drain-grace', '300']);
    const room = await roomOf(server, 3);
    const ended = server.stop();
    for (const one of room) {
      await one.receive('Reconnect');
      await one.leave(3000);
    }
    assert.deepEqual(await ended, { code: 0, signal: null }, server.stderr.slice(-4000));
  });

  it('a second SIGTERM ends it at once', async () => {
    const server = await startServer([...UNLIMITED, '--drain-grace', '300']);
    const room = await roomOf(server, 2);
    server.child.kill('SIGTERM');
    await room[0].receive('Reconnect');
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    for (const one of room) assert.ok([1006, 1012].includes(/** @type {number} */ (await one.closed())));
  });
});
