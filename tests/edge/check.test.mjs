// aloha check: what an operator is told before anything breaks. Every error is what a start says, word for word.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Authority } from '../lib/certificates.mjs';
import { assertServes } from '../lib/participant.mjs';
import { Server, UNLIMITED, binaryPath, runToEnd, startServer } from '../lib/server.mjs';
import { giveToServer, serverBecomes } from '../lib/user.mjs';

const FREE = ['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0'];

/** @typedef {{ verdict: string, text: string, remedy: string }} Row */

/** The rows of a table by their names, with what was wrapped put together again. @param {string} stdout */
function rowsOf(stdout) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @type {Row | undefined} */
  let last;
  const [table, summary] = stdout.split('\n\n');
  for (const line of table.split('\n')) {
    const begins = /^(ok|warning|error) {1,7} (.{14}) (.*)$/.exec(line);
    const goesOn = /^ {24}(.*)$/.exec(line);
    assert.ok(begins || goesOn, line);
    assert.ok(line.length <= 80 || !line.slice(24).replace(/^-> /, '').includes(' '), `too wide: ${line}`);
    if (begins) rows.set(begins[2].trim(), (last = { verdict: begins[1], text: begins[3], remedy: '' }));
    else if (last && goesOn?.[1].startsWith('-> ')) last.remedy = goesOn[1].slice(3);
    else if (last && last.remedy) last.remedy += ` ${goesOn?.[1]}`;
    else if (last) last.text += ` ${goesOn?.[1]}`;
  }
  return { rows, summary };
}

