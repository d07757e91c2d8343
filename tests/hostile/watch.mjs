// Those who look on while a case attacks: the canaries, and who reads the server's memory, descriptors and log.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause, within } from '../lib/wait.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** The nearest-rank percentile of milliseconds. @param {number[]} times @param {number} percent */
export function percentile(times, percent) {
  if (times.length === 0) return NaN;
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

/** The canaries' process and that of their control. */
export class Canaries {
  #answers = new Map();
  #next = 0;

  async fork() {
    this.echo = fork(path.join(here, 'echo.mjs'));
    this.child = fork(path.join(here, 'canary.mjs'));
    this.child.on('message', (/** @type {any} */ { id, result, error }) => {
      const { resolve, reject } = this.#answers.get(id);
      this.#answers.delete(id);
      if (error) reject(new Error(error));
      else resolve(result);
    });
    this.controlPort = await within(new Promise((resolve) => this.echo?.once('message', resolve)), 'the control');
    return this;
  }

  /** @param {string} order @param {object} [parameters] @returns {Promise<any>} */
  #order(order, parameters) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
    this.child?.send({ id, order, with: parameters });
    return within(answer, `the canaries' answer to ${order}`, 60_000);
  }

  /** @param {{ host?: string }} server */
  start(server) {
    return this.#order('start', { host: server.host, from: '127.0.0.9', controlPort: this.controlPort });
  }

  begin() {
    return this.#order('begin');
  }

  /** @returns {Promise<{ times: { signals: number[], control: number[] }, faults: string[] }>} */
  report() {
    return this.#order('report');
  }

  /** Stops sending, waits for the last answer, leaves. @returns {Promise<{ faults: string[] }>} */
  stop() {
    return this.#order('stop');
  }

  end() {
    this.child?.disconnect();
    this.echo?.disconnect();
  }
}

/** What a process has used of the processor, in seconds. @param {number} pid */
export async function cpuSeconds(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Reads the resident memory ten times a second. @param {{ rss(): Promise<number> }} server */
export function watchMemory(server) {
  let peak = 0;
  const look = () => server.rss().then((kib) => (peak = Math.max(peak, kib)), () => {});
  const timer = setInterval(look, 100);
  return {
    async stop() {
      clearInterval(timer);
      await look();
      return peak;
    },
  };
}

/** @param {{ descriptors(): Promise<number> }} server @param {number} most @param {number} ms */
export async function descriptorsBackTo(server, most, ms) {
  const deadline = Date.now() + ms;
  let now = await server.descriptors();
  while (now > most && Date.now() < deadline) {
    await pause(50);
    now = await server.descriptors();
  }
  return now;
}

const LOG_LINE = /^ts=[-0-9T:.Z]+ level=(error|warning|info|debug) event=[a-z_]+( [a-z_]+=("([ !#-\[\]-~]|\\["\\]|\\x[0-9a-f]{2})*"|\d+))*$/;

/** R69: whatever was thrown at it, a line is a line, printable, short, and there are not too many. @param {string} log */
export function assertLog(log) {
  const lines = log.split('\n');
  assert.equal(lines.pop(), '', 'the last line of the log is whole');
  const second = new Map();
  for (const line of lines) {
    assert.ok(line.length < 1024, `${line.length} bytes: ${line.slice(0, 200)}`);
    assert.match(line, LOG_LINE);
    const at = line.slice(3, 22);
    second.set(at, (second.get(at) ?? 0) + 1);
  }
  for (const [at, count] of second) assert.ok(count <= 101, `${count} log lines in the second ${at}`);
  return lines.length;
}
