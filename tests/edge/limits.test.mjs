// Limits as they are without any option, each with somebody beside it who must not notice: R13, R21, R23, R24, R37, R67.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Connection, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, startServer } from '../lib/server.mjs';
import { pause } from '../lib/wait.mjs';
import { CLOSE, CONTINUATION, PING, PONG, RawWebSocket, closePayload, frameBytes, parseFrame } from '../lib/websocket.mjs';

/**
 * @param {string[]} args @param {(server: Awaited<ReturnType<typeof startServer>>) => Promise<void>} work
 * @param {Parameters<typeof startServer>[1]} [how]
 */
async function withServer(args, work, how) {
  const server = await startServer(args, how);
  try {
    await work(server);
    await server.endsCleanly();
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** The options of UNLIMITED without one of them: that one limit is as it is by default. @param {string} name */
const limitedBy = (name) => UNLIMITED.filter((_, i) => UNLIMITED[i] !== name && UNLIMITED[i - 1] !== name);

/** Two who signal to each other until they are told to stop; says how often that went well. @param {{ host?: string }} server */
async function canary(server) {
  const pair = await roomOf(server, 2);
  let running = true;
  let turns = 0;
  const done = (async () => {
    while (running) {
      pair[0].signal(pair[1].peerId, turns);
      assert.equal((await pair[1].receive('Signal')).message, turns);
      pair[1].signal(pair[0].peerId, turns);
      assert.equal((await pair[0].receive('Signal')).message, turns);
      turns++;
      await new Promise((resolve) => setTimeout(resolve, 25)); // its own rate is far below every limit
    }
  })();
  done.catch(() => {});
  return async () => {
    running = false;
    await done;
    assert.ok(turns > 0);
    await pair.end();
    return turns;
  };
}

describe('limits', () => {
  it('R21: a flood gets rate-limited with the time to wait, then 1008; nobody else notices', async () => {
    await withServer(limitedBy('--rate-messages'), async (server) => {
      const stop = await canary(server);
      const room = await roomOf(server, 2);
      const [flooder, victim] = room;
      for (let i = 0; i < 3000 && flooder.closeCode === undefined; i++) {
        flooder.signal(victim.peerId, i);
        if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const code = await flooder.closed();
      assert.ok([1008, 1006].includes(code), `${code}`); // F7: the code may drown in the flood
      const errors = flooder.queue.filter(({ object }) => object.type === 'Error');
      if (code === 1008) {
        assert.ok(errors.length > 0, 'it was told before');
        assert.ok(errors.length <= 30, `it was not told each time: ${errors.length}`);
      }
      for (const { object } of errors) {
        assert.equal(object.code, 'rate-limited');
        assert.ok(Number.isInteger(object.retryAfterMs) && object.retryAfterMs > 0 && object.retryAfterMs <= 60_000, JSON.stringify(object));
      }
      let last = -1;
      let count = 0;
      for (;;) {
        const { object } = await victim.receiveRaw();
        if (object.type === 'UserLeft') break;
        assert.ok(object.message > last, 'what passes keeps its order');
        last = object.message;
        count++;
      }
      assert.ok(count >= 250, `a burst of some hundreds passes: ${count}`);
      assert.ok(count <= 1000, `a flood does not: ${count}`);
      await stop();
      await room.end();
    });
  });

  it('R21: who obeys rate-limited stays', async () => {
    await withServer(limitedBy('--rate-messages'), async (server) => {
      const room = await roomOf(server, 2);
      const [a, b] = room;
      for (let i = 0; i < 400; i++) a.signal(b.peerId, i);
      const error = await a.receiveError('rate-limited');
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs + 200));
      a.queue.length = 0;
      a.signal(b.peerId, 'patient');
      await b.changes.until(() => b.queue.some(({ object }) => object.message === 'patient'), 'the signal of the patient one');
      assert.equal(a.closeCode, undefined);
      await room.end();
    });
  });

  it('R21: invalid input costs more than valid', async () => {
    await withServer(limitedBy('--rate-messages'), async (server) => {
      const one = await Participant.join(server, freshRoom());
      let answers = 0;
      for (let i = 0; i < 200; i++) one.send({ type: 'Unknown' });
      for (;;) {
        const error = await one.receive('Error');
        if (error.code === 'rate-limited') break;
        assert.equal(error.code, 'unknown-type');
        answers++;
      }
      assert.ok(answers <= 150, `${answers} of 200 unknown types within a burst of 300`);
      one.destroy();
    });
  });

  it('R21: bytes are limited as well as messages', async () => {
    await withServer(limitedBy('--rate-bytes'), async (server) => {
      const room = await roomOf(server, 2);
      const [a, b] = room;
      const big = 'x'.repeat(60_000);
      for (let i = 0; i < 60; i++) a.signal(b.peerId, big); // 3.6 MB where 2 MiB are a burst
      await a.receiveError('rate-limited');
      assert.ok(b.received < 60);
      await room.end();
    });
  });

  it('R21: a mesh of twelve joins within the limits', async () => {
    await withServer(['--rate-connections', '0'], async (server) => {
      const room = await roomOf(server, 12);
      // Each offers to each, answers each, and has ten candidates for each: about 250 messages a peer.
      for (const from of room) for (const to of room) if (from !== to) for (let i = 0; i < 22; i++) from.signal(to.peerId, { i, sdp: 'x'.repeat(i < 2 ? 3000 : 150) });
      const expected = 11 * 22;
      for (const one of room) {
        let got = 0;
        while (got < expected) {
          const { object } = await one.receiveRaw();
          assert.equal(object.type, 'Signal', JSON.stringify(object).slice(0, 200));
          got++;
        }
      }
      await room.end();
    });
  });

  it('R23: who does not read is closed 4002, UserLeft is told once, memory stays, nobody else notices', async () => {
    await withServer(UNLIMITED, async (server) => {
      const stop = await canary(server);
      const roomId = freshRoom();
      const sender = await Participant.join(server, roomId);
      const deaf = await RawWebSocket.open(server);
      deaf.send({ type: 'JoinRoom', roomId });
      const { peerId } = await deaf.message();
      await sender.receive('UserJoined');
      deaf.connection.socket.pause();
      const before = await server.rss();
      const payload = 'x'.repeat(12_000);
      /** @type {any} */
      let left;
      let sent = 0;
      for (; sent < 20_000 && !left; sent++) {
        sender.signal(peerId, payload);
        if (sent % 10 === 0) {
          await sender.changes.until(() => sender.socket.bufferedAmount < 1_000_000, 'the sender to be read').catch(() => {});
          await new Promise((resolve) => setImmediate(resolve));
        }
        left = sender.queue.find(({ object }) => object.type === 'UserLeft');
      }
      assert.ok(left, `${sent} messages of 12 kB went into a deaf ear`);
      assert.equal(left.object.peerId, peerId);
      const grown = (await server.rss()) - before;
      assert.ok(grown < 48 * 1024, `resident memory grew by ${grown} KiB`);
      deaf.connection.socket.resume();
      const code = await deaf.closed();
      assert.ok([4002, 1006].includes(code), `closed ${code}`); // the close frame itself may not get through full buffers
      sender.send({ type: 'Marker' });
      await sender.changes.until(() => sender.queue.some(({ object }) => object.code === 'unknown-type'), 'the answer behind all others');
      assert.equal(sender.queue.filter(({ object }) => object.type === 'UserLeft').length, 1);
      await stop();
      sender.destroy();
      deaf.destroy();
    });
  });

  it('R23: when three quarters of what may wait for all together waits, nobody new is let in until it has gone', async () => {
    await withServer([...UNLIMITED, '--queues-max', '16', '--queue-max', '65536', '--queue-messages', '0'], async (server) => {
      const roomId = freshRoom();
      const sender = await Participant.join(server, roomId);
      const deaf = await RawWebSocket.open(server);
      deaf.send({ type: 'JoinRoom', roomId });
      const { peerId } = await deaf.message();
      await sender.receive('UserJoined');
      deaf.connection.socket.pause();
      const waiting = async () => Number(/^aloha_queue_bytes (\d+)$/m.exec(await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text())?.[1]);
      const payload = 'x'.repeat(60_000);
      while ((await waiting()) < 13 * 1024 * 1024) {
        for (let i = 0; i < 8; i++) sender.signal(peerId, payload);
        await sender.hearsNothing();
      }
      const late = await Participant.connect(server);
      late.send({ type: 'JoinRoom', roomId: freshRoom() });
      await late.receiveError('hub-full');
      deaf.destroy(); // its seat is held, but nothing waits for it any more
      while ((await waiting()) > 0) await pause(20);
      await late.join(freshRoom());
      late.destroy();
      sender.destroy();
    });
  });

  it('R23: when too much waits for all together, the slowest pays, and not who happens to be written to', async () => {
    await withServer([...UNLIMITED, '--queues-max', '1', '--queue-max', '65536'], async (server) => {
      const pair = await roomOf(server, 2);
      const [a, b] = pair;
      const roomId = freshRoom();
      const sender = await Participant.join(server, roomId);
      const deaf = await RawWebSocket.open(server);
      deaf.send({ type: 'JoinRoom', roomId });
      const { peerId } = await deaf.message();
      await sender.receive('UserJoined');
      deaf.connection.socket.pause();
      let left;
      const payload = 'x'.repeat(12_000);
      for (let sent = 0; sent < 20_000 && !left; sent++) {
        sender.signal(peerId, payload);
        if (sent % 10 === 0) { // the others talk meanwhile, and are read
          a.signal(b.peerId, sent);
          const { object } = await b.receiveRaw();
          assert.equal(object.message, sent);
        }
        left = sender.queue.find(({ object }) => object.type === 'UserLeft');
      }
      assert.ok(left, 'the deaf one is sent away');
      assert.equal(left.object.peerId, peerId);
      const metrics = await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();
      assert.match(metrics, /aloha_websockets_closed_total\{reason="slow"\} 1\n/);
      const late = await Participant.join(server, freshRoom()); // there is room again
      await late.leave();
      deaf.destroy();
      await sender.leave();
      await pair.end();
    });
  });

  it('R23: a hundred deaf ears are dropped and forgotten', async () => {
    await withServer(UNLIMITED, async (server) => {
      const before = await server.descriptors();
      const rss = await server.rss();
      for (let round = 0; round < 10; round++) {
        const roomId = freshRoom();
        const sender = await Participant.join(server, roomId);
        const deaf = [];
        for (let i = 0; i < 10; i++) {
          const one = await RawWebSocket.open(server);
          one.send({ type: 'JoinRoom', roomId });
          const { peerId } = await one.message();
          one.connection.socket.pause();
          deaf.push({ one, peerId });
        }
        for (const { peerId } of deaf) for (let i = 0; i < 20; i++) sender.signal(peerId, 'x'.repeat(50_000));
        sender.send({ type: 'Marker' });
        await sender.changes.until(() => sender.queue.some(({ object }) => object.code === 'unknown-type'), 'the sender to be heard to the end');
        for (const { one } of deaf) one.connection.socket.resetAndDestroy();
        sender.destroy();
      }
      await assertServes(server);
      for (let i = 0; i < 200 && (await server.descriptors()) > before + 24; i++) await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok((await server.descriptors()) <= before + 24, 'the descriptors are free again');
      assert.ok((await server.rss()) - rss < 64 * 1024, 'and so is the memory');
    });
  });

  it('R32: --room-peers-max is obeyed and told', async () => {
    await withServer([...UNLIMITED, '--room-peers-max', '2'], async (server) => {
      const room = await roomOf(server, 2);
      const late = await Participant.connect(server);
      late.send({ type: 'JoinRoom', roomId: room.roomId });
      await late.receiveError('room-full');
      const other = await late.join(freshRoom());
      assert.equal(other.limits.maxParticipants, 2);
      late.destroy();
      await room.end();
    });
  });

  it('R37: more than thirty joins a minute of one address are rate-limited', async () => {
    await withServer(limitedBy('--rate-joins'), async (server) => {
      const one = await Participant.connect(server);
      let joins = 0;
      for (; joins < 200; joins++) {
        one.send({ type: 'JoinRoom', roomId: freshRoom() });
        const answer = (await one.receiveRaw()).object;
        if (answer.type === 'Error') {
          assert.equal(answer.code, 'rate-limited');
          assert.ok(Number.isInteger(answer.retryAfterMs) && answer.retryAfterMs > 0);
          break;
        }
        one.send({ type: 'LeaveRoom' });
      }
      assert.ok(joins >= 30 && joins < 120, `${joins} joins went through`);
      one.destroy();
    });
  });

  it('R13: a hundred connections of one address, the next is closed, and a free seat is a seat', async () => {
    await withServer(['--rate-connections', '0', '--rate-joins', '0'], async (server) => {
      const held = [];
      for (let i = 0; i < 100; i++) {
        held.push(await RawWebSocket.open(server));
        held[i].send({ type: 'JoinRoom', roomId: `r${i % 10}` });
        while ((await held[i].message()).type !== 'RoomJoined');
      }
      for (let i = 0; i < 5; i++) {
        const surplus = await new Connection(server.port).open();
        surplus.write(request('/room/tea'));
        assert.equal((await surplus.closed()).length, 0, 'accepted and closed, without a word');
        surplus.destroy();
      }
      for (const one of held.splice(0, 50)) one.destroy();
      let served = false;
      for (let i = 0; i < 200 && !served; i++) {
        const connection = await new Connection(server.port).open();
        connection.write(request('/room/tea'));
        served = await connection.response().then((r) => r.status === 200, () => false);
        connection.destroy();
      }
      assert.ok(served, 'there is room again');
      for (const one of held) one.destroy();
    });
  });

  it('R13: connections of one address that come too fast are closed, and those who come slower are served', async () => {
    await withServer([], async (server) => {
      let refused = 0;
      let served = 0;
      for (let i = 0; i < 120; i++) {
        const connection = await new Connection(server.port).open();
        connection.write(request('/room/tea'));
        await connection.response().then(() => served++, () => refused++);
        connection.destroy();
      }
      assert.ok(served >= 60, `a burst of 60 is served: ${served}`);
      assert.ok(refused > 0 || served === 120, `${refused} refused`);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const connection = await new Connection(server.port).open();
      connection.write(request('/room/tea'));
      assert.equal((await connection.response()).status, 200);
      connection.destroy();
    });
  });

  it('R67, F5: at the limit of descriptors it neither spins nor floods the log, members go on, and the rest get in later', async () => {
    await withServer(UNLIMITED, async (server) => {
      const stop = await canary(server);
      const linesBefore = server.stderr.split('\n').length;
      const cpuBefore = await cpuSeconds(server.pid);
      const crowd = [];
      for (let i = 0; i < 600; i++) {
        const connection = new Connection(server.port);
        crowd.push(connection);
        if (i % 50 === 49) await connection.changes.until(() => connection.opened || connection.ended, 'a connection or its refusal');
      }
      const start = process.hrtime.bigint();
      await new Promise((resolve) => setTimeout(resolve, 3000)); // long enough to see a spin
      const wall = Number(process.hrtime.bigint() - start) / 1e9;
      const cpu = (await cpuSeconds(server.pid)) - cpuBefore;
      const lines = server.stderr.split('\n').length - linesBefore;
      assert.ok(lines < 1500, `${lines} log lines`);
      assert.ok(cpu < wall * 0.9 + 1, `${cpu} s of processor time in ${wall} s`);
      for (const connection of crowd) connection.destroy();
      await stop();
      await assertServes(server);
    }, { wrap: (file, args) => ['/bin/sh', ['-c', 'ulimit -n 300; exec "$0" "$@"', file, ...args]] });
  });

  it('F6: an enormous limit of descriptors costs no enormous memory', async () => {
    await withServer(UNLIMITED, async (server) => {
      await assertServes(server);
      const baseline = await server.rss();
      assert.ok(baseline < 400 * 1024, `${baseline} KiB resident`);
    }, { wrap: (file, args) => ['/bin/sh', ['-c', 'ulimit -n $(ulimit -Hn); exec "$0" "$@"', file, ...args]] });
  });

  it('R24: five thousand little messages in one go are all answered, in order, with what stands between and behind them', async () => {
    await withServer(UNLIMITED, async (server) => {
      const raw = await RawWebSocket.open(server);
      raw.send({ type: 'JoinRoom', roomId: freshRoom() });
      await raw.message();
      const peerId = (/** @type {number} */ i) => `7d3c1f0a-52b6-4c9e-9a41-${String(i).padStart(12, '0')}`;
      const frames = [];
      for (let i = 0; i < 5000; i++) {
        if (i % 3 === 0) frames.push(frameBytes({ payload: `{"type":"Signal","peerId":"${peerId(i)}","message":1}` }));
        else if (i % 3 === 1) frames.push(frameBytes({ payload: '{"type":"x"}' }));
        else frames.push(frameBytes({ payload: '{"type":', fin: false }), frameBytes({ opcode: PONG, payload: 'unasked' }), frameBytes({ opcode: CONTINUATION, payload: '"y"}' }));
      }
      frames.push(frameBytes({ opcode: PING, payload: 'behind' }), frameBytes({ payload: '{"type":"last"}' }), frameBytes({ opcode: CLOSE, payload: closePayload(1000) }));
      raw.connection.write(Buffer.concat(frames));
      let pongs = 0;
      let answers = 0;
      for (let frame = await raw.next(); frame && frame.opcode !== CLOSE; frame = await raw.next()) {
        if (frame.opcode === PONG) {
          assert.equal(frame.payload.toString(), 'behind');
          pongs++;
          continue;
        }
        const answer = JSON.parse(frame.payload.toString());
        if (answers % 3 === 0 && answers < 5000) assert.deepEqual([answer.code, answer.peerId], ['unknown-peer', peerId(answers)]);
        else assert.equal(answer.code, 'unknown-type');
        answers++;
      }
      assert.equal(answers, 5001);
      assert.ok(pongs <= 1);
      await raw.connection.closed();
      raw.destroy();
    });
  });

  it('R24: a client that sends much and reads nothing for a while loses nothing', async () => {
    await withServer([...UNLIMITED, '--queue-max', '65536', '--queue-messages', '0'], async (server) => {
      const raw = await RawWebSocket.open(server);
      raw.send({ type: 'JoinRoom', roomId: freshRoom() });
      await raw.message();
      raw.connection.socket.pause();
      const burst = Buffer.concat(Array.from({ length: 1000 }, () => frameBytes({ payload: '{"type":"x"}' })));
      for (let i = 0; i < 20; i++) raw.connection.write(burst);
      await assertServes(server);
      raw.connection.socket.resume();
      for (let i = 0; i < 20_000; i++) assert.equal((await raw.message()).code, 'unknown-type');
      raw.destroy();
    });
  });

  it('R24: who sends much at once has a share of each turn: who sends less is done before him', async () => {
    await withServer(UNLIMITED, async (server) => {
      const roomId = freshRoom();
      const witness = await Participant.join(server, roomId);
      const senders = [];
      for (let i = 0; i < 2; i++) {
        senders.push(await RawWebSocket.open(server));
        senders[i].send({ type: 'JoinRoom', roomId });
        await senders[i].message();
        await witness.receive('UserJoined');
      }
      // While the server stands still all of it gets there; what either sends would fit into one read of 8 KiB.
      server.child.kill('SIGSTOP');
      for (const [i, count] of [400, 100].entries()) {
        const burst = Array.from({ length: count }, () => frameBytes({ payload: '{"type":"x"}' }));
        burst.push(frameBytes({ payload: `{"type":"Signal","peerId":"${witness.peerId}","message":${count}}` }));
        await new Promise((resolve) => senders[i].connection.socket.write(Buffer.concat(burst), resolve));
      }
      server.child.kill('SIGCONT');
      assert.deepEqual([(await witness.receive('Signal')).message, (await witness.receive('Signal')).message], [100, 400]);
      for (const raw of senders) raw.destroy();
      await witness.leave();
    });
  });

  it('R24: one who sends as fast as he can, with every limit of rate off, starves nobody', async () => {
    await withServer(UNLIMITED, async (server) => {
      const stop = await canary(server);
      const room = await roomOf(server, 2);
      const raw = await RawWebSocket.open(server);
      raw.send({ type: 'JoinRoom', roomId: freshRoom() });
      await raw.message();
      const burst = Buffer.concat(Array.from({ length: 2000 }, () => frameBytes({ payload: '{"type":"Signal","peerId":"x","message":1}' })));
      for (let i = 0; i < 10 && !raw.connection.ended; i++) {
        raw.connection.write(burst);
        while (parseFrame(raw.connection.input)) {
          const frame = await raw.next();
          if (!frame || frame.opcode === CLOSE) break;
        }
        room[0].signal(room[1].peerId, i);
        assert.equal((await room[1].receive('Signal')).message, i);
      }
      raw.destroy();
      await stop();
      await room.end();
    });
  });
});

/** @param {number} pid */
async function cpuSeconds(pid) {
  const { readFile } = await import('node:fs/promises');
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
