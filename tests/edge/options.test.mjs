// The command line: what a person types, and what comes back.
import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { Connection, fetchRaw, request } from '../lib/http.mjs';
import { assertServes, roomOf } from '../lib/participant.mjs';
import { everythingIsSecure } from '../lib/ports.mjs';
import { UNLIMITED, parseLogLine, runToEnd, startServer } from '../lib/server.mjs';

const lines = (/** @type {string} */ text) => text.split('\n').filter((line) => line.trim() !== '');

/** What was written for a person or an operator to act on: everything but information. @param {string} stderr */
const complaints = (stderr) => lines(stderr).filter((line) => !['info', 'debug'].includes(parseLogLine(line)?.level ?? ''));

/** The start was refused: one line that names the cause, nothing on stdout, this status. */
async function refusesToStart(/** @type {string[]} */ args, /** @type {number} */ status, /** @type {RegExp} */ names, /** @type {Record<string, string>} */ env = {}) {
  const what = `${Object.entries(env).map(([k, v]) => `${k}=${v} `).join('')}aloha ${args.join(' ')}`;
  const end = await runToEnd(args, env);
  assert.equal(end.code, status, `${what}: ${JSON.stringify(end)}`);
  assert.equal(complaints(end.stderr).length, 1, `${what}: one line, not\n${end.stderr}`);
  assert.match(complaints(end.stderr)[0], names, what);
  assert.equal(end.stdout, '', what);
}

/** A port of the loopback address that is taken as long as work runs. @param {(port: number) => Promise<void>} work */
async function withTakenPort(work) {
  const holder = net.createServer();
  await new Promise((resolve) => holder.listen(0, '127.0.0.1', () => resolve(undefined)));
  try {
    await work(/** @type {net.AddressInfo} */ (holder.address()).port);
  } finally {
    holder.close();
  }
}

