// Listening on socket files, and on several addresses at once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Connection, exchangeToEnd, fetchRaw, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { Server, UNLIMITED, freshSocketPath, runToEnd, serverOfSuite, startServer, startServerOnPath } from '../lib/server.mjs';
import { PING, RawWebSocket, frameBytes, openingRequest } from '../lib/websocket.mjs';

/** One value of the metrics. @param {{ opsPort?: number }} server @param {string} name */
async function metric(server, name) {
  const { body } = await fetchRaw(/** @type {number} */ (server.opsPort), '/metrics', { host: `127.0.0.1:${server.opsPort}`, check: false });
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body.toString())?.[1]);
}

describe('on a socket file', () => {
  const held = serverOfSuite({ before, after }, [...UNLIMITED, '--bind', `unix:${freshSocketPath()}`]);

  it('pages, kept-alive connections and WebSockets are served', async () => {
    const server = held.current;
    const connection = await new Connection(/** @type {any} */ (server.port)).open();
    for (let i = 0; i < 5; i++) {
      connection.write(request('/room/tea'));
      assert.equal((await connection.response()).status, 200);
    }
    connection.destroy();
    await assertServes(server);
    const [a, b] = await roomOf(server, 2);
    const large = 'x'.repeat(60_000);
    for (let round = 0; round < 5; round++) { // what is on the way fits the queue, however busy this machine is
      for (let i = 0; i < 10; i++) a.signal(b.peerId, large);
      for (let i = 0; i < 10; i++) assert.equal((await b.receive('Signal')).message, large);
    }
    a.destroy();
    b.destroy();
  });

  it('a head that comes byte by byte is looked at once for each, and half a head not at all', async () => {
    const server = held.current;
    const connection = await new Connection(/** @type {any} */ (server.port)).open();
    const head = request('/room/tea');
    const start = await metric(server, 'aloha_head_looks_total');
    let looks = 0;
    for (const byte of head) {
      const before_ = looks;
      connection.write(byte);
      while (looks === before_) looks = (await metric(server, 'aloha_head_looks_total')) - start;
      assert.ok(looks <= before_ + 1, `${looks - before_} looks at one byte`);
    }
    assert.equal((await connection.response()).status, 200);
    connection.destroy();

    const waiting = await new Connection(/** @type {any} */ (server.port)).open();
    waiting.write('GET /room/tea HTT');
    while ((await metric(server, 'aloha_head_looks_total')) === start + looks);
    const seen = await metric(server, 'aloha_head_looks_total');
    for (let i = 0; i < 50; i++) assert.equal(await metric(server, 'aloha_head_looks_total'), seen); // 50 turns of the loop
    waiting.destroy();
  });

  it('what comes in one go with a bad request behind it is answered once, and ends', async () => {
    const answers = await exchangeToEnd(/** @type {any} */ (held.current.port), `${request('/room/tea')}GET /room/x HTTP/1.1\nHost: a\n\n`);
    assert.equal(answers[0].status, 200);
    assert.ok(answers.length <= 2 && (answers[1]?.status ?? 400) === 400);
  });

  it('R4: half a head whose end came with it is gone at once, not after the time that a head has', async () => {
    const { child, port } = /** @type {any} */ (held.current);
    const connection = await new Connection(port).open();
    child.kill('SIGSTOP'); // so that both are there at the same time
    await new Promise((resolve) => connection.socket.end('GET / HT', () => resolve(undefined)));
    child.kill('SIGCONT');
    const resumed = Date.now();
    await connection.closed();
    assert.ok(Date.now() - resumed < 5000, `it took ${Date.now() - resumed} ms`);
  });

  it('half a head with the end behind it is gone', async () => {
    for (const text of ['', 'GET / HT']) {
      const connection = await new Connection(/** @type {any} */ (held.current.port)).open();
      connection.socket.end(text);
      assert.equal((await connection.closed()).length, 0);
    }
  });

  it('ends cleanly', () => held.current.endsCleanly());
});

