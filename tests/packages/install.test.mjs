// The life of the package in a clean Debian: installed, used, upgraded, removed, purged. Once in a mere chroot, and once
// under a systemd of its own, which starts, watches and ends the service as on any machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertServes } from '../lib/participant.mjs';
import { startServer } from '../lib/server.mjs';
import { within } from '../lib/wait.mjs';
import { CleanRoot, baseSystem } from './clean-root.mjs';
import { attempt, debianPackage, packageBuild, run } from './commands.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
process.env.ALOHA_BIN ??= path.join(packageBuild, 'aloha');

/** The same package with a higher number. */
function nextPackage() {
  const folder = path.join(packageBuild, 'next');
  run(['cpack', '-B', folder, '-D', 'CPACK_DEBIAN_PACKAGE_RELEASE=2'], { cwd: packageBuild });
  const name = readdirSync(folder).find((file) => /-2_\w+\.deb$/.test(file));
  assert.ok(name, 'cpack made a second package');
  return path.join(folder, name);
}

const next = nextPackage();

/** @param {CleanRoot} root */
function assertNothingLeft(root) {
  for (const name of ['/etc/aloha', '/var/lib/aloha', '/var/lib/private/aloha', '/usr/bin/aloha', '/usr/share/doc/aloha']) {
    assert.equal(root.has(name), false, `${name} is left`);
  }
  assert.equal(attempt(['find', path.join(root.path, 'etc'), path.join(root.path, 'var/lib'), '-name', '*aloha*', '!', '-path', '*/apt/*']).stdout, '');
}

const clean = baseSystem('minimal', ['ca-certificates']);

describe('in a clean root', { skip: clean.reason ?? false }, () => {
  /** @type {CleanRoot} */
  let root;
  /** @type {string[]} */
  let untouched;
  before(() => {
    root = new CleanRoot(/** @type {string} */ (clean.base));
    root.put(debianPackage(), '/root/aloha.deb');
    root.put(next, '/root/aloha-next.deb');
    untouched = root.everything();
  });
  after(() => root.remove());

  it('apt finds all that it depends on', () => {
    root.apt('install', '/root/aloha.deb');
    assert.equal(root.run('dpkg-query', '-W', '-f', '${Status} ${Version}', 'aloha'), 'install ok installed 0.1.0-1');
    assert.match(root.run('aloha', '--version'), /^aloha 0\.1\.0/);
  });

  it('is enabled for the next start, and its socket is not', () => {
    assert.ok(root.has('/etc/systemd/system/multi-user.target.wants/aloha.service'));
    assert.ok(!root.has('/etc/systemd/system/sockets.target.wants/aloha.socket'));
  });

  it('the program serves there, with nothing but what apt has brought', async () => {
    const server = await startServer([], { stateDir: '/var/lib/aloha', wrap: (_, args) => ['chroot', [root.path, '/usr/bin/aloha', ...args]] });
    assert.equal((await fetch(`${server.url}/room/tea`)).status, 200);
    await assertServes(server);
    await server.endsCleanly();
    assert.ok(root.has('/var/lib/aloha/secret'));
  });

  it('an upgrade keeps the configuration as it was changed, and the state', () => {
    run(['sh', '-c', `echo '# mine' >>'${root.path}/etc/aloha/aloha.conf'`]);
    const before = [root.read('/etc/aloha/aloha.conf'), root.read('/var/lib/aloha/secret')];
    root.apt('install', '/root/aloha-next.deb');
    assert.match(root.run('dpkg-query', '-W', '-f', '${Version}', 'aloha'), /-2$/);
    assert.deepEqual([root.read('/etc/aloha/aloha.conf'), root.read('/var/lib/aloha/secret')], before);
  });

  it('an upgrade leaves it off if somebody has switched it off', () => {
    run(['rm', path.join(root.path, 'etc/systemd/system/multi-user.target.wants/aloha.service')]);
    root.apt('install', '/root/aloha.deb');
    assert.ok(!root.has('/etc/systemd/system/multi-user.target.wants/aloha.service'));
  });

  it('remove keeps configuration and state, purge leaves nothing', () => {
    root.apt('remove', 'aloha');
    assert.ok(root.has('/etc/aloha/aloha.conf') && root.has('/var/lib/aloha/secret') && !root.has('/usr/bin/aloha'));
    root.apt('purge', 'aloha');
    assertNothingLeft(root);
    root.apt('autoremove', '--purge');
    assert.deepEqual(root.everything().filter((name) => !untouched.includes(name)), []);
  });

  it('purge does not delete what somebody has put beside the configuration', () => {
    root.apt('install', '/root/aloha.deb');
    run(['sh', '-c', `echo token >'${root.path}/etc/aloha/ops-token'`]);
    root.apt('purge', 'aloha');
    assert.deepEqual(readdirSync(path.join(root.path, 'etc/aloha')), ['ops-token']);
  });
});

