// Deadlines: everything here waits for the server to lose its patience. The tests of a suite run at the same time, so
// that the file takes as long as its longest deadline. How long something took is only compared with what no busy
// machine explains away: too early, or never.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite, startServer } from '../lib/server.mjs';
import { CLOSE, PING, PONG, RawWebSocket, frameBytes, openingRequest } from '../lib/websocket.mjs';

const NEVER_MS = 60_000;

/** Sends one byte a second until the connection ends. @param {Connection} connection @param {() => string} next */
function drip(connection, next) {
  const timer = setInterval(() => {
    if (connection.ended) clearInterval(timer);
    else connection.write(next());
  }, 1000);
  return () => clearInterval(timer);
}

/** @param {() => Promise<void>} work */
async function seconds(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

describe('the server loses its patience', () => {
  const server = serverOfSuite({ before, after });

  it('in time, in every case', async (t) => {
    // As subtests of one test they all run at once, on Node 18 and 20 alike.
    const { port } = server.current;

    /** @type {[string, () => Promise<void>][]} */
    const cases = [
      ['R4: who says nothing at all is gone', async () => {
        const connection = await new Connection(port).open();
        await connection.closed(NEVER_MS);
        connection.destroy();
      }],
      ['R4: half a request line is gone', async () => {
        const connection = await new Connection(port).open();
        connection.write('GET /room/te');
        await connection.closed(NEVER_MS);
        connection.destroy();
      }],
      ['R4: a head that drips is gone after an absolute time, however lively it drips', async () => {
        const connection = await new Connection(port).open();
        connection.write('GET /room/tea HTTP/1.1\r\nHost: localhost\r\n');
        const stop = drip(connection, () => 'X-A: b\r\n');
        const took = await seconds(() => connection.closed(NEVER_MS).then(() => {}));
        stop();
        connection.destroy();
        assert.ok(took >= 3, `a slow but honest client has some seconds: ${took} s`);
      }],
      ['R4: a request line that drips is gone', async () => {
        const connection = await new Connection(port).open();
        connection.write('GET /');
        const stop = drip(connection, () => 'a');
        await connection.closed(NEVER_MS);
        stop();
        connection.destroy();
      }],
      ['R4: an idle connection is gone after its answer', async () => {
        const connection = await new Connection(port).open();
        connection.write(request('/room/tea'));
        assert.equal((await connection.response()).status, 200);
        await connection.closed(NEVER_MS);
        connection.destroy();
      }],
      ['R4: the second request of a connection may not drip either', async () => {
        const connection = await new Connection(port).open();
        connection.write(request('/room/tea'));
        assert.equal((await connection.response()).status, 200);
        connection.write('GET /room/tea HTTP/1.1\r\n');
        const stop = drip(connection, () => 'X-A: b\r\n');
        await connection.closed(NEVER_MS);
        stop();
        connection.destroy();
      }],
      ['R4: half an opening handshake is gone', async () => {
        const connection = await new Connection(port).open();
        connection.write(openingRequest({ host: `127.0.0.1:${port}` }).slice(0, -2));
        await connection.closed(NEVER_MS);
        connection.destroy();
      }],
      ['R4: who never reads a large answer is gone', async () => {
        const connection = await new Connection(port).open();
        const asset = /\/assets\/[^"]+\.js/.exec(await page(port))?.[0] ?? '/';
        connection.socket.pause();
        connection.write(request(asset).repeat(90));
        await new Promise((resolve) => setTimeout(resolve, 25_000)); // its patience, with the reader silent
        connection.socket.resume();
        await connection.closed(NEVER_MS);
        connection.destroy();
      }],
      ['R18: a message must end within some seconds of its beginning', async () => {
        const socket = await RawWebSocket.open(server.current);
        socket.send({ type: 'JoinRoom', roomId: freshRoom() });
        assert.equal((await socket.message()).type, 'RoomJoined');
        socket.frame({ payload: '{"type":', fin: false });
        const stop = drip(socket.connection, () => frameBytes({ opcode: 0, payload: ' ', fin: false }).toString('latin1'));
        const code = await socket.closed(NEVER_MS);
        stop();
        socket.destroy();
        assert.equal(code, 1008);
      }],
      ['R18: a frame must end within some seconds of its beginning', async () => {
        const socket = await RawWebSocket.open(server.current);
        socket.send({ type: 'JoinRoom', roomId: freshRoom() });
        assert.equal((await socket.message()).type, 'RoomJoined');
        socket.connection.write(frameBytes({ payload: 'x', declared: 1000 }));
        const stop = drip(socket.connection, () => 'x');
        await socket.closed(NEVER_MS);
        stop();
        socket.destroy();
      }],
      ['R20: who does not join is closed 4000', async () => {
        const silent = await Participant.connect(server.current);
        assert.equal(await silent.closed(NEVER_MS), 4000);
      }],
      ['R20: only a valid JoinRoom counts: who sends other things and pings is closed 4000 as well', async () => {
        const busy = await Participant.connect(server.current);
        const timer = setInterval(() => {
          if (busy.closeCode !== undefined) return;
          busy.send({ type: 'LeaveRoom' });
          busy.socket.ping();
        }, 1000);
        const code = await busy.closed(NEVER_MS);
        clearInterval(timer);
        assert.equal(code, 4000);
      }],
      ['R20: who has joined is not asked again, who has left has to join again in time', async () => {
        const pair = await roomOf(server.current, 2);
        const deserter = await Participant.join(server.current, freshRoom());
        deserter.send({ type: 'LeaveRoom' });
        const witness = await Participant.connect(server.current);
        assert.equal(await witness.closed(NEVER_MS), 4000);
        const code = await Promise.race([deserter.closed(NEVER_MS), new Promise((resolve) => setTimeout(resolve, 15_000, 'open'))]);
        assert.ok(code === 4000 || code === 'open', `a socket that left its room: ${code}`);
        deserter.destroy();
        pair[0].signal(pair[1].peerId, 'still here');
        await pair[1].receive('Signal');
        await pair.end();
      }],
      ['operator plane: a request that drips is gone', async () => {
        const connection = await new Connection(server.current.opsPort).open();
        connection.write('GET /healthz HTTP/1.1\r\n');
        const stop = drip(connection, () => 'X-A: b\r\n');
        await connection.closed(NEVER_MS);
        stop();
        connection.destroy();
      }],
      ['operator plane: silence is gone', async () => {
        const connection = await new Connection(server.current.opsPort).open();
        await connection.closed(NEVER_MS);
        connection.destroy();
      }],
    ];
    const results = await Promise.allSettled(cases.map(([, run]) => run()));
    for (const [i, [name]] of cases.entries()) {
      await t.test(name, () => {
        const result = results[i];
        if (result.status === 'rejected') throw result.reason;
      });
    }
  });

  it('and everything it held is free again', async () => {
    await assertServes(server.current);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('heartbeat', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--ping-after', '2', '--gone-after', '10']);

  it('R19: silence is met with a ping; whoever answers it stays for good, whoever does not is gone', async () => {
    const roomId = freshRoom();
    const [alive, dead] = [await RawWebSocket.open(server.current), await RawWebSocket.open(server.current)];
    for (const one of [alive, dead]) {
      one.send({ type: 'JoinRoom', roomId });
      assert.equal((await one.message()).type, 'RoomJoined');
    }
    const { peerId } = await alive.message();
    const ordinary = await Participant.join(server.current, roomId); // the package ws answers pings by itself
    await alive.message();
    await dead.message();
    const start = Date.now();
    let pings = 0;
    let left = 0;
    while (left === 0 || Date.now() - start < 15_000) { // longer than the patience with who says nothing at all
      const frame = await alive.next(NEVER_MS);
      assert.ok(frame && frame.opcode !== CLOSE, `who answers pings is sent away: ${frame?.payload.toString('latin1')}`);
      if (frame.opcode === PING) {
        pings++;
        alive.frame({ opcode: PONG, payload: frame.payload });
        continue;
      }
      const message = JSON.parse(frame.payload.toString());
      assert.deepEqual(message, { type: 'UserLeft', peerId, reason: 'timeout' }, 'the silent one is gone');
      left++;
    }
    assert.ok(pings >= 1);
    assert.equal(left, 1);
    await ordinary.receive('UserLeft');
    await ordinary.hearsNothing();
    await dead.closed(NEVER_MS);
    await ordinary.leave();
    alive.destroy();
    dead.destroy();
  });

  it('R18, known deviation of libwebsockets 4.1.6: the head of a frame alone is not told to anybody; it costs nothing, and ends as silence does', async () => {
    const raw = await RawWebSocket.open(server.current);
    raw.send({ type: 'JoinRoom', roomId: freshRoom() });
    await raw.message();
    raw.connection.write(frameBytes({ payload: '', declared: 2 ** 40 }));
    const code = await raw.closed(NEVER_MS);
    assert.ok([1012, 1002, 1008, 1009, 1006].includes(code), `${code}`);
    raw.destroy();
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('R23: messages that wait for one reader', () => {
  /** @param {string[]} options @param {(server: Awaited<ReturnType<typeof startServer>>) => Promise<void>} work */
  async function withServer(options, work) {
    const server = await startServer([...UNLIMITED, '--queue-max', '65536', ...options]);
    try {
      await work(server);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  }

  /** Somebody in a room with one who does not read. @param {{ host?: string, port?: number }} server */
  async function senderAndDeaf(server) {
    const roomId = freshRoom();
    const sender = await Participant.join(server, roomId);
    const deaf = await RawWebSocket.open(server);
    deaf.send({ type: 'JoinRoom', roomId });
    const { peerId } = await deaf.message();
    await sender.receive('UserJoined');
    deaf.connection.socket.pause();
    return { sender, deaf, peerId };
  }

  /** Signals of 1 KiB, some at a time and each lot heard, until there is what is waited for. */
  async function signalUntil(/** @type {Participant} */ sender, /** @type {string} */ peerId, /** @type {() => Promise<boolean> | boolean} */ done) {
    let sent = 0;
    while (sent < 60_000 && !(await done())) {
      for (let i = 0; i < 50; i++) sender.signal(peerId, { number: sent++, padding: 'x'.repeat(1000) });
      sender.send({ type: 'Marker' });
      await sender.changes.until(() => sender.queue.some(({ object }) => object.code === 'unknown-type'), 'the answer behind the signals');
      sender.queue = sender.queue.filter(({ object }) => object.code !== 'unknown-type');
    }
    return sent;
  }

  it('more than --queue-messages behind a full socket are too many, however small', async () => {
    await withServer([], async (server) => {
      const { sender, deaf, peerId } = await senderAndDeaf(server);
      await signalUntil(sender, peerId, () => sender.queue.length > 0);
      const left = await sender.receive('UserLeft');
      assert.deepEqual([left.peerId, left.reason], [peerId, 'removed']);
      assert.equal(await metric(server, 'aloha_websockets_closed_total{reason="slow"}'), 1);
      assert.ok((await metric(server, 'aloha_messages_dropped_total{reason="slow-reader"}')) > 0);
      assert.ok((await metric(server, 'aloha_queue_high_water_bytes')) < 1024 * 1024, 'long before 64 MiB waited');
      deaf.destroy();
      await sender.leave();
    });
  });

  it('with --queue-messages 0 only their bytes count, and who reads again gets them all', async () => {
    await withServer(['--queue-messages', '0'], async (server) => {
      const { sender, deaf, peerId } = await senderAndDeaf(server);
      const sent = await signalUntil(sender, peerId, async () => (await metric(server, 'aloha_queue_bytes')) > 1024 * 1024);
      deaf.connection.socket.resume();
      for (let i = 0; i < sent; i++) assert.equal((await deaf.message()).message.number, i);
      assert.equal(sender.queue.length, 0);
      deaf.destroy();
      await sender.leave();
    });
  });

  it('what is said in one turn to a socket that takes it is not too much', async () => {
    await withServer(['--queue-messages', '1', '--room-peers-max', '20'], async (server) => {
      const roomId = freshRoom();
      const reader = await Participant.join(server, roomId);
      const crowd = [];
      for (let i = 0; i < 19; i++) {
        crowd.push(await RawWebSocket.open(server));
        crowd[i].send({ type: 'JoinRoom', roomId });
        await crowd[i].message();
        await reader.receive('UserJoined');
      }
      server.child.kill('SIGSTOP'); // so that all of it is there in the first turn: 19 * 60 of 23 * 19 that would be allowed to wait
      for (const raw of crowd) {
        const burst = Array.from({ length: 60 }, (_, i) => frameBytes({ payload: `{"type":"Signal","peerId":"${reader.peerId}","message":${i}}` }));
        await new Promise((resolve) => raw.connection.socket.write(Buffer.concat(burst), resolve));
      }
      server.child.kill('SIGCONT');
      for (let i = 0; i < 19 * 60; i++) await reader.receive('Signal');
      for (const raw of crowd) raw.destroy();
      reader.destroy();
    });
  });
});

describe('hundreds of slow clients', () => {
  it('do not keep others out', async () => {
    const server = await startServer();
    try {
      const slow = [];
      for (let i = 0; i < 300; i++) {
        const connection = await new Connection(server.port).open();
        connection.write(i % 2 ? 'GET /room/tea HTTP/1.1\r\nHost: local' : 'G');
        slow.push(connection);
      }
      await assertServes(server);
      for (const connection of slow) connection.destroy();
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});

/** @param {number} port */
async function page(port) {
  const connection = await new Connection(port).open();
  connection.write(request('/room/tea'));
  const response = await connection.response();
  connection.destroy();
  return response.body.toString();
}

/** @param {{ opsPort?: number }} server @param {string} name  with its labels */
async function metric(server, name) {
  const text = await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();
  const line = text.split('\n').find((l) => l.startsWith(`${name} `));
  assert.ok(line, `${name} is among the metrics`);
  return Number(line.slice(name.length));
}
