// `aloha ctl`, the command-line client of the operator's plane.
import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { makeToken, operatorRequest } from '../lib/operator.mjs';
import { Participant, freshRoom } from '../lib/participant.mjs';
import { Server, UNLIMITED, runToEnd, serverOfSuite, startServer } from '../lib/server.mjs';

/** @param {import('../lib/server.mjs').Server} server @param {string} file @param {string[]} words @param {Record<string, string>} [env] */
const run = (server, file, words, env) => runToEnd(['ctl', ...words, '--ops-port', String(server.opsPort), ...(file ? ['--ops-token-file', file] : [])], env);

describe('aloha ctl', () => {
  const { file, directory } = makeToken();
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--ops-token-file', file]);
  /** @param {string[]} words */
  const ctl = (...words) => run(server.current, file, words);
  /** Says what has to come of it. @param {string[]} words */
  async function does(...words) {
    const { code, stdout, stderr } = await ctl(...words);
    assert.deepEqual([code, stderr], [0, ''], words.join(' '));
    return stdout;
  }

  it('status, health, ready and metrics', async () => {
    assert.match(await does('status'), /^aloha {9}\d+\.\d+\.\d+, up \d+ s\nready {9}yes\n/);
    assert.equal(await does('health'), 'ok\n');
    assert.equal(await does('ready'), 'ready\n');
    assert.match(await does('metrics'), /^# HELP aloha_/);
    assert.equal(JSON.parse(await does('status', '--json')).ready, true);
  });

  it('rooms, a room, removing and closing', async () => {
    assert.equal(await does('rooms'), 'no rooms\n');
    const tea = `tea-${freshRoom()}`;
    const stays = await Participant.join(server.current, tea, { name: 'Mele' });
    const goes = await Participant.join(server.current, tea);
    assert.ok(!(await does('rooms')).includes(tea));
    assert.match(await does('rooms', '--ids'), new RegExp(`^ +ROOM .*ID\\n +1 +2 +0 +0  no +\\d+ s +${tea}\\n$`));
    assert.match(await does('room', tea), new RegExp(`${stays.peerId}  here .*  Mele\\n`));
    assert.equal(await does('remove', goes.peerId), `peer ${goes.peerId} is removed\n`);
    assert.equal(await goes.closed(), 4004);
    assert.equal(await does('close-room', tea), `room ${tea} is closed\n`);
    assert.equal(await stays.closed(), 4004);
    for (const words of [['room', tea], ['close-room', tea], ['remove', goes.peerId]]) {
      const { code, stdout, stderr } = await ctl(...words);
      assert.deepEqual([code, stdout, stderr], [1, '', `aloha: ${words[0]}: there is no ${words[1]}\n`]);
    }
  });

  it('more rooms than one answer holds are all listed', async () => {
    const guests = await Promise.all(Array.from({ length: 250 }, () => Participant.join(server.current, freshRoom())));
    const lines = (await does('rooms', '--ids')).trimEnd().split('\n');
    assert.equal(lines.length, 251, 'one head, and each room');
    for (const one of guests) assert.equal(lines.filter((line) => line.endsWith(one.joined.roomId)).length, 1);
    assert.deepEqual((await does('rooms', '--json')).trimEnd().split('\n').map((line) => JSON.parse(line).rooms.length), [200, 50]);
    await Promise.all(guests.map((one) => one.leave()));
  });

  it('drain, log level and reload', async () => {
    assert.match(await does('drain', 'on'), /^drain is on/);
    const { code, stdout, stderr } = await ctl('ready');
    assert.deepEqual([code, stdout, stderr], [1, 'cordoned\n', ''], 'the reason, and a status for scripts');
    assert.match(await does('status'), /^ready {9}no: cordoned$/m);
    assert.match(await does('drain', 'off'), /^drain is off/);
    assert.equal(await does('log-level', 'debug'), 'log level is debug\n');
    assert.equal(await does('log-level', 'info'), 'log level is info\n');
    assert.equal(await does('reload'), 'reloaded\n');
  });

  it('what goes wrong is one line, and a status', async () => {
    const other = makeToken().file;
    writeFileSync(`${directory}/open`, 'x'.repeat(64), { mode: 0o644 });
    /** @type {[string[], string, number, RegExp][]} */
    const rows = [
      [['status'], other, 1, /another token/],
      [['status'], '', 1, /wants its token: --ops-token-file/],
      [['status'], `${directory}/open`, 1, /can be read by others/],
      [['status'], `${directory}/missing`, 1, /missing/],
      [['frob'], file, 2, /no such command/],
      [['room'], file, 2, /needs ID/],
      [['room', '../status'], file, 2, /is no ID/],
      [['drain', 'maybe'], file, 2, /is no on\|off/],
      [['status', '--no-such-option', 'x'], file, 2, /no-such-option/],
    ];
    for (const [words, token, status, wanted] of rows) {
      const { code, stdout, stderr } = await run(server.current, token, words);
      assert.deepEqual([code, stdout], [status, ''], words.join(' '));
      assert.match(stderr, /^aloha: [^\n]*\n$/);
      assert.match(stderr, wanted);
    }
    assert.equal((await run(server.current, `${directory}/missing`, ['health'])).code, 0, 'a health check needs no token');
  });

  it('--help and no command', async () => {
    const { code, stdout } = await runToEnd(['ctl', '--help']);
    assert.equal(code, 0);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 88, line);
    assert.equal((await runToEnd(['ctl'])).code, 2);
  });

  it('reads the configuration of the server, so that it needs no arguments', async () => {
    const env = { ALOHA_OPS_PORT: String(server.current.opsPort), ALOHA_OPS_TOKEN_FILE: file };
    assert.equal((await runToEnd(['ctl', 'status'], env)).code, 0);
    const config = `${directory}/aloha.conf`;
    writeFileSync(config, `ops-port = ${server.current.opsPort}\nops-token-file = ${file}\n`);
    const fromFile = await runToEnd(['ctl', 'status', '--config', config]);
    assert.deepEqual([fromFile.code, fromFile.stderr], [0, '']);
    assert.equal((await runToEnd(['ctl', 'status'], { ALOHA_CONFIG: config })).code, 0);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('aloha ctl and what answers there', () => {
  it('nobody', async () => {
    const { code, stderr } = await runToEnd(['ctl', 'health', '--ops-port', '1']);
    assert.equal(code, 1);
    assert.match(stderr, /^aloha: 127\.0\.0\.1:1: nobody listens there; [^\n]*\n$/);
    assert.equal((await runToEnd(['ctl', 'health', '--ops-port', '0'])).code, 1);
    assert.equal((await runToEnd(['ctl', 'health', '--ops-bind', 'unix:/does/not/exist'])).code, 1);
  });

  it('somebody else: nonsense, half an answer, too much', async () => {
    /** @type {[string, number][]} */
    const answers = [
      ['', 1], ['SSH-2.0-x\r\n', 1], ['HTTP/1.1 200 OK\r\n', 1], ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n', 1],
      ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n', 0], [`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(5_000_000)}`, 1],
      [`HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n{"message":"\\u001b[2J"}`, 1],
    ];
    for (const [answer, status] of answers) {
      const fake = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)));
      await new Promise((resolve) => fake.listen(0, '127.0.0.1', () => resolve(undefined)));
      const { port } = /** @type {net.AddressInfo} */ (fake.address());
      const { code, stderr } = await runToEnd(['ctl', 'health', '--ops-port', String(port)]);
      fake.close();
      assert.equal(code, status, JSON.stringify(answer.slice(0, 60)));
      assert.match(stderr, status ? /^aloha: [\x20-\x7e]*\n$/ : /^$/);
    }
  });

  it('a server without a token: what to do is said', async () => {
    const server = await startServer();
    try {
      const { code, stderr } = await run(server, '', ['status']);
      assert.equal(code, 1);
      assert.match(stderr, /^aloha: status: the server has no operator's token: start it with --ops-token-file\n$/);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it('a server on ::1', async () => {
    const server = await startServer([...UNLIMITED, '--ops-bind', '::1']);
    try {
      const { code, stdout } = await run(server, '', ['health', '--ops-bind', '::1']);
      assert.deepEqual([code, stdout], [0, 'ok\n']);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it("R40: a server behind a socket's file, which only its owner and group can open, and which goes with it", async () => {
    const { file, directory, token } = makeToken();
    const path = `${directory}/ops.sock`;
    const server = new Server(['--bind', '127.0.0.1', '--port', '0', '--ops-bind', `unix:${path}`, '--ops-token-file', file, ...UNLIMITED]);
    try {
      await server.logged('ready');
      assert.equal(statSync(path).mode & 0o777, 0o660);
      const words = ['--ops-bind', `unix:${path}`, '--ops-token-file', file];
      assert.deepEqual((await runToEnd(['ctl', 'health', ...words])).stdout, 'ok\n');
      assert.equal((await runToEnd(['ctl', 'drain', 'on', ...words])).code, 0);
      const acted = await server.logged('operator_acted');
      assert.deepEqual([acted.client, acted.value], ['socket', 'on']);
      for (const [host, status] of [['localhost', 200], ['evil.example', 421]]) {
        const socket = net.connect(path);
        socket.write(operatorRequest('GET', '/api/v1/status', { token, host: String(host) }));
        const answer = await new Promise((resolve) => {
          let text = '';
          socket.setEncoding('utf8').on('data', (more) => { text += more; }).on('close', () => resolve(text));
        });
        assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      }
      await server.endsCleanly();
      assert.ok(!existsSync(path), 'the file is gone');
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it('R40: a server that others reach, by TLS: with its own certificate, and no other', async () => {
    const { file } = makeToken();
    const stateDir = makeToken().directory;
    const server = await startServer([...UNLIMITED, '--ops-bind', '0.0.0.0', '--tls', 'self-signed', '--ops-token-file', file], { stateDir });
    try {
      const words = ['status', '--ops-bind', '0.0.0.0', '--tls', 'self-signed'];
      const { code, stdout, stderr } = await run(server, file, [...words, '--state-dir', stateDir]);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /certificate {3}expires in \d+ d/);
      const stranger = await run(server, file, [...words, '--state-dir', '/nowhere']);
      assert.equal(stranger.code, 1);
      assert.match(stranger.stderr, /shows a certificate that is neither/);
      const plain = await run(server, file, ['health']);
      assert.equal(plain.code, 1, 'there is nothing in plain there');
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});
