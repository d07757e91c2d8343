// Sockets that a service manager has opened: sd_listen_fds(3).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, linkSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fetchRaw } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom } from '../lib/participant.mjs';
import { Server, UNLIMITED, binaryPath, cleanEnvironment, freshSocketPath } from '../lib/server.mjs';
import { Changes } from '../lib/wait.mjs';

/** @type {net.Server[]} */
const opened = [];

/** A socket that listens, and its descriptor. @param {object} where */
async function listening(where) {
  const server = net.createServer().listen(/** @type {any} */ (where));
  opened.push(server);
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return { fd: /** @type {any} */ (server)._handle.fd, port: /** @type {any} */ (server.address()).port, address: server.address() };
}

/** How a manager starts it: the variables are for the process that the binary becomes. @param {Record<string, string>} variables */
const asManager = (variables) => (/** @type {string} */ file, /** @type {string[]} */ args) => /** @type {[string, string[]]} */ (['sh', ['-c',
  `${Object.entries(variables).map(([name, value]) => `export ${name}=${value}; `).join('')}exec "$@"`, 'sh', file, ...args]]);

/** @param {number[]} given @param {string} names @param {string[]} args */
function startGiven(given, names, args = []) {
  return new Server(['--port', '0', '--ops-port', '0', '--tls', 'no', ...UNLIMITED, ...args], // TLS is another matter
    { given, wrap: asManager({ LISTEN_PID: '$$', LISTEN_FDS: String(given.length), ...(names && { LISTEN_FDNAMES: names }) }) });
}

/** Closes our copies, which would accept too: the sockets live on in the server. Node removes the files, so they get a second name. */
function letGo() {
  for (const server of opened.splice(0)) {
    const address = server.address();
    const isFile = typeof address === 'string' && address.startsWith('/');
    if (isFile) linkSync(address, `${address}.kept`);
    server.close();
    if (isFile) renameSync(`${address}.kept`, address);
  }
}

/** Runs it to its end. @param {Server} server */
async function refused(server) {
  const { code } = await server.exited();
  assert.equal(code, 2, server.stderr);
  return server.stderr;
}

