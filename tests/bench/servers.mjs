// The servers under test: how each is started on a free port of 127.0.0.1, and how it is ended again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const repository = path.resolve(here, '../..');
const START_LIMIT_MS = 20_000;

/** What scripts/bench built beside aloha. */
export const benchTool = (name) => path.join(repository, 'build/bench', name);
const rival = (file) => [process.execPath, path.join(here, 'rivals', file)];

/** Limits that protect a public server and would be all that is measured here. */
const UNLIMITED = ['--rate-messages', '0', '--rate-bytes', '0', '--rate-connections', '0', '--rate-joins', '0',
  '--connections-per-address', '20000', '--room-peers-max', '50'];

/**
 * dialect: what loadgen speaks with it; port: where the port stands in what the server prints.
 * @type {Record<string, { title: string, dialect: string, command: string[], port: RegExp }>}
 */
export const servers = {
  aloha: {
    title: 'aloha',
    dialect: 'aloha',
    command: [path.resolve(process.env.ALOHA_BIN || path.join(repository, 'build/release/aloha')),
      '--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', ...UNLIMITED],
    port: /event=listening plane="public".* port=(\d+)/,
  },
  tcp: { title: 'TCP relay (ceiling)', dialect: 'tcp', command: [benchTool('tcprelay')], port: /^port=(\d+)/m },
  seed: {
    title: "seed's server",
    dialect: 'socketio',
    command: rival('seed/server.mjs'),
    port: /^port=(\d+)/m,
  },
  ws: { title: 'Node ws', dialect: 'aloha', command: rival('ws.mjs'), port: /^port=(\d+)/m },
  peerjs: { title: 'PeerServer', dialect: 'peerjs', command: rival('peerjs.mjs'), port: /^port=(\d+)/m },
  go: { title: 'Go, gorilla', dialect: 'aloha', command: [benchTool('gohub')], port: /^port=(\d+)/m },
};

/** The processors this process may use; the server gets the first and the generator the second. */
export function processors() {
  const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** A command line that runs on one processor only, or as it is when there is just one or taskset is missing. */
export function pinned(command, place) {
  const available = processors();
  return available.length > 1 ? ['taskset', '-c', String(available[place]), ...command] : command;
}

const running = new Set();
process.on('exit', () => {
  for (const stop of running) stop();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Waits until a file holds what is looked for; what the server says goes there, and costs nobody's time. */
function found(file, pattern, child, name) {
  return new Promise((resolve, reject) => {
    const watcher = watch(file);
    const settle = (act) => {
      clearTimeout(limit);
      watcher.close();
      act();
    };
    const look = () => {
      const match = pattern.exec(readFileSync(file, 'utf8'));
      if (match) settle(() => resolve(Number(match[1])));
    };
    const fail = (why) => settle(() => {
      const said = readFileSync(file, 'utf8').slice(-2000);
      reject(new Error(`${name} would not start: ${why}${said && `\n${said}`}`));
    });
    const limit = setTimeout(fail, START_LIMIT_MS, 'it named no port in time');
    watcher.on('change', look);
    child.once('exit', (code, signal) => fail(`it ended (${signal ?? `status ${code}`})`));
    child.once('error', (error) => fail(error.message));
    look();
  });
}

/**
 * Starts a server by its name in the table above.
 * @param {string} name
 * @param {{ pin?: boolean, connections?: number }} [how]  pin: on the first processor only; connections: how
 *   many there will be, where that is more than the server would take by itself
 */
export async function startServer(name, { pin = true, connections = 0 } = {}) {
  const { dialect, port: pattern } = servers[name];
  const raised = name === 'aloha' && connections ? ['--connections-max', String(connections)] : [];
  const command = [...servers[name].command, ...raised];
  const folder = mkdtempSync(path.join(tmpdir(), 'aloha-bench-'));
  const file = path.join(folder, 'log');
  const log = openSync(file, 'a');
  const [program, ...args] = pin ? pinned(command, 0) : command;
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('ALOHA_')));
  const child = spawn(program, args, { stdio: ['ignore', log, log], env: { ...env, ALOHA_CONFIG: '', NODE_ENV: 'production' } });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve).once('error', resolve);
  });
  const kill = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  running.add(kill);
  const stop = async () => {
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), 3000);
    await ended;
    clearTimeout(patience);
    kill();
    running.delete(kill);
  };
  try {
    const port = await found(file, pattern, child, name);
    return { name, dialect, port, pid: child.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
