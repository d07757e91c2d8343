// The configuration file, where values come from, and what is said of mistakes: from outside, with real files.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { roomOf } from '../lib/participant.mjs';
import { UNLIMITED, binaryPath, repository, runToEnd, startServer } from '../lib/server.mjs';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
const place = mkdtempSync(path.join(tmpdir(), 'aloha-config-'));
chmodSync(place, 0o755);
let count = 0;

/** A file with that text, in a directory of this test run. */
function fileOf(/** @type {string} */ text, mode = 0o644) {
  const file = path.join(place, `${++count}.conf`);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** The start is refused with exactly this line. @param {string[]} args @param {string} line @param {Record<string, string>} [env] @param {number} [status] */
async function refuses(args, line, env = {}, status = 2) {
  const end = await runToEnd(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', ...args], env);
  assert.equal(end.stderr, `aloha: ${line}\n`);
  assert.equal(end.stdout, '');
  assert.equal(end.code, status);
}

/** What --print-config says of one setting: its value, and who said so. @param {string[]} args @param {string} name @param {Record<string, string>} [env] */
async function effective(args, name, env) {
  const { code, stdout, stderr } = await runToEnd([...args, '--print-config'], env);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const [, from, value] = new RegExp(`^# (.*)\n${name} = ?(.*(?:\n {4}.*)*)$`, 'm').exec(stdout) ?? assert.fail(`${name} in\n${stdout}`);
  return { from, value };
}

describe('the configuration file', () => {
  after(() => rmSync(place, { recursive: true, force: true }));

  it('is served by', async () => {
    const file = fileOf('[limits]\nroom-peers-max = 5\n\n[serving]\nhost = call.example.org,\n    127.0.0.1\n');
    const server = await startServer([...UNLIMITED, '--config', file]);
    const [one] = await roomOf(server, 1);
    assert.equal(/** @type {any} */ (one).joined.limits.maxParticipants, 5);
    one.destroy();
    await server.endsCleanly();
  });

  it('is beaten by the environment, and that by a flag', async () => {
    const file = fileOf('room-peers-max = 5\n'), env = { ALOHA_ROOM_PEERS_MAX: '6' };
    assert.deepEqual(await effective([], 'room-peers-max'), { from: 'default', value: '12' });
    assert.deepEqual(await effective(['--config', file], 'room-peers-max'), { from: `${file}:1`, value: '5' });
    assert.deepEqual(await effective(['--config', file], 'room-peers-max', env), { from: 'ALOHA_ROOM_PEERS_MAX', value: '6' });
    assert.deepEqual(await effective(['--config', file, '--room-peers-max', '7'], 'room-peers-max', env), { from: '--room-peers-max', value: '7' });
  });

  it('is named by a flag or by ALOHA_CONFIG; an empty name is none', async () => {
    const one = fileOf('ops-port = 1\n'), two = fileOf('ops-port = 2\n');
    assert.equal((await effective([], 'ops-port', { ALOHA_CONFIG: one })).value, '1');
    assert.equal((await effective(['--config', two], 'ops-port', { ALOHA_CONFIG: one })).value, '2');
    assert.equal((await effective(['--config='], 'ops-port', { ALOHA_CONFIG: one })).value, '3001');
  });

  it('has to be there when it was asked for', async () => {
    await refuses(['--config', '/does/not/exist'], '/does/not/exist: No such file or directory');
    await refuses([], '/does/not/exist: No such file or directory', { ALOHA_CONFIG: '/does/not/exist' });
  });

  it('a mistake is one line with file and line, and status 2', async () => {
    const rows = [
      ['port = x\n', ':1: port: "x" is not a number from 0 to 65535'],
      ['[serving]\n\nprot = 1\n', ':3: prot: no such setting; did you mean port?'],
      ['[limits]\nport = 1\n', ':2: port: belongs to [serving], not to [limits]'],
      ['host = a\nhost = b\n', ':2: host: is set in line 1 already'],
      ['[limit]\n', ':1: [limit]: no such section; did you mean [limits]?'],
      ['port = 1 # one\n', ':1: a comment needs a line of its own'],
      ['port\n', ':1: is neither "key = value" nor "[section]"'],
      [`assets = /${'x'.repeat(200)}\n`, ':1: longer than 197 characters; a list goes on in the next line, behind blanks'],
      ['secret = 0123456789abcdef0123456789abcdef\n', ':1: secret: has a file of its own: secret-file = PATH'],
      ['assets = /a\u001b[31m\n', ':1: a control character does not belong here'],
    ];
    for (const [text, line] of rows) {
      const file = fileOf(text);
      await refuses(['--config', file], `${file}${line}`);
    }
  });

  it('a value that only the edge can judge is complained of with file and line, too', async () => {
    const file = fileOf('# one\nassets = /does/not/exist\n');
    await refuses(['--config', file], `${file}:2: assets: "/does/not/exist" has no readable public/ and views/`);
    const bind = fileOf('bind = nowhere\n');
    const end = await runToEnd(['--port', '0', '--ops-port', '0', '--config', bind]);
    assert.equal(end.stderr, `aloha: ${bind}:1: bind: "nowhere" is not addresses in digits or unix:/path, with commas between them\n`);
    assert.equal(end.code, 2);
  });

  it('must not be open to everybody for writing, too large, or no file at all', async () => {
    const open = fileOf('port = 1\n', 0o646);
    await refuses(['--config', open], `${open}: everybody can write to it; chmod o-w it`);
    const large = fileOf('#'.repeat(65537));
    await refuses(['--config', large], `${large}: is larger than 64 KiB`);
    const largest = fileOf(`room-peers-max = 9\n${'#'.repeat(65536 - 19)}`);
    assert.equal((await effective(['--config', largest], 'room-peers-max')).value, '9');
    await refuses(['--config', place], `${place}: is not a file`);
    await refuses(['--config', '/dev/null'], '/dev/null: is not a file');
  });

  it('of another user is refused by root, and others say in the log that they have read it', { skip: !isRoot && 'only root can make one' }, async () => {
    const file = fileOf('room-peers-max = 9\n');
    chownSync(file, 12345, 12345);
    await refuses(['--config', file], `${file}: belongs to another user than root; chown it`);

    const binary = path.join(place, 'aloha'), stateDir = path.join(place, 'state');
    copyFileSync(binaryPath(), binary); // where the unprivileged can reach it
    mkdirSync(stateDir);
    chownSync(stateDir, NOBODY, NOBODY);
    const wrap = (/** @type {string} */ _, /** @type {string[]} */ args) => /** @type {[string, string[]]} */ (['setpriv', [`--reuid=${NOBODY}`, '--clear-groups', binary, ...args]]);
    const server = await startServer([...UNLIMITED, '--config', file], { stateDir, wrap });
    assert.equal((await server.logged('config_of_another_user')).file, file);
    await server.endsCleanly();
  });

  it('the example serves, as it is and with all its settings in force', async () => {
    const example = path.join(repository, 'packaging/aloha.conf');
    const server = await startServer([...UNLIMITED, '--config', fileOf(readFileSync(example, 'utf8'))]);
    await server.endsCleanly();
    const inForce = fileOf(readFileSync(example, 'utf8').replace(/^#(?=[a-z])/gm, ''));
    const full = await startServer([...UNLIMITED, '--config', inForce]);
    await full.endsCleanly();
    assert.deepEqual(await effective(['--config', inForce], 'gone-after'), { from: `${inForce}:${readFileSync(inForce, 'utf8').split('\n').indexOf('gone-after = 45') + 1}`, value: '45' });
  });

  it('--print-config is a file that says the same, and keeps secrets', async () => {
    const args = ['--host', 'a.example,b.example', '--ping-after', '7'];
    const env = { ALOHA_SECRET: 'hush'.repeat(10) };
    const first = await runToEnd([...args, '--print-config'], env);
    assert.equal(first.code, 0);
    assert.doesNotMatch(first.stdout, /hush/);
    assert.match(first.stdout, /^# ALOHA_SECRET\n# secret: \(set\)$/m);
    const second = await runToEnd(['--config', fileOf(first.stdout), '--print-config'], { ALOHA_SECRET: env.ALOHA_SECRET });
    const settings = (/** @type {string} */ text) => text.split('\n').filter((line) => !/^(#|state-dir )/.test(line)); // each server has a directory of its own
    assert.deepEqual(settings(second.stdout), settings(first.stdout));
    assert.ok(settings(first.stdout).includes('    b.example'));
  });
});

describe('secrets', () => {
  it('are no arguments', async () => {
    for (const args of [['--secret', 'x'.repeat(32)], [`--secret=${'x'.repeat(32)}`]]) {
      await refuses(args, '--secret: everybody can read a command line; use --secret-file PATH, or ALOHA_SECRET in the environment');
    }
  });

  it('come from the environment and from credentials; one that cannot be used is no start', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'aloha-credentials-'));
    try {
      writeFileSync(path.join(dir, 'secret'), `${'c'.repeat(32)}\n`, { mode: 0o400 });
      const server = await startServer(UNLIMITED, { env: { CREDENTIALS_DIRECTORY: dir } });
      await server.endsCleanly();
      const other = await startServer(UNLIMITED, { env: { ALOHA_SECRET: 'e'.repeat(32) } });
      await other.endsCleanly();
      for (const one of [server, other]) assert.throws(() => readFileSync(path.join(one.stateDir, 'secret')), 'none was made');
      await refuses([], 'ALOHA_SECRET: holds less than 32 bytes', { ALOHA_SECRET: 'short' }, 1);
      chmodSync(path.join(dir, 'secret'), 0o444);
      await refuses([], `${dir}/secret: can be read by others; chmod 600 it`, { CREDENTIALS_DIRECTORY: dir }, 1);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('help and commands', () => {
  it('a word that is no command is one line, and status 2', async () => {
    for (const [args, line] of /** @type {[string[], string][]} */ ([
      [['hepl'], 'hepl: no such command; did you mean aloha help?'],
      [['weather'], 'weather: no such command; --help lists them'],
      [['help', 'a', 'b'], 'help: one topic at a time'],
      [['help', 'prot'], 'help: there is no topic "prot"; did you mean port?'],
      [['--help', 'limit'], 'help: there is no topic "limit"; did you mean limits?'],
      [['version', 'x'], 'version: "x" is too much'],
    ])) {
      const end = await runToEnd(args);
      assert.deepEqual({ code: end.code, stdout: end.stdout, stderr: end.stderr }, { code: 2, stdout: '', stderr: `aloha: ${line}\n` });
    }
  });

  it('help, --help and -h say the same, without control sequences when nobody looks', async () => {
    const pages = await Promise.all([['help'], ['--help'], ['-h']].map((args) => runToEnd(args)));
    for (const { code, stdout, stderr } of pages) {
      assert.equal(code, 0);
      assert.equal(stderr, '');
      assert.equal(stdout, pages[0].stdout);
      assert.doesNotMatch(stdout, /\x1b/); // eslint-disable-line no-control-regex
    }
    assert.equal((await runToEnd(['help', 'limits'])).stdout, (await runToEnd(['--help', 'limits'])).stdout);
    assert.match((await runToEnd(['help', 'port'])).stdout, /^ {2}--port NUMBER\n/);
    assert.equal((await runToEnd(['version'])).stdout, (await runToEnd(['--version'])).stdout);
  });

  it('on a terminal it has bold headings, unless NO_COLOR is set', async () => {
    const onTerminal = async (/** @type {Record<string, string>} */ env) => {
      const { execFileSync } = await import('node:child_process');
      return execFileSync('script', ['-qec', `${binaryPath()} --help`, '/dev/null'], { encoding: 'utf8', env: { PATH: process.env.PATH, ALOHA_CONFIG: '', ...env } });
    };
    assert.match(await onTerminal({}), /\x1b\[1mServing\x1b\[0m/); // eslint-disable-line no-control-regex
    assert.doesNotMatch(await onTerminal({ NO_COLOR: '1' }), /\x1b/); // eslint-disable-line no-control-regex
  });

  it('help comes whatever is wrong with environment and file', async () => {
    const end = await runToEnd(['--help'], { ALOHA_PORT: 'x', ALOHA_CONFIG: '/does/not/exist' });
    assert.equal(end.code, 0);
    assert.equal(end.stderr, '');
  });
});
