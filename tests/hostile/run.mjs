// Runs one case: a server of its own, the canaries calm, the canaries under attack, and what is left when it is over.
import assert from 'node:assert/strict';
import { Participant, assertServes } from '../lib/participant.mjs';
import { startServer } from '../lib/server.mjs';
import { pause, within } from '../lib/wait.mjs';
import { Attack } from './attack.mjs';
import { assertLog, descriptorsBackTo, percentile, watchMemory } from './watch.mjs';

const CALM_MS = 800;
const DELAY_ADDED_MAX_MS = 100; // R22, R24: what the others may notice, at the 99th percentile
const GROWTH_MAX_KIB = 64 * 1024; // R68
const DESCRIPTORS_MAX = 24; // R68
const NEWCOMER_MS = 5000; // R67

/** @param {import('./cases.mjs').Case} theCase */
const limited = ({ descriptors }) => (descriptors ? { wrap: (/** @type {string} */ file, /** @type {string[]} */ args) => /** @type {[string, string[]]} */ (['/bin/sh', ['-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, file, ...args]]) } : undefined);

/**
 * @typedef {object} Measured
 * @property {number} messages @property {number} connections @property {string} note
 * @property {{ times: { signals: number[], control: number[] } }} calm
 * @property {{ times: { signals: number[], control: number[] } }} attacked
 * @property {[number, number, number]} rss  KiB: before, at most, after
 * @property {[number, number]} descriptors
 */

/** Milliseconds that the server adds to the 99th percentile. @param {Measured} measured */
export const delayAdded = ({ attacked: { times } }) => percentile(times.signals, 99) - percentile(times.control, 99);

/**
 * Runs it once and asserts all but the delay, which a busy machine may spoil: see delayAdded().
 * @param {import('./cases.mjs').Case} theCase @param {import('./watch.mjs').Canaries} canaries
 * @returns {Promise<Measured>}
 */
export async function runCase(theCase, canaries) {
  const server = await startServer(theCase.options ?? [], limited(theCase));
  try {
    await canaries.start(server);
    await canaries.begin();
    await pause(CALM_MS);
    const calm = await canaries.report();
    const [rss, descriptors] = [await server.rss(), await server.descriptors()];

    await canaries.begin();
    const memory = watchMemory(server);
    const attack = new Attack(server, { seconds: theCase.seconds ?? 3, strength: 1 });
    await theCase.run(attack);
    attack.release();
    const released = Date.now();
    const newcomer = await within(Participant.join(server, 'newcomer'), 'a new client after the attack', NEWCOMER_MS);
    const newcomerMs = Date.now() - released;
    await newcomer.leave();
    const peak = await memory.stop();
    const attacked = await canaries.report();
    const descriptorsAfter = await descriptorsBackTo(server, descriptors + DESCRIPTORS_MAX, theCase.settleMs ?? 20_000);
    const rssAfter = await server.rss();
    const { faults } = await canaries.stop();

    assert.deepEqual(faults, [], 'the canaries lose, double and reorder nothing, and stay');
    assert.ok(attacked.times.signals.length > 0);
    assert.ok(attack.messages + attack.connections > 50, 'the attack took place');
    assert.ok(descriptorsAfter <= descriptors + DESCRIPTORS_MAX, `${descriptors} descriptors before, ${descriptorsAfter} after`);
    assert.ok(rssAfter - rss < GROWTH_MAX_KIB, `${rss} KiB before, ${rssAfter} after`);
    assert.ok(newcomerMs < NEWCOMER_MS);
    await assertServes(server);
    await server.endsCleanly();
    assertLog(server.stderr);
    return { messages: attack.messages, connections: attack.connections, note: attack.note, calm, attacked, rss: [rss, peak, rssAfter], descriptors: [descriptors, descriptorsAfter] };
  } finally {
    if (!server.ended) server.child.kill('SIGKILL');
  }
}

export const DELAY_MAX_MS = DELAY_ADDED_MAX_MS;

const ms = (/** @type {number} */ value) => value.toFixed(1);
const mib = (/** @type {number} */ kib) => (kib / 1024).toFixed(0);

export const TABLE_HEAD = ['| case | messages | connections | calm p50/p99 ms | attacked p50/p99 ms | control p99 ms | RSS before/peak/after MiB | descriptors | |', '| --- | --: | --: | --: | --: | --: | --: | --: | --- |'];

/** @param {string} name @param {Measured} m */
export function tableRow(name, m) {
  const both = (/** @type {number[]} */ times) => `${ms(percentile(times, 50))}/${ms(percentile(times, 99))}`;
  return `| ${name} | ${m.messages} | ${m.connections} | ${both(m.calm.times.signals)} | ${both(m.attacked.times.signals)} | ${ms(percentile(m.attacked.times.control, 99))} | ${m.rss.map(mib).join('/')} | ${m.descriptors.join('/')} | ${m.note} |`;
}
