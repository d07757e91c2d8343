// The load generator is a judge, so it is tried itself: with a relay that does what it must not, and with a
// server that is strict about the client's side of WebSocket. Run by scripts/bench --short.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { benchTool, startServer } from './servers.mjs';

/** Runs loadgen; resolves with its exit status and its report. */
function loadgen(mode, dialect, port, ...args) {
  return new Promise((resolve) => {
    const all = [mode, '--dialect', dialect, '--port', String(port), '--seconds', '1', '--warmup-ms', '0', ...args];
    execFile(benchTool('loadgen'), all, (error, stdout) => {
      resolve({ status: error?.code ?? 0, report: stdout ? JSON.parse(stdout) : undefined });
    });
  });
}

/** Cuts a stream into messages with four bytes of length before each. @param {(message: Buffer) => void} take */
function messages(take) {
  let rest = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0);
      take(Buffer.from(rest.subarray(0, end)));
      rest = rest.subarray(end);
    }
  };
}

/**
 * A relay of pairs, as tcprelay.c is, that hands each message to meddle with its number, a way to send it on,
 * and a way to cut the sender off.
 * @param {(message: Buffer, count: number, send: (message: Buffer) => void, cut: () => void) => void} meddle
 */
async function relayThat(meddle, use) {
  let waiting;
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    if (!waiting) {
      waiting = socket;
      return;
    }
    const pair = [waiting, socket];
    waiting = undefined;
    pair.forEach((from, i) => {
      let count = 0;
      from.on('data', messages((message) => meddle(message, count++, (m) => pair[1 - i].write(m), () => from.destroy())));
      from.write(Buffer.alloc(4));
    });
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    return await use(server.address().port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const relay = (meddle, ...args) => relayThat(meddle, (port) => loadgen('relay', 'tcp', port, '--rooms', '1', ...args));
const NOTHING_WRONG = { refused: 0, errors: 0, corrupted: 0, lost: 0, duplicated: 0, reordered: 0 };
const faultsOf = (report) => Object.fromEntries(Object.keys(NOTHING_WRONG).map((name) => [name, report[name]]));

describe('the load generator', { concurrency: true }, () => {
  test('an honest relay is found honest', async () => {
    const { status, report } = await relay((message, _count, send) => send(message), '--outstanding', '4');
    assert.deepEqual(faultsOf(report), NOTHING_WRONG);
    assert.equal(status, 0);
    assert.ok(report.relays > 100);
  });

  test('a message that never arrives is lost', async () => {
    const { status, report } = await relay((message, count, send) => count === 10 || send(message), '--outstanding', '4');
    assert.equal(report.lost, 2, 'one in each direction');
    assert.equal(status, 1);
  });

  test('a message that arrives twice is a duplicate', async () => {
    const { status, report } = await relay((message, count, send) => {
      send(message);
      if (count === 10) send(message);
    }, '--outstanding', '4');
    assert.equal(report.duplicated, 2);
    assert.equal(status, 1);
  });

  test('a message that overtakes another is noticed, and nothing counts as lost', async () => {
    const held = [];
    const { status, report } = await relay((message, count, send) => {
      if (count % 50 === 10) {
        held.push({ message, send });
        return;
      }
      send(message);
      if (count % 50 === 11) for (const late of held.splice(0)) late.send(late.message);
    }, '--outstanding', '4');
    assert.ok(report.reordered >= 2);
    assert.equal(report.lost, 0);
    assert.equal(status, 1);
  });

  test('a changed byte is noticed', async () => {
    const { status, report } = await relay((message, count, send) => {
      if (count === 10) message[message.length - 5] ^= 1;
      send(message);
    });
    assert.equal(report.corrupted, 2);
    assert.equal(status, 1);
  });

  test('a connection that is cut is noticed', async () => {
    const { status, report } = await relay((message, count, send, cut) => (count === 10 ? cut() : send(message)));
    assert.ok(report.refused > 0);
    assert.equal(status, 1);
  });

  test('what is slow is reported as slow', async () => {
    const delayMs = 20;
    const { report } = await relayThat((message, _count, send) => setTimeout(send, delayMs, message),
      (port) => loadgen('paced', 'tcp', port, '--rooms', '10', '--rate', '200'));
    assert.ok(report.p50_us >= 2 * delayMs * 1000 * 0.95, `two relays took ${report.p50_us} µs`);
    assert.ok(report.relays > 0 && report.relays <= 220);
  });

  test('every mode and frame size agrees with an independent WebSocket server', async () => {
    const server = await startServer('ws', { pin: false });
    try {
      for (const payload of ['64', '200', '4096', '60000']) {
        const { report } = await loadgen('relay', 'aloha', server.port, '--rooms', '3', '--payload', payload);
        assert.deepEqual(faultsOf(report), NOTHING_WRONG, `${payload} B`);
        assert.ok(report.relays > 0);
      }
      for (const [mode, thing, ...args] of [['churn', 'cycles', '--rooms', '4'], ['fanout', 'deliveries', '--rooms', '2', '--room-size', '10'],
        ['idle', 'connections', '--rooms', '64', '--settle-ms', '0'], ['paced', 'relays', '--rate', '500']]) {
        const { status, report } = await loadgen(mode, 'aloha', server.port, ...args);
        assert.deepEqual(faultsOf(report), NOTHING_WRONG, mode);
        assert.ok(report[thing] > 0, mode);
        assert.equal(status, 0);
      }
    } finally {
      await server.stop();
    }
  });

  test('a bad command line is refused', async () => {
    assert.equal((await loadgen('relay', 'carrier-pigeon', 1)).status, 2);
    assert.equal((await loadgen('relay', 'tcp', 0)).status, 2);
    assert.equal((await loadgen('fanout', 'tcp', 1)).status, 2);
    assert.equal((await loadgen('dance', 'tcp', 1)).status, 2);
  });
});
