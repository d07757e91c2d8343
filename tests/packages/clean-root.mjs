// Clean Debian systems to install into, made by debootstrap from the mirror that apt here uses.
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { attempt, cache, isInstalled, run } from './commands.mjs';

const WEEK_MS = 7 * 24 * 3600 * 1000;

/** What the processes in a root get of our environment: nothing. */
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8', HOME: '/root' };

const codename = () => /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';

/** The mirror of this system's main archive. */
function mirror() {
  const { stdout } = attempt(['apt-get', 'indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Identifier: Packages']);
  const row = stdout.split('\n').find((line) => line.startsWith(`${codename()} `));
  return row?.split(' ')[1];
}

/** @param {string} base @param {string[]} packages @param {string} uri @returns {string} what went wrong, or nothing */
function bootstrap(base, packages, uri) {
  const fresh = `${base}.new`;
  const debs = path.join(cache, 'debs');
  mkdirSync(debs, { recursive: true });
  rmSync(fresh, { recursive: true, force: true });
  const made = attempt(['debootstrap', '--variant=minbase', `--cache-dir=${debs}`, `--include=${packages.join(',')}`, codename(), fresh, uri],
    { timeout: 400_000, env: { ...env, http_proxy: process.env.http_proxy ?? '' } });
  if (made.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    return `debootstrap from ${uri}: ${(made.stdout + made.stderr).trim().split('\n').at(-1)}`;
  }
  writeFileSync(path.join(fresh, 'etc/dpkg/dpkg.cfg.d/unsafe-io'), 'force-unsafe-io\n');
  writeFileSync(path.join(fresh, 'etc/apt/apt.conf.d/90test'), 'APT::Install-Recommends "false";\nAcquire::Retries "3";\n');
  const updated = attempt(['chroot', fresh, 'sh', '-c', 'apt-get clean && apt-get update'], { env });
  rmSync(base, { recursive: true, force: true });
  renameSync(fresh, base);
  return updated.status === 0 ? '' : `apt-get update: ${updated.stderr}`;
}

/** Why there can be no clean root here; nothing when there can. */
function obstacle() {
  if (process.getuid?.() !== 0) return 'installing into a clean root needs root';
  for (const tool of ['debootstrap', 'apt-get', 'unshare']) if (!isInstalled(tool)) return `no ${tool} here`;
  return mirror() ? '' : 'apt names no mirror for this release';
}

/**
 * The base system that has some packages; made once a week.
 * @param {string} name @param {string[]} packages
 * @returns {{ base?: string, reason?: string }}
 */
export function baseSystem(name, packages) {
  const reason = obstacle();
  if (reason) return { reason };
  const base = path.join(cache, `${codename()}-${name}`);
  const age = existsSync(base) ? Date.now() - statSync(path.join(base, 'etc/apt/apt.conf.d/90test')).mtimeMs : Infinity;
  if (age < WEEK_MS) return { base };
  const fault = bootstrap(base, packages, /** @type {string} */ (mirror()));
  return fault && !existsSync(base) ? { reason: `the mirror is out of reach: ${fault}` } : { base };
}

/** A copy of a base system, to be spoilt. */
export class CleanRoot {
  /** @param {string} base */
  constructor(base) {
    this.path = `${base}.${process.pid}`;
    this.archives = path.join(cache, 'archives');
    mkdirSync(this.archives, { recursive: true });
    run(['cp', '--archive', '--reflink=auto', base, this.path]);
    run(['bash', '-c', `find '${this.archives}' -name '*.deb' -exec cp -t '${this.path}/var/cache/apt/archives' {} +`]);
  }

  /** Lays a file into the root. @param {string} file @param {string} name  absolute in the root */
  put(file, name) {
    run(['cp', file, path.join(this.path, name)]);
  }

  /** @param {string} name */
  read(name) {
    return readFileSync(path.join(this.path, name), 'utf8');
  }

  /** @param {string} name */
  has(name) {
    return attempt(['test', '-e', path.join(this.path, name), '-o', '-L', path.join(this.path, name)]).status === 0;
  }

  /** How a command is run inside. @param {string[]} command @returns {string[]} */
  inside(command) {
    return ['chroot', this.path, ...command];
  }

  /** @param {string[]} command */
  run(...command) {
    return run(this.inside(command), { env });
  }

  /** @param {string[]} command */
  attempt(...command) {
    return attempt(this.inside(command), { env });
  }

  /** apt-get, which may have to learn of newer versions first. @param {string[]} words */
  apt(...words) {
    const command = ['apt-get', '--yes', '--quiet', '--allow-downgrades', ...words];
    if (this.attempt(...command).status !== 0) {
      this.run('apt-get', 'update');
      this.run(...command);
    }
    run(['bash', '-c', `find '${this.path}/var/cache/apt/archives' -name '*.deb' -exec cp --update -t '${this.archives}' {} +`]);
  }

  /** Every path but those where apt, dpkg and their like keep books. */
  everything() {
    const books = /^\/(proc|sys|run|dev|tmp|root|var\/(cache|log|lib\/(apt|dpkg|systemd|pam|ucf))|etc\/ld\.so\.cache$)(\/|$)/;
    return run(['find', '.', '-xdev', '-mindepth', '1'], { cwd: this.path }).trim().split('\n').map((name) => name.slice(1))
      .filter((name) => !books.test(name)).sort();
  }

  remove() {
    run(['rm', '-rf', '--one-file-system', this.path]);
  }
}