// --- under systemd ---

const booted = baseSystem('systemd', ['ca-certificates', 'systemd', 'systemd-sysv', 'dbus']);

/** A root whose first process is systemd. */
class Machine extends CleanRoot {
  async start() {
    this.child = spawn(path.join(here, 'boot'), [this.path], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    this.child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
    const ended = new Promise((resolve) => this.child?.on('close', resolve));
    const deadline = Date.now() + 60_000;
    while (this.child.exitCode === null && Date.now() < deadline) {
      const children = readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8').trim().split(' ');
      this.first = Number(children[0]);
      if (this.first && /^(running|degraded)/.test(this.attempt('systemctl', 'is-system-running', '--wait').stdout)) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    this.child.kill('SIGKILL');
    await ended;
    return stderr.trim().split('\n').at(-1) || 'systemd did not come up';
  }

  inside(/** @type {string[]} */ command) {
    return ['nsenter', '--target', String(this.first), '--pid', '--mount', '--uts', '--ipc', '--net', '--cgroup', ...command];
  }

  /** Waits for something that systemd does by itself. @param {() => boolean} look @param {string} what */
  async until(look, what) {
    const gone = async () => {
      while (!look()) await new Promise((resolve) => setTimeout(resolve, 100));
    };
    await within(gone(), () => `${what}\n${this.attempt('journalctl', '--no-pager', '-n', '30', '-u', 'aloha').stdout}`, 60_000);
  }

  state() {
    const text = this.attempt('systemctl', 'show', 'aloha', '-p', 'ActiveState', '-p', 'SubState', '-p', 'MainPID').stdout;
    return Object.fromEntries(text.trim().split('\n').map((line) => line.split('=')));
  }

  /** Sends its process a signal, by the shell: there is no /usr/bin/kill. @param {string} signal @returns {string} its number */
  hit(signal) {
    const { MainPID } = this.state();
    assert.ok(Number(MainPID) > 1, 'the service runs'); // 0 would be our own process group
    this.run('sh', '-c', `kill -${signal} ${MainPID}`);
    return MainPID;
  }

  isActive() {
    return this.state().ActiveState === 'active';
  }

  /** Waits until another process than this one serves. @param {string} before @param {string} what */
  async another(before, what) {
    await this.until(() => {
      const { ActiveState, SubState, MainPID } = this.state();
      return ActiveState === 'active' && SubState === 'running' && !['0', before].includes(MainPID);
    }, what);
  }

  /** Someone in its network loads the page and signals. */
  talk() {
    run(['nsenter', '--target', String(this.first), '--net', process.execPath, path.join(here, 'talk.mjs'), '127.0.0.1:3000']);
  }

  remove() {
    if (this.first) attempt(['kill', '-KILL', String(this.first)]);
    this.child?.kill('SIGKILL');
    super.remove();
  }
}

/** @param {string} folder */
function removeCgroup(folder) {
  for (const name of readdirSync(folder, { withFileTypes: true })) if (name.isDirectory()) removeCgroup(path.join(folder, name.name));
  rmdirSync(folder);
}

describe('under systemd', { skip: booted.reason ?? false }, () => {
  /** @type {Machine} */
  let machine;
  /** @type {string | undefined} */
  let reason;
  before(async () => {
    machine = new Machine(/** @type {string} */ (booted.base));
    machine.put(debianPackage(), '/root/aloha.deb');
    machine.put(next, '/root/aloha-next.deb');
    run(['sh', '-c', `cat /etc/resolv.conf >'${machine.path}/etc/resolv.conf'`]);
    // Its network has the loopback device only: what apt needs is fetched before.
    attempt(['chroot', machine.path, 'apt-get', '-y', '--download-only', 'install', '/root/aloha.deb']);
    reason = await machine.start();
  });
  after(async () => {
    const group = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find((line) => / - cgroup2 /.test(line))?.split(' ')[4];
    const pid = machine.child?.pid;
    const ended = machine.child?.exitCode === null ? new Promise((resolve) => machine.child?.on('close', resolve)) : undefined;
    machine.remove();
    if (ended) await within(ended, 'the end of systemd');
    if (group) removeCgroup(path.join(group, `aloha-test-${pid}`));
  });

  /** @param {string} name @param {() => unknown} body */
  const step = (name, body) => it(name, (t) => (reason ? t.skip(`no systemd can be started here: ${reason}`) : body()));

  step('is started when it has been installed, and says when it is ready', () => {
    machine.run('apt-get', '-y', 'install', '/root/aloha.deb');
    assert.ok(machine.isActive(), machine.attempt('journalctl', '--no-pager', '-u', 'aloha').stdout);
    machine.talk();
  });

  step('R65, R66, R68: has no rights, and bounds', () => {
    const pid = machine.state().MainPID;
    const status = machine.run('cat', `/proc/${pid}/status`);
    assert.doesNotMatch(status, /^Uid:\s+0\s/m);
    for (const line of [/^CapPrm:\s+0+$/m, /^CapEff:\s+0+$/m, /^CapBnd:\s+0+$/m, /^NoNewPrivs:\s+1$/m, /^Seccomp:\s+2$/m]) assert.match(status, line);
    assert.match(machine.run('cat', `/proc/${pid}/limits`), /Max core file size +0 +0/);
    assert.match(machine.run('systemctl', 'show', 'aloha', '-p', 'MemoryMax', '-p', 'LimitNOFILE'), /LimitNOFILE=32768\nMemoryMax=536870912|MemoryMax=536870912\nLimitNOFILE=32768/);
    assert.match(machine.run('stat', '-c', '%a', '/var/lib/private/aloha/secret'), /^600$/m);
  });

  step('comes back when it was killed', async () => {
    const MainPID = machine.hit('KILL');
    await machine.another(MainPID, 'a new process');
    machine.talk();
  });

  step('an upgrade restarts it, with its key and its changed configuration', () => {
    machine.run('sh', '-c', 'echo "# mine" >>/etc/aloha/aloha.conf');
    const { MainPID } = machine.state();
    const key = machine.run('cat', '/var/lib/private/aloha/secret');
    machine.run('apt-get', '-y', 'install', '/root/aloha-next.deb');
    assert.ok(machine.isActive());
    assert.notEqual(machine.state().MainPID, MainPID);
    assert.equal(machine.run('cat', '/var/lib/private/aloha/secret'), key);
    assert.match(machine.run('cat', '/etc/aloha/aloha.conf'), /# mine/);
    machine.talk();
  });

  step('a reload keeps the process', () => {
    const { MainPID } = machine.state();
    machine.run('systemctl', 'reload', 'aloha');
    machine.talk();
    assert.equal(machine.state().MainPID, MainPID);
  });

  step('R73: the watchdog starts a loop anew that stands still', async () => {
    machine.run('sh', '-c', 'mkdir -p /etc/systemd/system/aloha.service.d; printf "[Service]\\nWatchdogSec=2\\n" >/etc/systemd/system/aloha.service.d/test.conf; systemctl daemon-reload; systemctl restart aloha');
    const MainPID = machine.hit('STOP');
    await machine.another(MainPID, 'the watchdog');
    machine.talk();
  });

  step('its socket starts it when somebody comes', async () => {
    machine.run('systemctl', 'stop', 'aloha');
    machine.run('systemctl', 'start', 'aloha.socket');
    assert.ok(!machine.isActive());
    machine.talk();
    assert.ok(machine.isActive());
    machine.run('systemctl', 'stop', 'aloha.socket');
  });

  step('remove ends it, purge leaves nothing', () => {
    machine.run('apt-get', '-y', 'remove', 'aloha');
    assert.ok(!machine.isActive());
    assert.ok(machine.has('/var/lib/private/aloha/secret') && machine.has('/etc/aloha/aloha.conf'));
    machine.run('apt-get', '-y', 'purge', 'aloha');
    machine.attempt('rm', '-rf', '/etc/systemd/system/aloha.service.d');
    assertNothingLeft(machine);
  });
});
