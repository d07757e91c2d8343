// The container: its root file system, made by the script that the Containerfile calls, and the Containerfile itself.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DockerfileParser } from 'dockerfile-ast';
import { ValidationSeverity, validate } from 'dockerfile-utils';
import { assertServes } from '../lib/participant.mjs';
import { repository, startServer } from '../lib/server.mjs';
import { attempt, isInstalled, packageBuild, packaging, run } from './commands.mjs';

const script = path.join(packaging, 'container-rootfs.sh');
const binary = path.join(packageBuild, 'aloha');
process.env.ALOHA_BIN ??= binary;

const epoch = run(['git', '-C', repository, 'log', '-1', '--format=%ct']).trim();

/** Why nothing can be run in a root of its own here. */
const obstacle = !isInstalled('bwrap') ? 'no bwrap here'
  : attempt(['bwrap', '--unshare-user', '--uid', '65532', '--ro-bind', '/', '/', 'true']).status !== 0 ? 'no user namespaces here' : false;

describe('the root of the container', () => {
  /** @type {string} */
  let folder;
  /** @type {string} */
  let root;
  const make = (/** @type {string} */ name) => {
    run([script, binary, path.join(folder, name)], { env: { ...process.env, SOURCE_DATE_EPOCH: epoch } });
    return path.join(folder, name);
  };
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'aloha-container-'));
    root = make('one');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the program as the container would: nothing but this root, which is read-only; not root; no rights. */
  const contained = (/** @type {string[]} */ args) => ['bwrap', '--unshare-user', '--uid', '65532', '--gid', '65532', '--unshare-pid', '--unshare-ipc',
    '--unshare-uts', '--cap-drop', 'ALL', '--die-with-parent', '--new-session', '--ro-bind', root, '/', '--proc', '/proc', '--dev', '/dev',
    '--tmpfs', '/var/lib/aloha', '/usr/bin/aloha', ...args];

  it('holds one program, libraries, licences, and no shell', () => {
    const files = run(['find', '.', '-type', 'f', '-printf', '%P\n'], { cwd: root }).trim().split('\n');
    for (const file of files) {
      assert.match(file, /^(usr\/bin\/aloha|etc\/(passwd|group)|usr\/lib(64)?\/[\w./+-]+\.so[\w.]*|usr\/share\/doc\/[\w.+-]+\/(copyright|aloha\.cdx\.json))$/);
    }
    for (const part of ['usr/bin/aloha', 'etc/passwd', 'usr/share/doc/aloha/aloha.cdx.json']) assert.ok(files.includes(part), part);
    assert.ok(files.some((file) => file.includes('libwebsockets-evlib_uv')), 'the plugin that libwebsockets loads by itself');
    assert.equal(run(['find', root, '-perm', '/6000']), '');
    assert.doesNotMatch(readFileSync(path.join(root, 'etc/passwd'), 'utf8'), /:0:|bash|\/sh/);
  });

  it('has the licence of each library', () => {
    const { components } = JSON.parse(readFileSync(path.join(root, 'usr/share/doc/aloha/aloha.cdx.json'), 'utf8'));
    assert.ok(components.length > 10);
    for (const { name } of components) assert.ok(readFileSync(path.join(root, 'usr/share/doc', name, 'copyright')).length > 0, name);
  });

  it('is the same when it is made again', () => {
    const archive = (/** @type {string} */ of) => run(['bash', '-c', 'tar --sort=name --numeric-owner -C "$0" -c . | sha256sum', of]);
    assert.equal(archive(make('two')), archive(root));
  });

  it('serves, read-only, as nobody, without rights', { skip: obstacle }, async () => {
    const server = await startServer([], { stateDir: '/var/lib/aloha', env: { ALOHA_USER: 'aloha' }, wrap: (_, args) => /** @type {any} */ ([contained([])[0], contained(args).slice(1)]) });
    assert.equal((await fetch(`${server.url}/room/tea`)).status, 200);
    assert.equal((await fetch(`http://127.0.0.1:${server.opsPort}/healthz`)).status, 200);
    await assertServes(server);
    server.child.kill('SIGKILL'); // a signal to bwrap does not reach the program
    await server.exited();
    assert.equal(server.sanitizerReport, '');
  });

  it('its check of health tells whether a server is there', { skip: obstacle }, async () => {
    const server = await startServer();
    const health = (/** @type {number | undefined} */ port) => attempt([...contained(['ctl', 'health'])], { env: { ALOHA_OPS_PORT: String(port) } });
    assert.equal(health(server.opsPort).status, 0, health(server.opsPort).stderr);
    await server.endsCleanly();
    assert.notEqual(health(server.opsPort).status, 0);
  });
});

describe('the Containerfile', () => {
  const text = readFileSync(path.join(packaging, 'Containerfile'), 'utf8');
  const lines = DockerfileParser.parse(text).getInstructions();
  const last = lines.slice(lines.findLastIndex((line) => line.getKeyword() === 'FROM'));
  const argument = (/** @type {string} */ keyword) => last.find((line) => line.getKeyword() === keyword)?.getArgumentsContent() ?? '';

  it('has nothing that the linter dislikes', () => {
    const found = validate(text, { emptyContinuationLine: ValidationSeverity.ERROR });
    assert.deepEqual(found.map(({ message, range }) => `${range.start.line + 1}: ${message}`), []);
  });

  it('ends in an image of nothing but that root, which is not root\'s and tells its health', () => {
    assert.equal(argument('FROM'), 'scratch');
    assert.equal(argument('USER'), '65532:65532');
    assert.equal(argument('STOPSIGNAL'), 'SIGTERM');
    assert.equal(argument('EXPOSE'), '3000');
    assert.match(argument('HEALTHCHECK'), /CMD \["\/usr\/bin\/aloha", "ctl", "health"\]$/);
    assert.deepEqual(JSON.parse(argument('ENTRYPOINT')), ['/usr/bin/aloha']);
    assert.equal(last.some((line) => line.getKeyword() === 'RUN'), false, 'there is no shell to run anything');
  });

  it('calls what is there', () => {
    const scripts = [...text.matchAll(/(scripts|packaging)\/[\w./-]+/g)].map(([name]) => name).filter((name) => name !== 'packaging/Containerfile');
    assert.deepEqual([...new Set(scripts)].sort(), ['packaging/container-rootfs.sh', 'scripts/package']);
    for (const name of scripts) assert.equal(attempt(['test', '-x', path.join(repository, name)]).status, 0, name);
  });
});
