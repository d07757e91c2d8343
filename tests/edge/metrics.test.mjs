// /metrics: what is counted, in scenarios where it is known what has to come out.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { exchangeToEnd, fetchRaw, request } from '../lib/http.mjs';
import { metricsBecome, metricsOf } from '../lib/metrics.mjs';
import { Participant, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite, startServer } from '../lib/server.mjs';
import { openingRequest } from '../lib/websocket.mjs';

const SERIES_MAX = 300; // SECURITY R44

/** @param {string[]} args @param {(server: import('../lib/server.mjs').Server) => Promise<void>} test */
async function withServer(args, test) {
  const server = await startServer(args);
  try {
    await test(server);
    await server.endsCleanly();
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** What a handshake is answered with. @param {{ port?: number, host?: string }} server @param {object} how */
async function handshake(server, how) {
  const [answer] = await exchangeToEnd(/** @type {number} */ (server.port),
    openingRequest({ host: /** @type {string} */ (server.host), ...how }), { check: false });
  return answer?.status;
}

const responses = (/** @type {string} */ stage, /** @type {number | string} */ code) => `aloha_http_responses_total{stage="${stage}",code="${code}"}`;
const received = (/** @type {string} */ type, /** @type {string} */ verdict) => `aloha_messages_received_total{type="${type}",verdict="${verdict}"}`;

describe('metrics', () => {
  const server = serverOfSuite({ before, after });

  it('R44: at most 300 series, always the same, which promtool finds no fault with', async () => {
    const first = await metricsOf(server.current);
    assert.ok(first.samples.size <= SERIES_MAX, `${first.samples.size} series`);
    for (const name of first.families.keys()) assert.match(name, /^(aloha|process)_[a-z_]+$/);
    for (const [name, { help }] of first.families) assert.match(help, /^\S.*\.$/, name);

    const room = await roomOf(server.current, 2);
    room[0].signal(room[1].peerId, 1);
    await room[1].receive('Signal');
    room[0].send({ type: 'Dance' });
    await room[0].receiveError('unknown-type');
    await fetchRaw(server.current.port, '/nothing', { host: server.current.host, check: false });
    const second = await metricsOf(server.current);
    assert.deepEqual([...second.samples.keys()], [...first.samples.keys()]);
    for (const one of room) await one.leave();

    const judged = spawnSync('promtool', ['check', 'metrics'], { input: second.text, encoding: 'utf8' });
    assert.equal(judged.error, undefined, 'promtool is needed (Debian: prometheus)');
    assert.equal(judged.stdout + judged.stderr, '');
    assert.equal(judged.status, 0);
  });

  it('gauges follow who is there, and come back', async () => {
    const room = await roomOf(server.current, 3);
    const alone = await Participant.join(server.current, freshRoom());
    const gauges = {
      aloha_websockets: 4, aloha_rooms: 2, aloha_peers: 4, aloha_seats_held: 0, aloha_knocks: 0, aloha_backlog_bytes: 0, aloha_queue_bytes: 0,
    };
    await metricsBecome(server.current, gauges);
    room[0].send({ type: 'LockRoom', locked: true });
    for (const one of room) await one.receive('RoomLocked');
    const outside = await Participant.connect(server.current);
    outside.send({ type: 'JoinRoom', roomId: room.roomId, hello: 'let me in' });
    await outside.receive('Waiting');
    await metricsBecome(server.current, { ...gauges, aloha_websockets: 5, aloha_knocks: 1, aloha_backlog_bytes: '"let me in"'.length });
    room[2].destroy(); // its seat is held
    await metricsBecome(server.current, { aloha_websockets: 4, aloha_peers: 4, aloha_seats_held: 1, aloha_knocks: 1 });
    await outside.leave();
    await alone.leave();
    for (const one of room.slice(0, 2)) await one.leave();
    await metricsBecome(server.current, { aloha_websockets: 0, aloha_rooms: 1, aloha_peers: 1, aloha_seats_held: 1, aloha_knocks: 0, aloha_backlog_bytes: 0 });
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('metrics of a known course of events', () => {
  it('each message counts once, with what became of it', () => withServer(UNLIMITED, async (server) => {
    const [a, b] = await roomOf(server, 2);
    for (let i = 0; i < 10; i++) a.signal(b.peerId, i);
    for (let i = 0; i < 10; i++) await b.receive('Signal');
    a.signal(a.peerId, 'to myself');
    await a.receiveError('unknown-peer');
    a.send({ type: 'JoinRoom', roomId: 'tea' });
    await a.receiveError('already-in-room');
    a.send('[]');
    await a.receiveError('bad-message');
    const late = await Participant.connect(server);
    late.send({ type: 'JoinRoom', roomId: 'tea', resumeToken: 'x' });
    await late.receiveError('bad-resume-token');
    const metrics = await metricsOf(server);
    const counts = Object.fromEntries([...metrics.samples].filter(([name, value]) => value > 0 && name.startsWith('aloha_messages_received_total')));
    assert.deepEqual(counts, {
      [received('JoinRoom', 'accepted')]: 2,
      [received('JoinRoom', 'already-in-room')]: 1,
      [received('JoinRoom', 'bad-resume-token')]: 1,
      [received('Signal', 'accepted')]: 10,
      [received('Signal', 'unknown-peer')]: 1,
      [received('unknown', 'bad-message')]: 1,
    });
    assert.equal(metrics.value('aloha_signals_relayed_total'), 10);
    assert.equal(metrics.value('aloha_joins_total'), 2);
    assert.equal(metrics.value('aloha_resumes_refused_total'), 1);
    assert.equal(metrics.value('aloha_errors_sent_total{code="unknown-peer"}'), 1);
    assert.equal(metrics.value('aloha_sent_messages_total'), 2 + 1 + 10 + 4, 'RoomJoined, UserJoined, Signals, errors');
    assert.ok(metrics.value('aloha_queue_high_water_bytes') > 100);

    // Each relayed Signal has its place in the histogram, and its buckets add up.
    const name = 'aloha_relay_latency_seconds';
    assert.equal(metrics.value(`${name}_count`), 10);
    assert.equal(metrics.value(`${name}_bucket{le="+Inf"}`), 10);
    assert.ok(metrics.value(`${name}_sum`) > 0);
    for (const one of [a, b, late]) await one.leave();
  }));

  it('resumes, and what is kept and lost for who is away', () => withServer([...UNLIMITED, '--backlog-messages', '2'], async (server) => {
    const room = await roomOf(server, 2);
    const [a, b] = room;
    const away = await Participant.join(server, room.roomId);
    const token = away.joined.resumeToken;
    for (const one of room) await one.receive('UserJoined');
    away.destroy();
    await metricsBecome(server, { aloha_seats_held: 1 });
    for (let i = 0; i < 2; i++) a.signal(away.peerId, i);
    for (let i = 0; i < 3; i++) {
      a.signal(away.peerId, i);
      await a.receiveError('rate-limited');
    }
    const kept = await metricsOf(server);
    assert.ok(kept.value('aloha_backlog_bytes') > 100);
    assert.equal(kept.value('aloha_messages_dropped_total{reason="backlog"}'), 3);
    assert.equal(kept.value(received('Signal', 'accepted')), 2);
    assert.equal(kept.value(received('Signal', 'rate-limited')), 3);
    assert.equal(kept.value('aloha_signals_relayed_total'), 0);
    const back = await Participant.join(server, room.roomId, { resumeToken: token });
    const after = await metricsOf(server);
    assert.equal(after.value('aloha_resumes_total'), 1);
    assert.equal(after.value('aloha_backlog_bytes'), 0);
    for (const one of [a, b, back]) await one.leave();
  }));

  it('messages over the rate are dropped, and counted as that', () => withServer(['--rate-messages', '1', '--burst-messages', '10'], async (server) => {
    const one = await Participant.connect(server);
    for (let i = 0; i < 40; i++) one.send({ type: 'LeaveRoom' });
    await one.leave();
    const metrics = await metricsOf(server);
    const dropped = metrics.value('aloha_messages_dropped_total{reason="rate"}');
    assert.ok(dropped > 0 && dropped <= 30, `${dropped}`);
    assert.equal(metrics.value(received('unknown', 'dropped')) + metrics.value(received('LeaveRoom', 'dropped')), dropped);
    assert.equal(metrics.value(received('LeaveRoom', 'not-in-room')), 40 - dropped);
  }));

  it('handshakes that fail and requests that are refused, by who answers and with what', () => withServer([...UNLIMITED, '--host', '127.0.0.1'], async (server) => {
    const host = /** @type {string} */ (server.host);
    assert.equal(await handshake(server, { headers: [['Origin', 'http://evil.example']] }), 403);
    assert.equal(await handshake(server, { version: '12' }), 426);
    assert.equal(await handshake(server, { key: 'short' }), 400);
    assert.equal(await handshake(server, { host: 'evil.example' }), 421);
    assert.equal((await fetchRaw(server.port, '/ws', { host, check: false })).status, 426);
    assert.equal((await fetchRaw(server.port, '/room/tea', { host, check: false })).status, 200);
    assert.equal((await fetchRaw(server.port, '/', { host, check: false })).status, 302);
    assert.equal((await fetchRaw(server.port, '/nothing', { host, check: false })).status, 404);
    for (const bytes of ['GET / HTTP/1.1\r\nno colon\r\n\r\n', `GET / HTTP/2.0\r\nHost: ${host}\r\n\r\n`, `GET /${'x'.repeat(4000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      request('/', { host, headers: { X: 'x'.repeat(20_000) } })]) await exchangeToEnd(server.port, bytes, { check: false });
    const one = await Participant.connect(server);
    const metrics = await metricsOf(server);
    const counts = Object.fromEntries([...metrics.samples].filter(([name, value]) => value > 0 && name.startsWith('aloha_http_responses_total')));
    assert.deepEqual(counts, {
      [responses('door', 400)]: 1, [responses('door', 414)]: 1, [responses('door', 431)]: 1, [responses('door', 505)]: 1,
      [responses('page', 200)]: 1, [responses('page', 302)]: 1, [responses('page', 404)]: 1,
      [responses('websocket', 101)]: 1, [responses('websocket', 400)]: 1, [responses('websocket', 403)]: 1, [responses('websocket', 421)]: 1, [responses('websocket', 426)]: 2,
    });
    assert.equal(metrics.value('aloha_connections_total'), 13);
    await one.leave();
  }));

  it('counters never go down, however much comes and goes', () => withServer(UNLIMITED, async (server) => {
    let last = await metricsOf(server);
    for (let round = 0; round < 12; round++) {
      const room = await roomOf(server, 2 + (round % 3));
      for (const one of room) for (const other of room) if (one !== other) one.signal(other.peerId, round);
      for (const one of room) for (let i = 1; i < room.length; i++) await one.receive('Signal');
      if (round % 2) await room.end();
      else for (const one of room) await one.leave();
      const now = await metricsOf(server);
      for (const sample of last.rising) assert.ok(now.value(sample) >= last.value(sample), `${sample} went from ${last.value(sample)} to ${now.value(sample)}`);
      last = now;
    }
    assert.equal(last.value('aloha_relay_latency_seconds_count'), last.value('aloha_signals_relayed_total'));
    assert.ok(last.rising.length > 100);
  }));
});

describe('metrics of the process', () => {
  it('are those of this process', async () => {
    const before = Date.now() / 1000;
    await withServer(UNLIMITED, async (server) => {
      const started = Date.now() / 1000;
      const first = await metricsOf(server);
      const began = first.value('process_start_time_seconds');
      assert.ok(began > before - 1 && began < started + 1, `${before} ${began} ${started}`);
      assert.ok(first.value('process_resident_memory_bytes') > 1_000_000);
      assert.ok(first.value('process_open_fds') > 5);
      assert.ok(first.value('process_max_fds') >= first.value('process_open_fds'));
      const room = await roomOf(server, 5);
      const second = await metricsOf(server);
      assert.ok(second.value('process_open_fds') >= first.value('process_open_fds') + 5);
      assert.ok(second.value('process_cpu_seconds_total') > first.value('process_cpu_seconds_total'));
      assert.equal(second.value('process_start_time_seconds'), began);
      const [info] = [...second.samples].filter(([name]) => name.startsWith('aloha_build_info'));
      assert.match(info[0], /^aloha_build_info\{version="\d+\.\d+\.\d+",lws="4\.\S+",uv="1\.\S+",mhd="\S+",jansson="2\.\S+",openssl="3\.\S+"\}$/);
      assert.equal(info[1], 1);
      await room.end();
    });
  });

  it('a loop that was held up is seen in the lag', () => withServer(UNLIMITED, async (server) => {
    const slow = 'aloha_loop_lag_seconds_bucket{le="0.5"}', all = 'aloha_loop_lag_seconds_count';
    const waitForTicks = async (/** @type {number} */ count) => {
      for (;;) {
        const metrics = await metricsOf(server);
        if (metrics.value(all) >= count) return metrics;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const before = await waitForTicks(1);
    server.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 1800)); // its tick is due within a second of that
    server.child.kill('SIGCONT');
    const after = await waitForTicks(before.value(all) + 1);
    assert.ok(after.value(all) - after.value(slow) > before.value(all) - before.value(slow), after.text.match(/aloha_loop_lag.*/g)?.join('\n'));
    assert.ok(after.value('aloha_loop_lag_seconds_sum') > before.value('aloha_loop_lag_seconds_sum') + 0.5);
  }));
});
