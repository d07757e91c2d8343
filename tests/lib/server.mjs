// Starts the real binary on free ports, reads them from its log, and ends it again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { everythingIsSecure, notePort } from './ports.mjs';
import { serverBecomes } from './user.mjs';
import { Changes, within } from './wait.mjs';

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** The binary under test: $ALOHA_BIN, else the one of build/debug and build/release that was built last. */
export function binaryPath() {
  if (process.env.ALOHA_BIN) {
    assert.ok(existsSync(process.env.ALOHA_BIN), `ALOHA_BIN does not exist: ${process.env.ALOHA_BIN}`);
    return path.resolve(process.env.ALOHA_BIN);
  }
  const built = ['build/debug/aloha', 'build/release/aloha']
    .map((name) => path.join(repository, name))
    .filter((name) => existsSync(name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  assert.ok(built.length > 0, 'no binary to test: build one (cmake --build --preset debug) or set ALOHA_BIN');
  return built[0];
}

/** Options that take the limits per address away, for tests that are about something else. */
export const UNLIMITED = ['--rate-messages', '0', '--rate-bytes', '0', '--rate-connections', '0', '--rate-joins', '0',
  '--connections-per-address', '5000'];

/** What a sanitizer writes when it has found something. */
const SANITIZER_REPORT = /(?:ERROR|WARNING): (?:Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|runtime error:|SUMMARY: \w*Sanitizer/;

/** Every process that was started and has not ended: none of them outlives the test run. */
const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => process.exit(1));
}

/** Where the servers of this test run keep their state: never in the home directory. Made when first needed. */
let stateRoot = '';
function freshStateDir() {
  if (!stateRoot) {
    stateRoot = mkdtempSync(path.join(tmpdir(), 'aloha-state-'));
    chmodSync(stateRoot, 0o711); // a server that was started as root becomes somebody else
    process.on('exit', () => rmSync(stateRoot, { recursive: true, force: true }));
  }
  const place = mkdtempSync(path.join(stateRoot, 'server-'));
  chmodSync(place, 0o711);
  return path.join(place, 'state'); // the server makes it, for whom it becomes
}

/**
 * The environment without what would configure the server from outside. What the tests want of every server stands here
 * and not among its arguments, so that an argument of a test has the last word.
 */
export function cleanEnvironment(extra = {}) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ALOHA_') && !['STATE_DIRECTORY', 'CREDENTIALS_DIRECTORY'].includes(name)));
  return {
    ...env,
    ALOHA_DRAIN_GRACE: '0', // an end is quick
    ALOHA_METRICS_OPEN: 'yes', // most servers of the tests have no operator's token
    ALOHA_CONFIG: '', // not the file that this machine may have
    ALOHA_USER: serverBecomes,
    ALOHA_SANDBOX: 'kill', // a system call that the sandbox does not know of is a failure, not an error that is lived with
    ...(everythingIsSecure ? { ALOHA_TLS: 'self-signed' } : {}),
    ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99:check_initialization_order=1:detect_stack_use_after_return=1:quarantine_size_mb=8',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=0',
    ...extra,
  };
}

/**
 * One line of the log as an object, or undefined if it is none.
 * @param {string} line
 * @returns {Record<string, string> | undefined}
 */