describe('options', { skip: everythingIsSecure && 'in plain: what a start without TLS says' }, () => {
  it('--help names every option on stdout and ends with 0', async () => {
    const { code, stdout, stderr } = await runToEnd(['--help', 'all']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    for (const name of ['--help', '--version', '--port', '--bind', '--ops-port', '--log-level', '--assets', '--rate-messages', '--rate-bytes', '--rate-connections', '--rate-joins',
      '--connections-per-address', '--room-peers-max']) {
      assert.ok(stdout.includes(name), name);
    }
    assert.match(stdout, /ALOHA_/, 'the environment is told of');
    assert.match(stdout, /3000/, 'defaults are told');
    for (const line of lines(stdout)) assert.ok(line.length <= 100, `fits a terminal: ${line}`);
  });

  it('--version is one line on stdout and ends with 0', async () => {
    const { code, stdout, stderr } = await runToEnd(['--version']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.match(stdout, /^aloha \d+\.\d+\.\d+\S*\n$/);
  });

  it('--help and --version win over other options', async () => {
    assert.equal((await runToEnd(['--port', '0', '--help'])).code, 0);
    assert.equal((await runToEnd(['--version', '--port', '0'])).code, 0);
  });

  it('a bad option or value is one line and status 2', async () => {
    await refusesToStart(['--prot', '3000'], 2, /--prot/);
    await refusesToStart(['-x'], 2, /-x/);
    await refusesToStart(['room'], 2, /room/);
    await refusesToStart(['--port'], 2, /port/);
    for (const port of ['65536', '-1', 'abc', '', '3000x', '0x10', '1e3', ' 80', '99999999999999999999', '3.5']) await refusesToStart(['--port', port], 2, /port/);
    await refusesToStart(['--ops-port', 'x'], 2, /ops-port/);
    for (const bind of ['nowhere', '300.1.1.1', '127.0.0.1:80', '']) await refusesToStart(['--bind', bind, '--port', '0', '--ops-port', '0'], 2, /bind/);
    await refusesToStart(['--log-level', 'loud'], 2, /log-level/);
    await refusesToStart(['--assets', '/does/not/exist', '--port', '0', '--ops-port', '0'], 2, /\/does\/not\/exist|assets/);
    await refusesToStart(['--rate-messages', 'many'], 2, /rate-messages/);
    await refusesToStart(['--room-peers-max', '51'], 2, /room-peers-max/);
    await refusesToStart(['--room-peers-max', '0'], 2, /room-peers-max/);
  });

  it('a bad value in the environment is one line and status 2, and names the variable', async () => {
    await refusesToStart([], 2, /ALOHA_PORT/, { ALOHA_PORT: 'abc' });
    await refusesToStart([], 2, /ALOHA_LOG_LEVEL/, { ALOHA_LOG_LEVEL: 'loud' });
  });

  it('a control character in an option does not reach the terminal', async () => {
    const { code, stderr } = await runToEnd(['--port', '\x1b[31mred\x07']);
    assert.equal(code, 2);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f\x7f]/);
  });

  it('--option=value is the same as --option value', async () => {
    const server = await startServer([...UNLIMITED, '--room-peers-max=3']);
    const [one] = await roomOf(server, 1);
    assert.equal(/** @type {any} */ (one).joined.limits.maxParticipants, 3);
    one.destroy();
    await server.endsCleanly();
  });

  it('the environment sets what no option sets', async () => {
    const server = await startServer(UNLIMITED, { env: { ALOHA_ROOM_PEERS_MAX: '4', ALOHA_PORT: '1' } }); // --port 0 wins over it
    const [one] = await roomOf(server, 1);
    assert.equal(/** @type {any} */ (one).joined.limits.maxParticipants, 4);
    one.destroy();
    await server.endsCleanly();
  });

  it('a taken port is one line that names it, and status 1', async () => {
    await withTakenPort((port) => refusesToStart(['--bind', '127.0.0.1', '--port', String(port), '--ops-port', '0'], 1, new RegExp(`\\b${port}\\b`)));
  });

  it('a taken operator port is one line that names it, and status 1', async () => {
    await withTakenPort((port) => refusesToStart(['--bind', '127.0.0.1', '--port', '0', '--ops-port', String(port)], 1, new RegExp(`\\b${port}\\b`)));
  });

  it('an address that is not ours is one line that names it, and status 1', async () => {
    await refusesToStart(['--bind', '192.0.2.1', '--port', '0', '--ops-port', '0'], 1, /192\.0\.2\.1/);
  });

  it('by default both families are served, and the log level can be turned down', async () => {
    const server = await startServer([...UNLIMITED, '--bind', '::']);
    for (const address of ['127.0.0.1', '::1']) {
      const connection = new Connection(server.port, address);
      const opened = await connection.open().then(() => true, () => false);
      if (address === '::1' && !opened) continue; // a machine without IPv6
      connection.write(request('/room/tea'));
      assert.equal((await connection.response()).status, 200, address);
      connection.destroy();
    }
    await server.endsCleanly();
  });

  it('stdout is for the person: the address to open, and nothing else', async () => {
    const server = await startServer();
    await server.changes.until(() => server.stdout.includes(String(server.port)), 'the address on stdout');
    assert.match(server.stdout, new RegExp(`http://[^\\s]+:${server.port}\\b`));
    assert.ok(lines(server.stdout).length <= 5, server.stdout);
    await assertServes(server);
    await server.endsCleanly();
  });

  it('--log-level error logs no information', async () => {
    // Without the log there are no ports to read from it: stdout has the address.
    const { Server } = await import('../lib/server.mjs');
    const server = new Server(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', '--log-level', 'error']);
    try {
      const port = await server.changes.until(() => Number(/http:\/\/\S+?:(\d+)/.exec(server.stdout)?.[1]) || undefined, () => `the address on stdout: ${server.stdout}${server.stderr}`);
      assert.equal((await fetchRaw(port, '/room/tea')).status, 200);
      await server.endsCleanly();
      assert.equal(server.stderr, '');
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});
