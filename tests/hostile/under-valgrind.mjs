// The cases once more, few and slow, on one server under valgrind: it sees reads of what was never written, which the
// sanitizers do not. Nobody looks at delays here. Started by scripts/test life, with ALOHA_BIN naming the binary.
import assert from 'node:assert/strict';
import { assertServes } from '../lib/participant.mjs';
import { startServer } from '../lib/server.mjs';
import { Attack } from './attack.mjs';
import { cases } from './cases.mjs';
import { assertLog } from './watch.mjs';

const VALGRIND_FOUND_SOMETHING = 99;
const SECONDS = 1.5;
const STRENGTH = 0.25; // of a crowd, and of what each of it throws

/**
 * Outside of the sandbox: valgrind makes code as it goes, and reads the program for its reports.
 * @param {string} file @param {string[]} args @returns {[string, string[]]}
 */
function underValgrind(file, args) {
  return ['valgrind', ['--quiet', '--vgdb=no', '--leak-check=full', '--show-leak-kinds=definite,indirect', '--errors-for-leak-kinds=definite',
    '--num-callers=30', `--error-exitcode=${VALGRIND_FOUND_SOMETHING}`, file, ...args]];
}

/** @param {string[]} options  what the server is started with: the cases that have none of their own, or those that have */
async function life(options) {
  const mine = cases.filter((theCase) => !theCase.long && (options.length > 0) === (theCase.options !== undefined));
  const server = await startServer(options, { wrap: underValgrind, env: { ALOHA_SANDBOX: 'off' } });
  try {
    for (const theCase of mine) {
      const attack = new Attack(server, { seconds: SECONDS, strength: STRENGTH });
      await theCase.run(attack);
      attack.release();
      await assertServes(server);
      console.log(`${theCase.name}: ${attack.messages} messages, ${attack.connections} connections`);
    }
    const end = await server.stop('SIGTERM');
    assert.deepEqual(end, { code: 0, signal: null }, server.stderr.slice(-20_000));
    assertLog(server.stderr);
  } finally {
    server.child.kill('SIGKILL');
  }
}

await life([]);
await life(['--rate-messages', '0', '--rate-bytes', '0', '--rate-connections', '0', '--rate-joins', '0', '--connections-per-address', '0', '--log-level', 'debug']);
