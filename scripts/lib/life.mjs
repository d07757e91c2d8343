// A whole life of the server under valgrind: start, pages, calls, rude guests, SIGTERM in the middle
// of a call. It has to end by itself with status 0, with no error and no byte definitely lost.
// Started by scripts/test life, with ALOHA_BIN naming the binary.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { Participant, assertServes, roomOf } from '../../tests/lib/participant.mjs';
import { UNLIMITED, startServer } from '../../tests/lib/server.mjs';

const VALGRIND_FOUND_SOMETHING = 99;

/**
 * Outside of the sandbox: valgrind makes code as it goes, and reads the program for its reports.
 * @param {string} file @param {string[]} args @returns {[string, string[]]}
 */
function underValgrind(file, args) {
  return ['valgrind', [
    '--quiet', '--vgdb=no', '--leak-check=full', '--show-leak-kinds=definite,indirect', '--errors-for-leak-kinds=definite',
    '--num-callers=30', `--error-exitcode=${VALGRIND_FOUND_SOMETHING}`, file, ...args,
  ]];
}

/** @param {number} port @param {string} path @param {string} [method] @returns {Promise<{ status?: number, location?: string }>} */
function fetchPage(port, path, method = 'GET') {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method, agent: false, headers: { 'Accept-Encoding': 'br, gzip' } }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, location: response.headers.location }));
    }).on('error', reject).end();
  });
}

// Who just vanishes keeps a seat for a second, not half a minute.
const server = await startServer([...UNLIMITED, '--resume-seconds', '1'], { wrap: underValgrind, env: { ALOHA_SANDBOX: 'off' } });
try {
  const { status, location } = await fetchPage(server.port, '/');
  assert.equal(status, 302);
  assert.equal((await fetchPage(server.port, String(location))).status, 200);
  assert.equal((await fetchPage(server.port, '/nowhere')).status, 404);
  assert.equal((await fetchPage(server.port, '/', 'DELETE')).status, 405);
  assert.equal((await fetchPage(server.opsPort, '/metrics')).status, 200);

  // Calls: three meet, talk, leave in different ways; then whoever comes with nonsense.
  const [first, second, third] = await roomOf(server, 3);
  first.signal(third.peerId, { sdp: 'x'.repeat(4096) });
  await third.receive('Signal');
  second.destroy();
  await first.receive('UserLeft');
  third.send({ type: 'LeaveRoom' });
  await first.receive('UserLeft');
  await third.leave();

  const rude = await Participant.connect(server);
  rude.send('{"type":');
  rude.send({ type: 'JoinRoom', roomId: 5 });
  rude.send(Buffer.from([0, 1, 2]).toString('latin1').repeat(100_000));
  rude.destroy();
  await rude.closed();

  await assertServes(server);

  // The end comes while people are in a call.
  const surprised = await roomOf(server, 2);
  const end = await server.stop('SIGTERM');
  await Promise.all(surprised.map((one) => one.closed()));
  process.stdout.write(server.stderr);
  assert.deepEqual(end, { code: 0, signal: null }, 'the way it ended');
} catch (error) {
  process.stdout.write(server.stderr);
  throw error;
} finally {
  server.child.kill('SIGKILL');
}