describe('limits on a socket file', () => {
  /** @param {string[]} args @param {(server: any) => Promise<void>} work */
  async function withServer(args, work) {
    const server = await startServerOnPath(args);
    try {
      await work(server);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  }

  it('R12: connections count for whom X-Forwarded-For names', async () => {
    await withServer(['--connections-per-address', '2'], async (server) => {
      /** @type {Connection[]} */
      const opened = [];
      const status = async (/** @type {string} */ list) => {
        const connection = await new Connection(server.port).open();
        opened.push(connection);
        connection.write(openingRequest({ host: 'localhost', headers: [['X-Forwarded-For', list]] }));
        return (await connection.response({ check: false })).status;
      };
      for (let i = 0; i < 2; i++) assert.equal(await status('192.0.2.1'), 101);
      assert.equal(await status('192.0.2.1'), 429);
      assert.equal(await status('192.0.2.2, 192.0.2.1'), 429);
      assert.equal(await status('192.0.2.1, 192.0.2.2'), 101);
      for (const connection of opened) connection.destroy();
    });
  });

  it('R22: who floods with pings is closed 1008', async () => {
    await withServer(['--rate-connections', '0'], async (server) => {
      const raw = await RawWebSocket.open(server);
      raw.send({ type: 'JoinRoom', roomId: freshRoom() });
      await raw.message();
      const frames = Buffer.concat(Array.from({ length: 10_000 }, () => frameBytes({ opcode: PING })));
      const pour = () => { if (!raw.connection.ended) raw.connection.socket.write(frames, () => setImmediate(pour)); };
      pour();
      assert.ok([1008, 1006].includes(await raw.closed()));
      assert.equal(await metric(server, 'aloha_websockets_closed_total{reason="policy"}'), 1);
      raw.destroy();
    });
  });

  it('R26: a slow reader is gone soon after it was closed, though its socket stays full', async () => {
    await withServer([...UNLIMITED, '--queue-max', '128'], async (server) => {
      const roomId = freshRoom();
      const sender = await Participant.join(server, roomId);
      const deaf = await RawWebSocket.open(server);
      deaf.send({ type: 'JoinRoom', roomId });
      const { peerId } = await deaf.message();
      await sender.receive('UserJoined');
      deaf.connection.socket.pause();
      while (!sender.queue.some(({ object }) => object.type === 'UserLeft')) {
        sender.signal(peerId, 'x'.repeat(12_000));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const deadline = Date.now() + 20_000; // it stayed for ever
      while ((await metric(server, 'aloha_connections')) > 1) {
        assert.ok(Date.now() < deadline, 'it is still there');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      deaf.destroy();
      sender.destroy();
    });
  });

  it('R4: a head that never gets whole is gone in time, with half its bytes or none', async () => {
    await withServer(UNLIMITED, async (server) => {
      for (const text of ['', 'GET /room/tea HTTP/1.1\r\nHo']) {
        const connection = await new Connection(server.port).open();
        connection.write(text);
        await connection.closed(60_000);
      }
    });
  });
});

describe('the socket file', () => {
  it('has the mode that was asked for, whatever the umask, and is gone at the end', async () => {
    for (const [args, mode] of /** @type {[string[], number][]} */ ([[[], 0o660], [['--socket-mode', '0600'], 0o600], [['--socket-mode', '0666'], 0o666]])) {
      const file = freshSocketPath();
      const wrap = (/** @type {string} */ binary, /** @type {string[]} */ list) => /** @type {[string, string[]]} */ (['sh', ['-c', 'umask 027; exec "$@"', 'sh', binary, ...list]]);
      const server = await startServer(['--bind', `unix:${file}`, ...args], { wrap });
      assert.equal(statSync(file).mode & 0o777, mode);
      assert.ok(statSync(file).isSocket());
      await server.endsCleanly();
      assert.equal(existsSync(file), false);
    }
  });

  it('of a server that was killed is replaced', async () => {
    const file = freshSocketPath();
    const first = await startServer(['--bind', `unix:${file}`]);
    await first.stop('SIGKILL');
    assert.ok(existsSync(file));
    const second = await startServer(['--bind', `unix:${file}`]);
    await assertServes(second);
    await second.endsCleanly();
    assert.equal(existsSync(file), false);
  });

  it('of a server that lives never is, and serves on', async () => {
    const file = freshSocketPath();
    const first = await startServer(['--bind', `unix:${file}`]);
    const second = await runToEnd(['--bind', `unix:${file}`, '--ops-port', '0']);
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`^aloha: cannot listen on unix:${file}: a server that lives listens there$`, 'm'));
    await assertServes(first);
    await first.endsCleanly();
  });

  it('never takes the place of another kind of file', async () => {
    const kinds = /** @type {[string, (file: string) => void][]} */ ([
      ['file', (file) => writeFileSync(file, 'mine')],
      ['directory', (file) => mkdirSync(file)],
      ['symbolic link', (file) => symlinkSync('/nowhere', file)],
      ['fifo', (file) => execFileSync('mkfifo', [file])],
    ]);
    for (const [kind, make] of kinds) {
      const file = freshSocketPath();
      make(file);
      const { ino } = lstatSync(file);
      const { code, stderr } = await runToEnd(['--bind', `unix:${file}`, '--ops-port', '0']);
      assert.equal(code, 1, kind);
      assert.match(stderr, /^aloha: cannot listen on unix:.*: something that is no socket is there$/m, kind);
      assert.equal(lstatSync(file).ino, ino, kind);
    }
  });

  it('that another server has taken over stays at the end', async () => {
    const file = freshSocketPath();
    const first = await startServer(['--bind', `unix:${file}`]);
    execFileSync('rm', [file]);
    const second = await startServer(['--bind', `unix:${file}`]);
    await first.endsCleanly();
    await assertServes(second);
    await second.endsCleanly();
  });

  it('of two that start at once one gets it', async () => {
    const file = freshSocketPath();
    await (await startServer(['--bind', `unix:${file}`])).stop('SIGKILL');
    const both = [1, 2].map(() => new Server(['--bind', `unix:${file}`, '--ops-port', '0']));
    const outcomes = await Promise.all(both.map((one) => Promise.race([one.ready().then(() => 'ready', () => 'refused'), one.exited().then(() => 'refused')])));
    assert.deepEqual(outcomes.sort(), ['ready', 'refused']);
    for (const one of both) one.child.kill('SIGKILL');
  });

  it('in a place that is not there, or with a path that is none, is one line and the status', async () => {
    const missing = await runToEnd(['--bind', `unix:${path.dirname(freshSocketPath())}/no/http.sock`, '--ops-port', '0']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^aloha: cannot listen on unix:.*: No such file or directory$/m);
    for (const bind of ['unix:', 'unix:http.sock', 'unix:/', `unix:/${'x'.repeat(107)}`, 'unix:@abstract', 'localhost', '127.0.0.1,', ',', '',
      Array.from({ length: 17 }, () => '::1').join()]) {
      const { code, stderr } = await runToEnd(['--bind', bind]);
      assert.equal(code, 2, bind);
      assert.match(stderr, /^aloha: --bind: ".*" is not addresses in digits or unix:\/path, with commas between them$/m);
    }
    for (const bind of ['0', '127.1', '0x7f000001', 'fe80::1%lo', 'unix:ops.sock']) { // getaddrinfo() knows four of them
      const { code, stderr } = await runToEnd(['--ops-bind', bind]);
      assert.equal(code, 2, bind);
      assert.match(stderr, /^aloha: --ops-bind: ".*" is no numeric address or unix:\/path$/m);
    }
    for (const mode of ['', '0', '0888', '1777', 'rw']) {
      const { code, stderr } = await runToEnd(['--socket-mode', mode]);
      assert.equal(code, 2, mode);
      assert.match(stderr, /^aloha: --socket-mode: ".*" is not a file mode like 0660$/m);
    }
  });
});

describe('several addresses', () => {
  it('share a port that was free, and their rooms', async () => {
    const file = freshSocketPath();
    const server = await startServer(['--bind', `127.0.0.1,127.0.0.2, unix:${file}`]);
    const addresses = server.log.filter((line) => line.event === 'listening' && line.plane === 'public').map((line) => [line.address, Number(line.port)]);
    assert.deepEqual(addresses, [['127.0.0.1', server.port], ['127.0.0.2', server.port], [`unix:${file}`, 0]]);
    const room = freshRoom();
    const one = await Participant.join(server, room);
    const two = await Participant.join({ host: `127.0.0.2:${server.port}` }, room);
    const three = await Participant.join({ socketUrl: `ws+unix://${file}:/ws` }, room);
    assert.equal(three.joined.participants.length, 2);
    for (const each of [one, two, three]) each.destroy();
    await server.endsCleanly();
    assert.equal(existsSync(file), false);
  });

  it('are all taken or none: a start that fails leaves no socket file', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = /** @type {net.AddressInfo} */ (taken.address());
    const file = freshSocketPath();
    const { code, stderr } = await runToEnd(['--bind', `unix:${file},127.0.0.1`, '--port', String(port), '--ops-port', '0']);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^aloha: cannot listen on port ${port} of 127.0.0.1: Address already in use; --port takes another$`, 'm'));
    assert.equal(existsSync(file), false);
    taken.close();
  });
});
