// What the running server has given up. What cannot be done from inside is tried by tests/unit/test_sandbox.c.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fetchRaw, exchangeToEnd, request } from '../lib/http.mjs';
import { assertServes, roomOf } from '../lib/participant.mjs';
import { Server, UNLIMITED, startServer } from '../lib/server.mjs';

const isRoot = process.getuid?.() === 0;

/** @param {Server} server @returns {Record<string, string>} */
function statusOf(server) {
  const lines = readFileSync(`/proc/${server.pid}/status`, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2)));
}

/** @param {Server} server @param {string} name */
async function metric(server, name) {
  const [response] = await exchangeToEnd(/** @type {number} */ (server.opsPort), request('/metrics', { host: 'localhost' }), { check: false });
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(response.body.toString())?.[1]);
}

/** What holds whoever started it: no capability, no way to gain any. @param {Server} server */
function assertPowerless(server) {
  const status = statusOf(server);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(status[set], /^0+$/, set);
  if (!isRoot) return;
  assert.match(status.CapBnd, /^0+$/);
  assert.ok(!/(^|\s)0(\s|$)/.test(`${status.Uid} ${status.Gid} ${status.Groups}`), `nothing of root: ${status.Uid}, ${status.Gid}, ${status.Groups}`);
}

describe('sandbox', () => {
  const place = mkdtempSync(path.join(tmpdir(), 'aloha-sandbox-'));
  chmodSync(place, 0o711);
  after(() => rmSync(place, { recursive: true, force: true }));

  for (const mode of ['kill', 'on']) {
    it(`R65: --sandbox ${mode}: nothing is left that is not needed, and calls go on`, async () => {
      const server = await startServer([...UNLIMITED, '--sandbox', mode]);
      const line = await server.logged('sandboxed');
      assert.equal(line.seccomp, mode);
      assert.equal(line.no_new_privs, 'yes');
      const status = statusOf(server);
      assert.equal(status.Seccomp, '2', 'a filter');
      assert.equal(status.NoNewPrivs, '1');
      assertPowerless(server);
      assert.match(readFileSync(`/proc/${server.pid}/limits`, 'utf8'), /^Max core file size\s+0\s+0\s/m);
      assert.equal(await metric(server, 'aloha_sandbox_seccomp'), 1);
      assert.equal(await metric(server, 'aloha_sandbox_root'), 0);
      assert.equal(await metric(server, 'aloha_sandbox_landlock_abi'), Number(line.landlock_abi));
      const pair = await roomOf(server, 2);
      pair[0].signal(pair[1].peerId, 'inside');
      assert.equal((await pair[1].receive('Signal')).message, 'inside');
      await pair.end();
      await server.endsCleanly();
    });
  }

  it('is entered before anybody is served', async () => {
    const server = await startServer();
    const events = server.log.map((line) => line.event);
    assert.ok(events.indexOf('sandboxed') >= 0 && events.indexOf('sandboxed') < events.indexOf('ready'), events.join(' '));
    await server.endsCleanly();
  });

  it('--sandbox off confines nothing, but root is given up all the same', async () => {
    const server = await startServer([...UNLIMITED, '--sandbox', 'off']);
    assert.equal((await server.logged('sandboxed')).seccomp, 'off');
    assert.equal(statusOf(server).Seccomp, '0');
    assert.equal(await metric(server, 'aloha_sandbox_seccomp'), 0);
    assertPowerless(server);
    await server.endsCleanly();
  });

  it('--user: somebody whom there is not stops the start', async () => {
    const server = new Server(['--user', 'no-such-user', '--port', '0', '--ops-port', '0']);
    assert.equal((await server.exited()).code, 2);
    assert.match(server.stderr, /^aloha: --user: [^\n]*"no-such-user"[^\n]*\n$/);
  });

  it('R66: the soft limit of descriptors is what the connections need, and no more', async () => {
    const server = await startServer([...UNLIMITED, '--connections-max', '100']);
    assert.match(readFileSync(`/proc/${server.pid}/limits`, 'utf8'), /^Max open files\s+164\s/m);
    await server.endsCleanly();
  });

  it('the key of a first start belongs to who the server became, and nobody else', async () => {
    const server = await startServer();
    const owner = Number(statusOf(server).Uid.split(/\s/)[0]);
    assert.deepEqual(readdirSync(server.stateDir), ['secret']);
    for (const one of [server.stateDir, path.join(server.stateDir, 'secret')]) {
      assert.equal(statSync(one).uid, owner, one);
      assert.equal(statSync(one).mode & 0o077, 0, one);
    }
    await server.endsCleanly();
  });

  if (!isRoot) return; // what follows is about root's start

  it('R65: root becomes nobody where nothing else is said and there is no user aloha', async () => {
    const server = await startServer([...UNLIMITED, '--user', '']);
    assert.match((await server.logged('sandboxed')).user, /^(aloha|nobody)$/);
    assertPowerless(server);
    await server.endsCleanly();
  });

  it('--user root stays root, with what it takes to read files and with no other power', async () => {
    const server = await startServer([...UNLIMITED, '--user', 'root']);
    assert.equal((await server.logged('sandboxed')).user, 'root');
    const status = statusOf(server);
    assert.match(status.Uid, /^0\s+0\s+0\s+0$/);
    assert.match(status.CapEff, /^0*2$/);
    assert.match(status.CapBnd, /^0+$/);
    assert.equal(status.Seccomp, '2');
    assert.equal(await metric(server, 'aloha_sandbox_root'), 1);
    await assertServes(server);
    await server.endsCleanly();
  });

  it('a directory of assets that the user cannot read stops the start, with a line that says who', async () => {
    const assets = path.join(place, 'assets');
    mkdirSync(assets, { mode: 0o700 });
    mkdirSync(path.join(assets, 'public'));
    mkdirSync(path.join(assets, 'views'));
    for (const name of ['room.html', 'error.html']) writeFileSync(path.join(assets, 'views', name), '<!doctype html>');
    const server = new Server(['--assets', assets, '--bind', '127.0.0.1', '--port', '0', '--ops-port', '0']);
    assert.equal((await server.exited()).code, 1);
    assert.equal(server.sanitizerReport, '');
    const [complaint] = server.stderr.split('\n').filter((line) => line.startsWith('aloha: '));
    assert.equal(complaint, `aloha: ${assets}: cannot be read by the user "nobody" (--user)`);
    chmodSync(assets, 0o755);
    const second = await startServer(['--assets', assets]);
    assert.equal((await fetchRaw(/** @type {number} */ (second.port), '/room/tea')).status, 200);
    await second.endsCleanly();
  });

  it('a file that only root could read is named: its change will not be noticed', async () => {
    const file = path.join(place, 'token');
    writeFileSync(file, 'x'.repeat(64), { mode: 0o600 });
    const server = await startServer([...UNLIMITED, '--ops-token-file', file]);
    const line = await server.logged('not_readable_again');
    assert.deepEqual([line.level, line.path, line.user], ['warning', file, 'nobody']);
    server.child.kill('SIGHUP');
    await server.logged('ops_token_kept'); // and it goes on with the one it has
    await assertServes(server);
    await server.endsCleanly();
  });
});
