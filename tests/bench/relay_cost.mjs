// How many instructions a relayed Signal takes: of the core alone, and of the whole server in user space.
// valgrind counts a short and a long run; the difference over the difference in relays leaves out the start.
// Unlike times, the core's figures are the same on a busy machine, so they may judge. Started by
// scripts/test callgrind: relay_cost.mjs BUILD_DIRECTORY
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { UNLIMITED, startServer } from '../lib/server.mjs';
import { number, reportPlainly, table } from './table.mjs';

const run = promisify(execFile);
const CALLGRIND = ['--tool=callgrind', '--vgdb=no', '--callgrind-out-file=/dev/null'];
const SHORT = { relays: 1000, seconds: 1 };
const LONG = { relays: 3000, seconds: 3 };
const ROOMS = 20;

/**
 * What the core may take at most: a quarter more than it takes built by gcc 12 for x86-64 (2,880 and 11,800),
 * for other compilers and C libraries and for a member more in a table. Before strings were scanned by blocks
 * it was 5,520 and 31,900. Raise these when a relay has to do more; where a build has no SSE2 they do not hold.
 * @type {Record<number, number>}
 */
const CORE_MAX = { 200: 3600, 4096: 14_700 };

/** @param {string} text  what callgrind writes when the program ends */
function collected(text) {
  const match = /Collected : (\d+)/.exec(text);
  if (!match) throw new Error(`callgrind counted nothing:\n${text.slice(-2000)}`);
  return Number(match[1]);
}

/** @typedef {{ instructions: number, relays: number }} Count */

/** @param {string} build @param {number} size @param {typeof SHORT} length @returns {Promise<Count>} */
async function countCore(build, size, { relays }) {
  const program = path.join(build, 'tests/bench/relays_core');
  const { stderr } = await run('valgrind', [...CALLGRIND, program, String(relays), String(size)]);
  return { instructions: collected(stderr), relays };
}

/** @param {string} build @param {number} size @param {typeof SHORT} length @returns {Promise<Count>} */
async function countServer(build, size, { seconds }) {
  // Outside of the sandbox: valgrind makes code as it goes.
  const server = await startServer(UNLIMITED, {
    wrap: (file, args) => ['valgrind', [...CALLGRIND, file, ...args]], env: { ALOHA_SANDBOX: 'off' },
  });
  const { stdout } = await run(path.join(build, 'tests/bench/loadgen'), ['relay', '--dialect', 'aloha',
    '--port', String(server.port), '--payload', String(size), '--rooms', String(ROOMS), '--seconds', String(seconds)]);
  await server.stop();
  return { instructions: collected(server.stderr), relays: JSON.parse(stdout).relays_all };
}

/** @param {(length: typeof SHORT) => Promise<Count>} count */
async function costOfRelay(count) {
  const less = await count(SHORT);
  const more = await count(LONG);
  return (more.instructions - less.instructions) / (more.relays - less.relays);
}

reportPlainly();
const build = path.resolve(process.argv[2]);
process.env.ALOHA_BIN = path.join(build, 'aloha');
const judges = process.arch === 'x64';
const rows = [['Instructions of a relay', 'core', 'at most', 'server, with its libraries']];
for (const size of [200, 4096]) {
  const core = await costOfRelay((length) => countCore(build, size, length));
  const server = await costOfRelay((length) => countServer(build, size, length));
  rows.push([`${size} B`, number(core), judges ? number(CORE_MAX[size]) : '–', number(server)]);
  if (judges && core > CORE_MAX[size]) process.exitCode = 1;
}
console.log(table(rows));
if (process.exitCode) console.log('The core takes more than it may: see CORE_MAX in tests/bench/relay_cost.mjs.');
