// A peer is not its connection: seats are kept for those whose line broke, and found again after the server was killed.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pause } from '../lib/wait.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, runToEnd, serverOfSuite, startServer } from '../lib/server.mjs';

const PRIVATE_CODE = 3000; // of a client that goes on with another socket

/** Comes back with a token, on a connection of its own. @param {any} server @param {string} roomId @param {string} resumeToken @param {object} [members] */
async function comeBack(server, roomId, resumeToken, members) {
  return Participant.join(server, roomId, { resumeToken, ...members });
}

/** @param {any} server @param {string} roomId @param {string} resumeToken */
async function isRefused(server, roomId, resumeToken) {
  const one = await Participant.connect(server);
  one.send({ type: 'JoinRoom', roomId, resumeToken });
  await one.receiveError('bad-resume-token');
  return one;
}

/** Breaks its connection off, and waits until the hub has seen it. @param {any} server @param {Participant} one */
async function breakOff(server, one) {
  const before = await heldSeats(server);
  one.destroy();
  await one.closed();
  while ((await heldSeats(server)) <= before) await pause(20); // the test's own deadline ends it
}

/** @param {any} server */
async function heldSeats(server) {
  const text = await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();
  return Number(/^aloha_seats_held (\d+)$/m.exec(text)?.[1]);
}

/** @param {any} joined */
const idsOf = (joined) => joined.participants.map((/** @type {any} */ each) => each.peerId);

