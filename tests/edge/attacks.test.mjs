// What somebody who attacked the server found, so that nobody finds it again.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Connection, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, startServer } from '../lib/server.mjs';
import { CONTINUATION, RawWebSocket, TEXT, frameBytes } from '../lib/websocket.mjs';

/** @param {string[]} options @param {(server: any) => Promise<void>} run */
async function withServer(options, run) {
  const server = await startServer(options);
  try {
    await run(server);
  } finally {
    await server.endsCleanly();
  }
}

/** What the process has used of the processor, in clock ticks of 10 ms. @param {number} pid */
async function processorTicks(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** @param {any} server @param {string} name */
async function metric(server, name) {
  const text = await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

describe('attacks', () => {
  it('R24: connections that are kept alive and idle cost no processor', async () => {
    await withServer(UNLIMITED, async (server) => {
      const idle = [];
      for (const target of ['/', '/room/tea', '/nothing']) {
        const connection = await new Connection(server.port).open();
        connection.write(request(target));
        await connection.response();
        idle.push(connection);
      }
      const before = await processorTicks(server.pid);
      await new Promise((resolve) => setTimeout(resolve, 2000)); // the time is what is measured: 200 ticks would be all of it
      const used = (await processorTicks(server.pid)) - before;
      assert.ok(used < 40, `${used} of 200 ticks`);
      for (const connection of idle) connection.destroy();
    });
  });

  it('F8: a header whose name only begins a known one hides nothing of what follows it', async () => {
    await withServer(UNLIMITED, async (server) => {
      const second = 'GET /room/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
      for (const name of ['a', 'X', 'ho', 'sec', 'g', 'u']) {
        for (const hidden of [`Content-Length: ${second.length}`, 'Host: evil.example', 'Origin: http://evil.example']) {
          const connection = await new Connection(server.port).open();
          connection.write(`GET / HTTP/1.1\r\nHost: x\r\n${name}: y\r\n${hidden}\r\n\r\n${second}`);
          const text = (await connection.closed()).toString('latin1');
          assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 400'], `${name}, ${hidden}`);
        }
      }
    });
  });

  it('R4: who resets the connection in the middle of a head is gone at once, not after the time that a head has', async () => {
    await withServer(UNLIMITED, async (server) => {
      server.child.kill('SIGSTOP'); // so that the head and the reset are there at the same time
      const broken = [];
      for (let i = 0; i < 20; i++) {
        const connection = await new Connection(server.port).open();
        await new Promise((resolve) => connection.socket.write('GET / HTTP/1.1\r\nHos', resolve));
        connection.socket.resetAndDestroy();
        broken.push(connection.closed());
      }
      await Promise.all(broken);
      server.child.kill('SIGCONT');
      await assertServes(server);
      await assertServes(server); // behind them all
      const deadline = Date.now() + 5000; // for the last two to be gone; it were ten seconds
      while ((await metric(server, 'aloha_connections')) > 0) {
        assert.ok(Date.now() < deadline, 'they are still there');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  });

  it('R18: empty fragments without end are not a conversation', async () => {
    await withServer(UNLIMITED, async (server) => {
      const raw = await RawWebSocket.open(server);
      raw.send({ type: 'JoinRoom', roomId: freshRoom() });
      await raw.message();
      raw.connection.write(frameBytes({ opcode: TEXT, payload: '', fin: false }));
      raw.connection.write(Buffer.concat(Array.from({ length: 5000 }, () => frameBytes({ opcode: CONTINUATION, payload: '', fin: false }))));
      assert.ok([1008, 1006].includes(await raw.closed()));
      raw.destroy();
      await assertServes(server);
    });
  });

  it('R26: the socket of a slow reader is gone soon after it was closed, and what waited with it', async () => {
    await withServer([...UNLIMITED, '--queue-max', '128'], async (server) => {
      const roomId = freshRoom();
      const sender = await Participant.join(server, roomId);
      const deaf = await RawWebSocket.open(server);
      deaf.send({ type: 'JoinRoom', roomId });
      const { peerId } = await deaf.message();
      await sender.receive('UserJoined');
      deaf.connection.socket.pause();
      for (let sent = 0; sent < 20_000 && !sender.queue.some(({ object }) => object.type === 'UserLeft'); sent++) {
        sender.signal(peerId, 'x'.repeat(12_000));
        if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const deadline = Date.now() + 20_000; // it stayed for 45 s
      while ((await metric(server, 'aloha_connections')) > 1 || (await metric(server, 'aloha_queue_bytes')) > 0) {
        assert.ok(Date.now() < deadline, 'it is still there');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      deaf.destroy();
      await sender.leave();
    });
  });
});