/** @param {string[]} args @param {Record<string, string>} [env] @param {(file: string, args: string[]) => [string, string[]]} [wrap] */
async function check(args, env, wrap) {
  const server = new Server(['check', ...FREE, ...args], { env, wrap });
  try {
    const { code } = await server.exited();
    assert.equal(server.sanitizerReport, '');
    assert.equal(server.stderr, '', 'all that is said is in the table');
    assert.doesNotMatch(server.stdout, /\x1b/, 'colours are for terminals');
    const { rows, summary } = rowsOf(server.stdout);
    const errors = [...rows.values()].filter((row) => row.verdict === 'error').length;
    const warnings = [...rows.values()].filter((row) => row.verdict === 'warning').length;
    assert.equal(summary, `${errors} error${errors === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}: aloha ${errors ? 'does not start' : 'starts'} like this\n`);
    assert.equal(code, errors ? 1 : 0);
    return rows;
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** A fault: its row is this error, and a start fails with its words. @param {string} name @param {Row} row @param {string[]} args */
async function isError(name, row, args) {
  const rows = await check(args);
  assert.deepEqual(rows.get(name), row);
  const end = await runToEnd([...FREE, ...args]);
  assert.equal(end.code, 1, end.stderr);
  const said = end.stderr.split('\n').filter((line) => line.startsWith('aloha: '));
  assert.deepEqual(said, [`aloha: ${row.text}${row.remedy ? `; ${row.remedy}` : ''}`]);
}

const authority = new Authority();

/** A certificate for some names, and its key, in files. @param {string} dir @param {string} name @param {string[]} names @param {{ from?: number, to?: number }} [how] */
function certificate(dir, name, names, how = {}) {
  const pair = authority.issue({ names: names.map((one) => `DNS:${one}`).join(','), ...how });
  const [cert, key] = [path.join(dir, `${name}.pem`), path.join(dir, `${name}.key`)];
  writeFileSync(cert, pair.cert);
  writeFileSync(key, pair.key, { mode: 0o600 });
  return { cert, key };
}

/** A place for files of one test. @param {(dir: string) => Promise<void>} work */
async function inDirectory(work) {
  const dir = mkdtempSync(path.join(tmpdir(), 'aloha-check-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A port of the loopback address that is taken as long as work runs. @template T @param {(port: number) => Promise<T>} work */
async function withTakenPort(work) {
  const holder = net.createServer((socket) => socket.end('no aloha\n'));
  await new Promise((resolve) => holder.listen(0, '127.0.0.1', () => resolve(undefined)));
  try {
    return await work(/** @type {net.AddressInfo} */ (holder.address()).port);
  } finally {
    holder.close();
  }
}

describe('aloha check', () => {
  it('finds nothing wrong at home, says so, changes nothing and ends with 0; --check is the same', () => inDirectory(async (dir) => {
    const state = path.join(dir, 'state');
    for (const args of [['check', ...FREE, '--state-dir', state], [...FREE, '--check', '--state-dir', state]]) {
      const { code, stdout } = await runToEnd(args);
      assert.equal(code, 0);
      const { rows } = rowsOf(stdout);
      assert.deepEqual(rows.get('public port'), { verdict: 'ok', text: 'some port of 127.0.0.1 is free', remedy: '' });
      assert.deepEqual(rows.get('camera'), { verdict: 'ok', text: 'only this machine can connect, and localhost needs no https', remedy: '' });
      assert.deepEqual(rows.get('resume key'), { verdict: 'ok', text: `${state}/secret, made at the start`, remedy: '' });
      assert.equal(rows.get('STUN and TURN')?.verdict, 'warning');
      assert.equal(existsSync(state), false, 'it only looks');
    }
  }));

  it('bad usage is one line and status 2, as without check', async () => {
    for (const args of [['--prot', '1'], ['--port', 'x'], ['--bind', 'nowhere'], ['--assets', '/does/not/exist']]) {
      const checked = await runToEnd(['check', ...args]);
      const started = await runToEnd(args);
      assert.deepEqual([checked.code, checked.stdout, checked.stderr], [2, '', started.stderr]);
      assert.match(checked.stderr, /^aloha: .*\n$/);
    }
  });

  it('error: a taken port, and an address that is not ours', async () => {
    await withTakenPort((port) => isError('public port',
      { verdict: 'error', text: `cannot listen on port ${port} of 127.0.0.1: Address already in use`, remedy: '--port takes another' }, ['--port', String(port)]));
    await isError('public port', { verdict: 'error', text: 'cannot listen on port 3999 of 192.0.2.1: Cannot assign requested address', remedy: '' }, ['--bind', '192.0.2.1', '--port', '3999']);
  });

  it('error: a port below 1024, for whom it is not', { skip: process.getuid?.() !== 0 && 'only root can become nobody' }, () => inDirectory(async (dir) => {
    const binary = path.join(dir, 'aloha');
    chmodSync(dir, 0o755);
    copyFileSync(binaryPath(), binary); // where the unprivileged can reach it
    const rows = await check(['--port', '1'], {}, (_, args) => ['setpriv', ['--reuid=65534', '--clear-groups', binary, ...args]]);
    assert.deepEqual(rows.get('public port'), { verdict: 'error', text: 'cannot listen on port 1 of 127.0.0.1: Permission denied', remedy: '--port takes another, and root or a socket of systemd this one' });
  }));

  it('error: a taken operator port', () => withTakenPort((port) => isError('operator port',
    { verdict: 'error', text: `the operator's plane: cannot listen on port ${port} of 127.0.0.1: Address already in use`, remedy: '--ops-port takes another' }, ['--ops-port', String(port)])));

  it('error: ports of its own that are the same', async () => {
    const port = await withTakenPort(async (free) => free);
    /** @param {string} option */
    const taken = (option) => ({ verdict: 'error', text: `cannot listen on port ${port} of 127.0.0.1: Address already in use`, remedy: `${option} takes another` });
    await isError('public port', taken('--port'), ['--port', String(port), '--ops-port', String(port)]);
    await inDirectory((dir) => isError('redirect port', taken('--redirect-port'), ['--port', String(port), '--redirect-port', String(port), '--tls', 'self-signed', '--state-dir', dir]));
  });

  it('no error: ports that are taken because aloha runs there, which does not mind', async () => {
    const server = await startServer();
    const rows = await check(['--port', String(server.port), '--ops-port', String(server.opsPort)]);
    assert.deepEqual(rows.get('public port'), { verdict: 'ok', text: `port ${server.port} of 127.0.0.1: aloha runs there`, remedy: '' });
    assert.deepEqual(rows.get('operator port'), { verdict: 'ok', text: `port ${server.opsPort} of 127.0.0.1: aloha runs there`, remedy: '' });
    await assertServes(server);
    await server.endsCleanly();
  });

  it('error: a key that others can read, that is too short, that is not there, or whose place cannot be used', () => inDirectory(async (dir) => {
    const file = path.join(dir, 'key');
    writeFileSync(file, 'k'.repeat(40), { mode: 0o600 });
    assert.deepEqual((await check(['--secret-file', file])).get('resume key'), { verdict: 'ok', text: file, remedy: '' });
    chmodSync(file, 0o640);
    await isError('resume key', { verdict: 'error', text: `${file}: can be read by others`, remedy: 'chmod 600 it' }, ['--secret-file', file]);
    writeFileSync(file, 'short');
    chmodSync(file, 0o600);
    await isError('resume key', { verdict: 'error', text: `${file}: holds less than 32 bytes`, remedy: '' }, ['--secret-file', file]);
    await isError('resume key', { verdict: 'error', text: `${file}x: No such file or directory`, remedy: '' }, ['--secret-file', `${file}x`]);
    await isError('resume key', { verdict: 'error', text: `${dir}: is not a file`, remedy: '' }, ['--secret-file', dir]);
    await isError('resume key', { verdict: 'error', text: `${file}/state: Not a directory`, remedy: '' }, ['--state-dir', `${file}/state`]);
    const state = path.join(dir, 'state');
    mkdirSync(state);
    writeFileSync(path.join(state, 'secret'), 'k'.repeat(40));
    chmodSync(path.join(state, 'secret'), 0o644);
    await isError('resume key', { verdict: 'error', text: `${state}/secret: can be read by others`, remedy: 'chmod 600 it' }, ['--state-dir', state]);
    assert.deepEqual(readdirSync(state), ['secret']);
    assert.equal(readFileSync(file, 'utf8'), 'short');
  }));

  it('warning: a state directory that others can write to, and a usual place that cannot be used', () => inDirectory(async (dir) => {
    const state = path.join(dir, 'state');
    mkdirSync(state);
    chmodSync(state, 0o777);
    assert.deepEqual((await check(['--state-dir', state])).get('resume key'),
      { verdict: 'warning', text: `${state}/secret: others can write to its directory`, remedy: 'chmod go-w it' });
    writeFileSync(path.join(dir, 'file'), '');
    assert.deepEqual((await check([], { ALOHA_STATE_DIR: '', XDG_STATE_HOME: path.join(dir, 'file') })).get('resume key'),
      { verdict: 'warning', text: `${dir}/file/aloha: Not a directory`, remedy: '--state-dir with a directory to write to: else a restart is noticed in calls' });
    assert.deepEqual((await check([], { ALOHA_STATE_DIR: '', XDG_STATE_HOME: '', HOME: '' })).get('resume key'),
      { verdict: 'warning', text: 'state: no home directory', remedy: '--state-dir with a directory to write to: else a restart is noticed in calls' });
  }));

  it('warning: what is open to the world without what the world needs', async () => {
    const rows = await check(['--bind', '::', '--trusted-proxies', '']);
    assert.deepEqual(rows.get('camera'), {
      verdict: 'warning', text: 'without https browsers on other machines do not give it',
      remedy: '--tls self-signed, --tls-cert with --tls-key, or a proxy with --trusted-proxies',
    });
    assert.deepEqual(rows.get('names'), { verdict: 'warning', text: 'any is served, also one that a stranger points here', remedy: '--host call.example.org' });
    assert.equal(rows.get('proxies'), undefined);
  });

  it('warning: a proxy that is everybody, and a name that is never asked for', async () => {
    assert.deepEqual((await check(['--trusted-proxies', '0.0.0.0/0'])).get('proxies'),
      { verdict: 'warning', text: 'everybody is trusted: who says X-Forwarded-For has no limits', remedy: "--trusted-proxies with the proxy's own address" });
    const rows = await check(['--host', 'call.example.org:8443', '--port', '3999']);
    assert.deepEqual(rows.get('names'), { verdict: 'warning', text: '--host call.example.org:8443 is never asked for: the port is 3999', remedy: 'name it without its port' });
  });

  it('warning: limits that are off', async () => {
    assert.deepEqual((await check(['--rate-joins', '0', '--rate-bytes', '0'])).get('limits'),
      { verdict: 'warning', text: 'switched off: --rate-bytes, --rate-joins', remedy: 'leave these options out, and they have their defaults' });
    assert.equal((await check([])).get('limits')?.verdict, 'ok');
  });

  it('warning: fewer descriptors than connections', async () => {
    const rows = await check(['--connections-max', '1000'], {}, (file, args) => ['/bin/sh', ['-c', 'ulimit -n 300; exec "$0" "$@"', file, ...args]]);
    assert.deepEqual(rows.get('connections'), { verdict: 'warning', text: '236, for the descriptor limit is 300 and not 1064', remedy: 'LimitNOFILE=1064 in the unit, or ulimit -n 1064' });
  });

  it('warning: less memory than the limits allow', async () => {
    const row = (await check(['--connections-max', '1000000', '--queues-max', '4095'])).get('memory');
    assert.match(row?.text ?? '', /^\d+ MiB; all that the limits allow would take 51002 MiB$/);
    const has = Number(/^\d+/.exec(row?.text ?? ''));
    assert.equal(row?.verdict, has < 51002 ? 'warning' : 'ok');
    assert.equal(row?.remedy, has < 51002 ? '--connections-max, --queues-max or --backlogs-max lower, or more memory' : '');
  });

  it('error: a certificate that is not there, is none, has expired, or whose key is another one', () => inDirectory(async (dir) => {
    const { cert, key } = certificate(dir, 'good', ['call.example.org']);
    const other = certificate(dir, 'other', ['call.example.org']);
    /** @param {string} certFile @param {string} keyFile @param {string} text */
    const fails = (certFile, keyFile, text) => isError('certificate', { verdict: 'error', text, remedy: '' }, ['--tls-cert', certFile, '--tls-key', keyFile]);
    await fails(`${cert}x`, key, `${cert}x: No such file or directory`);
    await fails(cert, `${key}x`, `${key}x: No such file or directory`);
    await fails(key, key, `${key}: holds no certificate`);
    await fails(cert, cert, `${cert}: holds no key`);
    await fails(cert, other.key, `${other.key}: is not the key of the certificate`);
    const late = certificate(dir, 'late', ['call.example.org'], { from: -30, to: -1 });
    const ended = new Date(new X509Certificate(readFileSync(late.cert)).validTo).toISOString().replace('.000', '');
    await fails(late.cert, late.key, `${late.cert}: the certificate has expired on ${ended}`);
  }));

  it('warning: a certificate that nobody trusts, that ends soon, that is not for a name of ours, and a key that is open', () => inDirectory(async (dir) => {
    const { cert, key } = certificate(dir, 'good', ['call.example.org'], { to: 90.5 });
    const options = ['--tls-cert', cert, '--tls-key', key];
    if (serverBecomes) {
      assert.deepEqual((await check(options)).get('its key'), {
        verdict: 'warning', text: `the user "${serverBecomes}" cannot read it or the certificate: renewed ones are not taken`,
        remedy: 'copies of both that this user owns',
      });
    }
    giveToServer(dir, cert, key);
    const rows = await check([...options, '--host', 'call.example.org'], { SSL_CERT_FILE: authority.file });
    assert.deepEqual(rows.get('certificate'), { verdict: 'ok', text: 'good for 90 days', remedy: '' });
    assert.deepEqual(rows.get('its names'), { verdict: 'ok', text: 'it is for all names of --host', remedy: '' });
    assert.deepEqual(rows.get('its key'), { verdict: 'ok', text: "it is the certificate's, and closed to others", remedy: '' });
    assert.deepEqual(rows.get('camera'), { verdict: 'ok', text: 'https is spoken', remedy: '' });
    assert.deepEqual((await check(options)).get('certificate'), {
      verdict: 'warning', text: 'this machine does not trust it: browsers will warn, or the chain is not whole',
      remedy: '--tls-cert wants the certificate and behind it those that sign it (fullchain.pem)',
    });
    assert.deepEqual((await check([...options, '--host', 'call.example.org,www.example.org'])).get('its names'),
      { verdict: 'warning', text: 'it is not for www.example.org, which --host names', remedy: 'get one for all names of --host, or leave that name out' });
    chmodSync(key, 0o644);
    assert.deepEqual((await check(options)).get('its key'), { verdict: 'warning', text: 'everybody on this machine can read it', remedy: 'chmod o= the file of --tls-key' });
    const soon = certificate(dir, 'soon', ['call.example.org'], { to: 10.5 });
    assert.deepEqual((await check(['--tls-cert', soon.cert, '--tls-key', soon.key], { SSL_CERT_FILE: authority.file })).get('certificate'),
      { verdict: 'warning', text: 'expires in 10 days', remedy: 'renew it; the new one is taken without a restart' });
  }));

  it('a certificate of its own is not made by looking', () => inDirectory(async (dir) => {
    const rows = await check(['--tls', 'self-signed', '--state-dir', dir]);
    assert.deepEqual(rows.get('certificate'), { verdict: 'ok', text: 'made here; browsers warn of it once', remedy: '' });
    assert.deepEqual(readdirSync(dir), []);
  }));

  it('error: a redirect port that is taken', () => withTakenPort((port) => inDirectory(async (dir) => {
    await isError('redirect port', { verdict: 'error', text: `cannot listen on port ${port} of 127.0.0.1: Address already in use`, remedy: '--redirect-port takes another' },
      ['--tls', 'self-signed', '--state-dir', dir, '--redirect-port', String(port)]);
  })));

  it('error: an operator plane that others reach, or a token that cannot be used', () => inDirectory(async (dir) => {
    /** @param {string} text @param {string} remedy @param {string[]} args */
    const fails = async (text, remedy, args) => {
      assert.deepEqual((await check(args)).get('operator'), { verdict: 'error', text, remedy });
      const end = await runToEnd([...FREE, ...args]);
      assert.deepEqual([end.code, end.stderr], [2, `aloha: ${text}${remedy ? `; ${remedy}` : ''}\n`]);
    };
    await fails('--ops-bind: 0.0.0.0 can be reached from elsewhere, which needs TLS and --ops-token-file', '', ['--ops-bind', '0.0.0.0']);
    const token = path.join(dir, 'token');
    writeFileSync(token, 't'.repeat(40), { mode: 0o600 });
    assert.deepEqual((await check(['--ops-token-file', token])).get('operator'), { verdict: 'ok', text: 'the admin API wants its token', remedy: '' });
    assert.deepEqual((await check([])).get('operator'), { verdict: 'ok', text: 'there is no token: the admin API is switched off', remedy: '' });
    chmodSync(token, 0o644);
    await fails(`${token}: can be read by others`, 'chmod 600 it', ['--ops-token-file', token]);
    await fails(`${token}x: No such file or directory`, '', ['--ops-token-file', `${token}x`]);
  }));

  it('names of files cannot steer the terminal', () => inDirectory(async (dir) => {
    const rows = await check(['--state-dir', path.join(dir, '\x1b[31mred\n\u00e4')]);
    assert.match(rows.get('resume key')?.text ?? '', /\/\?\[31mred\?\?\?\/secret, made at the start$/);
  }));

  it('what it was given is judged, not what it would be without: the environment counts', async () => {
    assert.equal((await check([], { ALOHA_RATE_JOINS: '0' })).get('limits')?.text, 'switched off: --rate-joins');
    assert.equal((await check(UNLIMITED)).get('limits')?.text.split(', ').length, 4);
  });
});