describe('seats and resume', () => {
  const held = serverOfSuite({ before, after });

  for (const [how, drop] of /** @type {[string, (one: Participant) => unknown][]} */ ([
    ['the socket breaks', (one) => breakOff(held.current, one)],
    [`the client closes with ${PRIVATE_CODE}`, (one) => one.leave(PRIVATE_CODE)],
  ])) {
    it(`rule 6: when ${how} the seat is kept, its Signals are delivered in order, and nobody hears of it`, async () => {
      const room = await roomOf(held.current, 3);
      const [a, b, away] = room;
      const { resumeToken } = /** @type {any} */ (away).joined;
      await drop(away);
      await away.closed();
      for (let i = 0; i < 20; i++) (i % 2 ? a : b).signal(away.peerId, { i });
      await a.hearsNothing();
      await b.hearsNothing();
      const back = await comeBack(held.current, room.roomId, resumeToken);
      assert.equal(back.peerId, away.peerId);
      assert.equal(back.joined.resumed, true);
      assert.deepEqual(idsOf(back.joined).sort(), [a.peerId, b.peerId].sort());
      const got = { [a.peerId]: /** @type {number[]} */ ([]), [b.peerId]: /** @type {number[]} */ ([]) };
      for (let i = 0; i < 20; i++) {
        const signal = await back.receive('Signal');
        got[signal.peerId].push(signal.message.i);
      }
      assert.deepEqual(got[b.peerId], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
      assert.deepEqual(got[a.peerId], [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
      for (const one of [a, b, back]) await one.hearsNothing();
      back.signal(a.peerId, 'here I am');
      assert.deepEqual(await a.receive('Signal'), { type: 'Signal', peerId: away.peerId, message: 'here I am' });
      back.destroy();
      await room.end();
    });
  }

  it('rule 6: a clean close frees the seat at once, and its token is worth nothing any more', async () => {
    const room = await roomOf(held.current, 2);
    const [a, b] = room;
    await b.leave(1000);
    assert.deepEqual(await a.receive('UserLeft'), { type: 'UserLeft', peerId: b.peerId, reason: 'left' });
    const late = await isRefused(held.current, room.roomId, /** @type {any} */ (b).joined.resumeToken);
    const joined = await late.join(room.roomId); // and the join may be repeated without it
    assert.notEqual(joined.peerId, b.peerId);
    assert.equal(joined.resumed, false);
    late.destroy();
    await room.end();
  });

  it('rule 7: the newest socket wins, the older is closed 4001, and both know what was said meanwhile', async () => {
    const room = await roomOf(held.current, 2);
    const [a, b] = room;
    const first = await comeBack(held.current, room.roomId, /** @type {any} */ (b).joined.resumeToken);
    assert.equal(await b.closed(), 4001);
    const second = await comeBack(held.current, room.roomId, first.joined.resumeToken);
    assert.equal(await first.closed(), 4001);
    assert.equal(second.peerId, b.peerId);
    await a.hearsNothing();
    a.signal(second.peerId, 1);
    assert.equal((await second.receive('Signal')).message, 1);
    second.destroy();
    await room.end();
  });

  it('a token is refused in another room, changed in any place, or cut', async () => {
    const server = await startServer(UNLIMITED); // its own, for forgers have to wait
    const room = await roomOf(server, 2);
    const { resumeToken } = /** @type {any} */ (room[1]).joined;
    assert.match(resumeToken, /^[\w-]{80}$/);
    const other = resumeToken[40] === 'A' ? 'B' : 'A';
    for (const [roomId, token] of [
      [freshRoom(), resumeToken],
      [room.roomId, resumeToken.slice(0, 40) + other + resumeToken.slice(41)],
      [room.roomId, resumeToken.slice(0, 79)],
      [room.roomId, `${resumeToken}A`],
      [room.roomId, ''],
    ]) {
      (await isRefused(server, roomId, token)).destroy();
    }
    await room[0].hearsNothing();
    await room.end();
    await server.endsCleanly();
  });

  it('R39: who forges tokens has to wait, longer and longer; who does not is not kept waiting', async () => {
    const server = await startServer(UNLIMITED);
    const room = await roomOf(server, 2);
    const forged = 'A'.repeat(80);
    for (let i = 0; i < 10; i++) (await isRefused(server, room.roomId, forged)).destroy();
    const one = await Participant.connect(server);
    one.send({ type: 'JoinRoom', roomId: room.roomId, resumeToken: forged });
    const { retryAfterMs } = await one.receiveError('rate-limited');
    assert.ok(retryAfterMs > 0 && retryAfterMs <= 25_000, `${retryAfterMs}`);
    assert.equal((await one.join(room.roomId)).resumed, false, 'without a token the door is open');
    one.destroy();
    await room.end();
    await server.endsCleanly();
  });

  it('what is kept for a seat is bounded: the sender is told, and what was kept comes in order', async () => {
    const room = await roomOf(held.current, 2);
    const [a, b] = room;
    await breakOff(held.current, b);
    for (let i = 0; i < 70; i++) a.signal(b.peerId, i);
    for (let i = 64; i < 70; i++) {
      const error = await a.receiveError('rate-limited');
      assert.equal(error.peerId, b.peerId);
      assert.ok(error.retryAfterMs > 0 && error.retryAfterMs <= 30_000, `${error.retryAfterMs}`);
    }
    const back = await comeBack(held.current, room.roomId, /** @type {any} */ (b).joined.resumeToken);
    for (let i = 0; i < 64; i++) assert.equal((await back.receive('Signal')).message, i);
    await back.hearsNothing();
    back.destroy();
    await room.end();
  });

  it('it is bounded in bytes too', async () => {
    const server = await startServer([...UNLIMITED, '--backlog-max', '1']);
    const room = await roomOf(server, 2);
    const [a, b] = room;
    await breakOff(server, b);
    for (let i = 0; i < 5; i++) a.signal(b.peerId, String(i).repeat(60_000));
    for (let i = 2; i < 5; i++) await a.receiveError('rate-limited');
    const back = await comeBack(server, room.roomId, /** @type {any} */ (b).joined.resumeToken);
    assert.equal((await back.receive('Signal')).message[0], '0');
    assert.equal((await back.receive('Signal')).message[0], '1');
    await back.hearsNothing();
    back.destroy();
    await room.end();
    await server.endsCleanly();
  });

  it('when nobody comes back in time the others are told, once, and the token is worth nothing', async () => {
    const server = await startServer([...UNLIMITED, '--resume-seconds', '1']);
    const room = await roomOf(server, 2);
    const [a, b] = room;
    assert.equal(/** @type {any} */ (b).joined.limits.resumeSeconds, 1);
    b.destroy();
    assert.deepEqual(await a.receive('UserLeft'), { type: 'UserLeft', peerId: b.peerId, reason: 'timeout' });
    (await isRefused(server, room.roomId, /** @type {any} */ (b).joined.resumeToken)).destroy();
    a.signal(b.peerId, 'are you there');
    await a.receiveError('unknown-peer');
    await room.end();
    await server.endsCleanly();
  });

  it('--resume-seconds 0 keeps no seats', async () => {
    const server = await startServer([...UNLIMITED, '--resume-seconds', '0']);
    const room = await roomOf(server, 2);
    room[1].destroy();
    assert.equal((await room[0].receive('UserLeft')).reason, 'timeout');
    await room.end();
    await server.endsCleanly();
  });

  it('who came while one was away is in its list, and hears of it like of any other', async () => {
    const room = await roomOf(held.current, 2);
    const [a, b] = room;
    await breakOff(held.current, b);
    const late = await Participant.join(held.current, room.roomId);
    assert.deepEqual(idsOf(late.joined).sort(), [a.peerId, b.peerId].sort(), 'a held seat is a seat');
    await a.receive('UserJoined');
    late.signal(b.peerId, 'kept');
    await late.hearsNothing();
    const back = await comeBack(held.current, room.roomId, /** @type {any} */ (b).joined.resumeToken);
    assert.deepEqual(idsOf(back.joined).sort(), [a.peerId, late.peerId].sort());
    assert.equal((await back.receive('Signal')).message, 'kept');
    for (const one of [a, late, back]) await one.hearsNothing();
    back.destroy();
    late.destroy();
    await room.end();
  });

  it('hostile to the end: the server still serves', () => assertServes(held.current));

  it('the server of this suite ends cleanly', () => held.current.endsCleanly());
});

describe('after kill -9', () => {
  /** @type {string} */
  let state;
  before(async () => {
    state = await mkdtemp(path.join(tmpdir(), 'aloha-state-'));
  });
  after(() => rm(state, { recursive: true, force: true }));

  const start = () => startServer([...UNLIMITED, '--state-dir', path.join(state, 'made', 'here')]);

  it('everybody gets the old peerId back, nobody hears of anybody, and Signals go through', async () => {
    const before = await start();
    const room = await roomOf(before, 3);
    const tokens = room.map((one) => /** @type {any} */ (one).joined.resumeToken);
    await before.stop('SIGKILL');

    const server = await start();
    const back = [];
    for (const [i, token] of tokens.entries()) back.push(await comeBack(server, room.roomId, token, { name: `n${i}` }));
    for (const [i, one] of back.entries()) {
      assert.equal(one.peerId, room[i].peerId);
      assert.equal(one.joined.resumed, true);
      assert.deepEqual(one.joined.participants, back.slice(0, i).map((each, k) => ({ peerId: each.peerId, name: `n${k}` })));
      await one.hearsNothing();
    }
    back[0].signal(back[2].peerId, 'still here');
    assert.equal((await back[2].receive('Signal')).peerId, back[0].peerId);
    for (const one of back) one.destroy();
    await server.endsCleanly();
  });

  it('who joins after the restart learns of those who come back later, and they of him', async () => {
    const before = await start();
    const room = await roomOf(before, 2);
    const [a, b] = room.map((one) => /** @type {any} */ (one).joined.resumeToken);
    await before.stop('SIGKILL');

    const server = await start();
    const first = await comeBack(server, room.roomId, a);
    const fresh = await Participant.join(server, room.roomId);
    assert.equal((await first.receive('UserJoined')).peerId, fresh.peerId);
    const second = await comeBack(server, room.roomId, b);
    assert.deepEqual(second.joined.participants, [{ peerId: first.peerId }, { peerId: fresh.peerId, offers: true }]);
    assert.deepEqual(await fresh.receive('UserJoined'), { type: 'UserJoined', peerId: second.peerId });
    for (const one of [first, fresh, second]) await one.hearsNothing();

    await second.leave();
    for (const one of [first, fresh]) assert.equal((await one.receive('UserLeft')).peerId, second.peerId);
    (await isRefused(server, room.roomId, b)).destroy(); // who has left does not come back unseen
    for (const one of [first, fresh]) one.destroy();
    await server.endsCleanly();
  });

  it('another key knows nobody', async () => {
    const before = await start();
    const room = await roomOf(before, 2);
    await before.stop('SIGKILL');
    const other = await startServer([...UNLIMITED, '--state-dir', path.join(state, 'another')]);
    (await isRefused(other, room.roomId, /** @type {any} */ (room[0]).joined.resumeToken)).destroy();
    await other.endsCleanly();
  });

  it('the key file is made once, for its owner only', async () => {
    const file = path.join(state, 'made', 'here', 'secret');
    const key = await readFile(file, 'utf8');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await stat(path.dirname(file))).mode & 0o777, 0o700);
    assert.match(key, /^[0-9a-f]{64}\n$/);
    await (await start()).endsCleanly();
    assert.equal(await readFile(file, 'utf8'), key);
  });

  it('the state directory is found as systemd and XDG have it', async () => {
    for (const [env, file] of /** @type {[Record<string, string>, string][]} */ ([
      [{ STATE_DIRECTORY: `${state}/systemd:${state}/second` }, 'systemd/secret'],
      [{ STATE_DIRECTORY: '', XDG_STATE_HOME: `${state}/xdg` }, 'xdg/aloha/secret'],
      [{ STATE_DIRECTORY: '', XDG_STATE_HOME: '', HOME: `${state}/home` }, 'home/.local/state/aloha/secret'],
    ])) {
      const server = await startServer(UNLIMITED.concat('--state-dir', ''), { env });
      await server.endsCleanly();
      assert.equal((await stat(path.join(state, file))).size, 65, file);
    }
  });

  it('a key that others can read, that is too short or not there stops the start with one line', async () => {
    const file = path.join(state, 'key');
    const complaint = async () => {
      const end = await runToEnd(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', '--secret-file', file]);
      assert.equal(end.code, 1);
      return end.stderr.split('\n').find((line) => line.startsWith('aloha: '));
    };
    assert.equal(await complaint(), `aloha: ${file}: No such file or directory`);
    await writeFile(file, 'x'.repeat(31), { mode: 0o600 });
    assert.equal(await complaint(), `aloha: ${file}: holds less than 32 bytes`);
    await writeFile(file, 'x'.repeat(32));
    await chmod(file, 0o640);
    assert.equal(await complaint(), `aloha: ${file}: can be read by others; chmod 600 it`);
    await chmod(file, 0o600);
    const server = await startServer([...UNLIMITED, '--secret-file', file]);
    await server.endsCleanly();
  });

  it('without a usable home the key ends with the process, and the log says so', async () => {
    const server = await startServer(UNLIMITED.concat('--state-dir', ''), { env: { STATE_DIRECTORY: '/proc/nothing', XDG_STATE_HOME: '', HOME: '' } });
    await server.logged('state_not_kept');
    await assertServes(server);
    await server.endsCleanly();
  });
});