describe('sockets of a service manager', () => {
  it('IPv4, IPv6 and a path together are all served, whatever --bind says', async () => {
    const file = freshSocketPath();
    const [four, six, unix] = [await listening({ host: '127.0.0.1', port: 0 }), await listening({ host: '::1', port: 0 }), await listening({ path: file })];
    chmodSync(file, 0o666);
    const server = startGiven([four.fd, six.fd, unix.fd], 'http:aloha.socket:http', ['--bind', '192.0.2.77']);
    letGo();
    await server.ready();
    const lines = server.log.filter((line) => line.event === 'listening' && line.plane === 'public');
    assert.deepEqual(lines.map((line) => [line.address, Number(line.port)]), [['127.0.0.1', four.port], ['::1', six.port], [`unix:${file}`, 0]]);
    const room = freshRoom();
    const all = [await Participant.join({ host: `127.0.0.1:${four.port}` }, room), await Participant.join({ host: `[::1]:${six.port}` }, room), await Participant.join({ socketUrl: `ws+unix://${file}:/ws` }, room)];
    assert.equal(all[2].joined.participants.length, 2);
    for (const one of all) one.destroy();
    assert.doesNotMatch(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8'), /^sh/);
    await server.endsCleanly();
    assert.ok(existsSync(file), 'the file is the manager\'s');
  });

  it('without names they are for the pages', async () => {
    const four = await listening({ host: '127.0.0.1', port: 0 });
    const server = startGiven([four.fd], '');
    letGo();
    await server.ready();
    assert.equal(server.port, four.port);
    await assertServes(server);
    await server.endsCleanly();
  });

  it('"ops" is the operator\'s plane', async () => {
    const [ops, http] = [await listening({ host: '127.0.0.1', port: 0 }), await listening({ host: '127.0.0.1', port: 0 })];
    const server = startGiven([ops.fd, http.fd], 'ops:http', ['--ops-bind', '::1']);
    letGo();
    await server.ready();
    assert.deepEqual([server.port, server.opsPort], [http.port, ops.port]);
    const { status } = await fetchRaw(ops.port, '/readyz', { host: `127.0.0.1:${ops.port}`, check: false });
    assert.equal(status, 200);
    await assertServes(server);
    await server.endsCleanly();
  });

  it('R40: "ops" on an address that others reach needs what --ops-bind needs', async () => {
    const ops = await listening({ host: '0.0.0.0', port: 0 });
    assert.match(await refused(startGiven([ops.fd], 'ops')), /^aloha: --ops-bind: 0\.0\.0\.0 can be reached from elsewhere, which needs TLS and --ops-token-file$/m);
    letGo();
  });

  it('"redirect" sends plain http to https', async () => {
    const [http, redirect] = [await listening({ host: '127.0.0.1', port: 0 }), await listening({ host: '127.0.0.1', port: 0 })];
    assert.match(await refused(startGiven([http.fd, redirect.fd], 'http:redirect')), /^aloha: LISTEN_FDNAMES: redirect needs TLS$/m);
    const server = startGiven([http.fd, redirect.fd], 'http:redirect', ['--tls', 'self-signed']);
    letGo();
    await server.ready();
    const answer = await fetchRaw(redirect.port, '/room/tea', { host: `127.0.0.1:${redirect.port}`, check: false });
    assert.deepEqual([answer.status, answer.header('location')], [308, `https://127.0.0.1:${http.port}/room/tea`]);
    await server.endsCleanly();
  });

  it('what is no socket that listens is refused', async () => {
    const none = openSync('/dev/null', 'r');
    const four = await listening({ host: '127.0.0.1', port: 0 });
    const client = net.connect(four.port, '127.0.0.1');
    await new Promise((resolve) => client.once('connect', resolve));
    const abstract = await listening({ path: '\0aloha-test-of-a-name' });
    for (const fd of [none, /** @type {any} */ (client)._handle.fd, abstract.fd]) {
      assert.match(await refused(startGiven([four.fd, fd], '')), /^aloha: LISTEN_FDS: descriptor 4 is no stream socket that listens on TCP or on a path$/m);
    }
    client.destroy();
    letGo();
  });

  it('numbers that make no sense are refused, and those for others are not ours', async () => {
    const four = await listening({ host: '127.0.0.1', port: 0 });
    for (const count of ['-1', 'x', '1000', '1x']) {
      const server = new Server([], { given: [four.fd], wrap: asManager({ LISTEN_PID: '$$', LISTEN_FDS: count }) });
      assert.match(await refused(server), /^aloha: LISTEN_FDS: ".*" is no small number$/m, count);
    }
    for (const variables of /** @type {Record<string, string>[]} */ ([{ LISTEN_PID: '1', LISTEN_FDS: '1' }, { LISTEN_FDS: '1' }, { LISTEN_PID: '$$' }, { LISTEN_PID: '$$x', LISTEN_FDS: '1' }, { LISTEN_PID: '$$', LISTEN_FDS: '0' }])) {
      const server = new Server(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0'], { given: [four.fd], wrap: asManager(variables) });
      await server.ready();
      assert.notEqual(server.port, four.port);
      await server.endsCleanly();
    }
    letGo();
  });

  it('systemd-socket-activate starts it with the first connection', async () => {
    const place = path.dirname(freshSocketPath());
    const state = mkdtempSync(path.join(place, 'state-'));
    rmSync(state, { recursive: true });
    const file = path.join(place, 'http.sock');
    const changes = new Changes();
    let text = '';
    const child = spawn('systemd-socket-activate', ['-l', file, '--fdname=http', '-E', 'ASAN_OPTIONS', '-E', 'ALOHA_DRAIN_GRACE', '-E', `ALOHA_STATE_DIR=${state}`,
      binaryPath(), '--ops-port', '0', ...UNLIMITED], { env: cleanEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
    child.stderr.setEncoding('utf8').on('data', (more) => {
      text += more;
      changes.changed();
    });
    try {
      await changes.until(() => text.includes('Listening on'), () => `systemd-socket-activate: ${text}`);
      chmodSync(file, 0o666);
      await assertServes({ socketUrl: `ws+unix://${file}:/ws` });
      assert.match(text, new RegExp(`event=listening plane="public" address="unix:${file}"`));
      child.kill('SIGTERM');
      assert.equal(await ended, 0, text);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
