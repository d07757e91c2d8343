// The process: its start, its log, its end, and its neighbours.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Connection, fetchRaw, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, startAgain, startServer } from '../lib/server.mjs';
import { RawWebSocket } from '../lib/websocket.mjs';

describe('process', () => {
  it('an idle server ends cleanly on SIGTERM and SIGINT, and at once on both', async () => {
    for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGTERM', 'SIGINT'])) {
      const server = await startServer();
      assert.deepEqual(await server.stop(signal), { code: 0, signal: null }, server.stderr);
      assert.equal(server.sanitizerReport, '');
    }
    const server = await startServer();
    server.child.kill('SIGTERM');
    server.child.kill('SIGINT');
    await server.exited(); // R73: a second signal ends it at once; with which status is nobody's matter
    assert.equal(server.sanitizerReport, '');
  });

  it('R73: SIGTERM in the middle of everything: every WebSocket is closed 1012, the status is 0, nothing leaks', async () => {
    const server = await startServer();
    const rooms = await Promise.all(Array.from({ length: 5 }, () => roomOf(server, 4)));
    const outside = await Participant.connect(server);
    const half = await new Connection(server.port).open();
    half.write('GET /room/tea HTTP/1.1\r\nHost: loc');
    const idle = await new Connection(server.port).open();
    idle.write(request('/room/tea'));
    await idle.response();
    const operator = await new Connection(server.opsPort).open();
    operator.write('GET /healthz HTT');
    const deaf = await RawWebSocket.open(server);
    deaf.send({ type: 'JoinRoom', roomId: rooms[0].roomId });
    const { peerId } = await deaf.message();
    deaf.connection.socket.pause();
    for (let i = 0; i < 30; i++) rooms[0][0].signal(peerId, 'x'.repeat(20_000));
    const fragment = await RawWebSocket.open(server);
    fragment.frame({ payload: 'half a mess', fin: false });
    await rooms[0][1].receive('UserJoined');

    const ended = server.stop();
    for (const one of [...rooms.flat(), outside]) assert.equal(await one.closed(), 1012);
    assert.deepEqual(await ended, { code: 0, signal: null }, server.stderr.slice(-4000));
    assert.equal(server.sanitizerReport, '');
    for (const connection of [half, idle, operator]) connection.destroy();
    deaf.destroy();
    fragment.destroy();
  });

  it('SIGTERM while people come and go', async () => {
    const server = await startServer();
    let stopping = false;
    const restless = Promise.all(Array.from({ length: 10 }, async () => {
      while (!stopping) {
        const one = await Participant.join(server, 'door').catch(() => undefined);
        one?.destroy();
        await fetchRaw(server.port, '/room/tea').catch(() => undefined);
      }
    }));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const ended = server.stop();
    stopping = true;
    assert.deepEqual(await ended, { code: 0, signal: null }, server.stderr.slice(-4000));
    assert.equal(server.sanitizerReport, '');
    await restless;
  });

  it('no Signal is lost in a drain without a word: whom it cannot reach any more is said to the sender', async () => {
    const server = await startServer([...UNLIMITED, '--drain-grace', '3']);
    const [first, second] = await roomOf(server, 2);
    server.child.kill('SIGTERM');
    await Promise.all([first.receive('Reconnect'), second.receive('Reconnect')]);
    await first.leave(3000); // it is the first one's moment: it goes and keeps its seat, which dies with this process
    second.signal(first.peerId, 'lost');
    second.send({ type: 'Marker' });
    const { object } = await second.receiveRaw();
    assert.deepEqual([object.type, object.peerId], ['Error', first.peerId]);
    await second.receiveError('unknown-type');
    second.destroy();
    await server.exited();
  });

  it('the port is free again at once: the next server takes it', async () => {
    const first = await startServer();
    const pair = await roomOf(first, 2);
    await first.endsCleanly();
    await pair.end();
    const second = await startAgain(first);
    await assertServes(second);
    await second.endsCleanly();
  });

  it('after SIGKILL as well', async () => {
    const first = await startServer();
    const pair = await roomOf(first, 2);
    await first.stop('SIGKILL');
    await Promise.all(pair.map((one) => one.closed()));
    const second = await startAgain(first);
    await assertServes(second);
    await second.endsCleanly();
  });

  it('two servers at the same time know nothing of each other', async () => {
    const [one, two] = await Promise.all([startServer(), startServer()]);
    const roomId = freshRoom();
    const here = await Participant.join(one, roomId);
    const there = await Participant.join(two, roomId);
    assert.deepEqual(there.joined.participants, []);
    here.signal(there.peerId, 'over there');
    await here.receiveError('unknown-peer');
    await one.endsCleanly();
    there.send({ type: 'Marker' });
    await there.receiveError('unknown-type');
    await assertServes(two);
    await two.endsCleanly();
    here.destroy();
    there.destroy();
  });

  it('R69: the log is logfmt, its lines are short and plain, and name no room, no person, no address and no content', async () => {
    const server = await startServer([...UNLIMITED]);
    const roomId = `SecretRoom-${freshRoom().slice(0, 8)}`;
    const room = await roomOf(server, 2, roomId);
    const named = await Participant.join(server, roomId, { name: 'SecretName\u0101' });
    room[0].signal(room[1].peerId, { description: { type: 'offer', sdp: 'v=0 SecretSdp a=candidate 192.0.2.55' } });
    await room[1].receive('UserJoined');
    await room[1].receive('Signal');
    for (const text of ['SecretBad\n\u001b[31m', '{"type":"SecretType"}']) named.send(text);
    await named.receiveError('bad-message');
    await named.receiveError('unknown-type');
    for (const bytes of ['SecretGarbage\x1b[31m\x00\xff\r\n\r\n', request('/SecretPath%0aevent=forged', { headers: { 'User-Agent': 'SecretAgent\x1b[31m' } }), 'GET / HTTP/1.1\r\nHost: a b\x1b[0m\r\n\r\n']) {
      const connection = await new Connection(server.port).open();
      connection.write(bytes);
      connection.socket.end();
      await connection.closed();
      connection.destroy();
    }
    await room.end();
    await named.leave();
    await server.endsCleanly();
    const lines = server.stderr.split('\n').filter((line) => line !== '');
    for (const line of lines) {
      assert.match(line, /^ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(error|warning|info|debug) event=[a-z][a-z0-9_]*( [a-z][a-z0-9_]*=("([^"\\]|\\.)*"|-?\d+(\.\d+)?|true|false))*$/, line);
      assert.match(line, /^[\x20-\x7e]{1,1024}$/, line);
      assert.doesNotMatch(line, /Secret/, line);
      for (const one of room) assert.ok(!line.includes(one.peerId), line);
    }
    assert.equal(server.log.filter((l) => l.event === 'forged').length, 0);
  });

  it('R69: a storm of garbage is no storm of log lines', async () => {
    const server = await startServer();
    const before = server.stderr.split('\n').length;
    for (let i = 0; i < 1000; i++) {
      const connection = await new Connection(server.port).open();
      connection.write('\x00garbage\r\n\r\n');
      connection.destroy();
    }
    await assertServes(server);
    const lines = server.stderr.split('\n').length - before;
    assert.ok(lines <= 1000, `${lines} lines`);
    await server.endsCleanly();
  });

  it('a log that nobody reads stalls nothing', async () => {
    const server = await startServer([...UNLIMITED, '--log-level', 'debug']);
    server.child.stderr.pause();
    for (let i = 0; i < 400; i++) await fetchRaw(server.port, '/nothing-here');
    const people = await Promise.all(Array.from({ length: 50 }, () => roomOf(server, 2)));
    for (const pair of people) await pair.end();
    await assertServes(server);
    server.child.stderr.resume();
    await server.endsCleanly();
  });

  it('descriptors and memory come back after a busy time', async () => {
    const server = await startServer();
    await assertServes(server);
    const descriptors = await server.descriptors();
    const round = async () => {
      const rooms = await Promise.all(Array.from({ length: 50 }, () => roomOf(server, 4)));
      for (const [a, b] of rooms) a.signal(b.peerId, 'x'.repeat(20_000));
      await Promise.all(rooms.map((room) => room.end()));
    };
    await round();
    const before = await server.rss();
    for (let i = 0; i < 4; i++) await round();
    for (let i = 0; i < 200 && (await server.descriptors()) > descriptors + 24; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok((await server.descriptors()) <= descriptors + 24, 'descriptors');
    assert.ok((await server.rss()) - before < 64 * 1024, `resident memory grew by ${(await server.rss()) - before} KiB`);
    await server.endsCleanly();
  });

  it('a stop of five seconds (SIGSTOP, SIGCONT) times nobody out', async () => {
    const server = await startServer();
    const pair = await roomOf(server, 2);
    server.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 5000));
    server.child.kill('SIGCONT');
    const fresh = await Participant.join(server, pair.roomId); // had it been timed out, it would not be listed
    assert.deepEqual(fresh.joined.participants.map((/** @type {any} */ p) => p.peerId).sort(), pair.map((one) => one.peerId).sort());
    for (const one of pair) await one.receive('UserJoined');
    pair[0].signal(pair[1].peerId, 'awake');
    assert.equal((await pair[1].receive('Signal')).message, 'awake');
    await fresh.leave();
    await server.endsCleanly();
    await pair.end();
  });
});