export function parseLogLine(line) {
  if (line.startsWith('{"ts":')) return Object.fromEntries(Object.entries(JSON.parse(line)).map(([name, value]) => [name, String(value)]));
  if (!/^ts=\S+ level=\w+ event=\w+( |$)/.test(line)) return undefined;
  /** @type {Record<string, string>} */
  const fields = {};
  for (const [, name, value] of line.matchAll(/([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)/g)) {
    fields[name] = value.startsWith('"') ? value.slice(1, -1).replace(/\\(["\\])/g, '$1') : value;
  }
  return fields;
}

/** A process of the binary, running or ended. */
export class Server {
  /**
   * @param {string[]} args
   * @param {{ env?: Record<string, string>, stateDir?: string, wrap?: (file: string, args: string[]) => [string, string[]], given?: number[] }} [how]
   *   stateDir: by default one of its own; given: descriptors that it has from 3 on
   */
  constructor(args, { env = {}, stateDir = freshStateDir(), wrap, given = [] } = {}) {
    const [file, list] = wrap ? wrap(binaryPath(), args) : [binaryPath(), args];
    this.changes = new Changes();
    this.args = args;
    this.stateDir = stateDir;
    this.stdout = '';
    this.stderr = '';
    /** @type {Record<string, string>[]} */
    this.log = [];
    /** @type {{ code: number | null, signal: string | null } | undefined} */
    this.ended = undefined;
    this.child = spawn(file, list, { env: cleanEnvironment({ ALOHA_STATE_DIR: stateDir, ...env }), stdio: ['ignore', 'pipe', 'pipe', ...given], cwd: '/' });
    alive.add(this.child);
    let rest = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
      this.changes.changed();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const fields = parseLogLine(line);
        if (fields) this.log.push(fields);
      }
      this.changes.changed();
    });
    this.child.on('error', (error) => {
      this.stderr += `\n${error}\n`;
      this.ended ??= { code: null, signal: 'not started' };
      this.changes.changed();
    });
    this.child.on('close', (code, signal) => {
      alive.delete(this.child);
      this.ended = { code, signal };
      this.changes.changed();
    });
  }

  get pid() {
    return /** @type {number} */ (this.child.pid);
  }

  /** Waits for an event in the log. @param {string} event @param {Record<string, string>} [fields] */
  logged(event, fields = {}) {
    return this.changes.until(() => {
      const line = this.log.find((l) => l.event === event && Object.entries(fields).every(([k, v]) => l[k] === v));
      if (!line && this.ended) throw new Error(`the server ended (${JSON.stringify(this.ended)}) before event=${event}:\n${this.stderr}`);
      return line;
    }, () => `event=${event} in the log:\n${this.stderr}`);
  }

  async ready() {
    const publicPlane = await this.logged('listening', { plane: 'public' });
    const operatorPlane = await this.logged('listening', { plane: 'operator' });
    await this.logged('ready');
    this.opsPort = Number(operatorPlane.port);
    assert.ok(this.opsPort > 0, 'the log names the operator\'s port');
    if (publicPlane.address.startsWith('unix:')) {
      /** A number, or the path of a socket file: what Connection() takes. @type {any} */
      this.port = publicPlane.address.slice('unix:'.length);
      this.host = 'localhost';
      this.socketUrl = `ws+unix://${this.port}:/ws`;
      return this;
    }
    this.port = Number(publicPlane.port);
    this.host = `127.0.0.1:${this.port}`;
    this.secure = publicPlane.scheme === 'https';
    this.url = `http${this.secure ? 's' : ''}://${this.host}`;
    this.socketUrl = `ws${this.secure ? 's' : ''}://${this.host}/ws`;
    notePort(this.port, this.secure);
    const redirect = this.log.find((line) => line.event === 'listening' && line.plane === 'redirect');
    this.redirectPort = redirect ? Number(redirect.port) : undefined;
    assert.ok(this.port > 0, 'the log names the port');
    return this;
  }

  exited() {
    return this.changes.until(() => this.ended, () => `the end of the server; its log so far:\n${this.stderr}`);
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGTERM') {
    if (!this.ended) this.child.kill(signal);
    return this.exited();
  }

  /** Whatever a sanitizer had to say. */
  get sanitizerReport() {
    return SANITIZER_REPORT.test(this.stderr) ? this.stderr.slice(this.stderr.search(SANITIZER_REPORT), undefined).slice(0, 8000) : '';
  }

  /** Ends the server as an operator would and demands that it was a clean life: status 0, nothing leaked. */
  async endsCleanly() {
    assert.equal(this.ended, undefined, `the server was gone before its end: ${JSON.stringify(this.ended)}\n${this.stderr.slice(-8000)}`);
    const end = await this.stop();
    assert.equal(this.sanitizerReport, '', 'a sanitizer found something');
    assert.deepEqual(end, { code: 0, signal: null }, `status after SIGTERM; log:\n${this.stderr.slice(-4000)}`);
  }

  /** Resident memory in KiB. */
  async rss() {
    const { readFile } = await import('node:fs/promises');
    return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${this.pid}/status`, 'utf8'))?.[1]);
  }

  /** How many file descriptors are open. */
  async descriptors() {
    const { readdir } = await import('node:fs/promises');
    return (await readdir(`/proc/${this.pid}/fd`)).length;
  }
}

/**
 * A server on free ports of the loopback address, ready to serve.
 * @param {string[]} [args]
 * @param {ConstructorParameters<typeof Server>[1]} [how]
 */
export async function startServer(args = UNLIMITED, how) {
  const server = new Server(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', ...args], how);
  try {
    return await server.ready();
  } catch (error) {
    server.child.kill('SIGKILL');
    throw error;
  }
}

/** A fresh path for a socket file: short enough for one, and gone after the run. */
export function freshSocketPath() {
  const place = path.dirname(freshStateDir());
  chmodSync(place, 0o777); // whoever the server becomes may remove it
  return path.join(place, 'http.sock');
}

/** The same, on a socket file. @param {string[]} [args] @param {ConstructorParameters<typeof Server>[1]} [how] */
export function startServerOnPath(args = UNLIMITED, how) {
  return startServer(['--bind', `unix:${freshSocketPath()}`, ...args], how);
}

/**
 * A server in the place of one that has ended: on its port, with its state directory.
 * @param {Server} before
 * @param {string[]} [args]
 * @param {ConstructorParameters<typeof Server>[1]} [how]
 */
export async function startAgain(before, args = UNLIMITED, how) {
  const server = new Server(['--bind', '127.0.0.1', '--port', String(before.port), '--ops-port', '0', ...args], { stateDir: before.stateDir, ...how });
  try {
    return await server.ready();
  } catch (error) {
    server.child.kill('SIGKILL');
    throw error;
  }
}

/**
 * Runs the binary to its end: for --help, bad options and the like.
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
export async function runToEnd(args, env) {
  const server = new Server(args, { env });
  try {
    const end = await server.exited();
    return { ...end, stdout: server.stdout, stderr: server.stderr };
  } finally {
    server.child.kill('SIGKILL');
  }
}

/**
 * One server for the tests of a suite: started before the first, ended after the last.
 * Call it first in a describe(); the suite's last test is then endsCleanlyTest().
 * @param {{ before: Function, after: Function }} hooks  from node:test
 * @param {string[]} [args]
 * @param {ConstructorParameters<typeof Server>[1]} [how]
 */
export function serverOfSuite({ before, after }, args, how) {
  /** @type {{ current: Server }} */
  const holder = /** @type {any} */ ({ current: undefined });
  before(async () => {
    holder.current = await startServer(args, how);
  });
  after(async () => {
    if (holder.current && !holder.current.ended) {
      holder.current.child.kill('SIGKILL');
      await within(holder.current.exited(), 'the end of a killed server');
    }
  });
  return holder;
}
