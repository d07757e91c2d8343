// What is thrown at the server, case by case. Where a case does not say otherwise the server has its default limits, and the
// attackers come from many addresses, each within its share: what is tested is what the limits let through. `open` cases
// switch limits off to meet the next line of defence.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { openingRequest, frameBytes, closePayload, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../lib/websocket.mjs';
import { pause } from '../lib/wait.mjs';
import { cpuSeconds } from './watch.mjs';

/** @typedef {import('./attack.mjs').Attack} Attack */
/** @typedef {import('./attack.mjs').Guest} Guest */
/**
 * @typedef {object} Case
 * @property {string} name      begins with the requirement of docs/security.md that it attacks
 * @property {string[]} [options]
 * @property {string} [descriptors]  the soft limit that the server is started with
 * @property {number} [seconds]  how long it lasts; 3 by default
 * @property {number} [settleMs] within which all descriptors are free again; 20,000 by default
 * @property {boolean} [long]    not for valgrind, which is twenty times as slow
 * @property {(attack: Attack) => Promise<void>} run
 */

/** No limit of rate, and none per address. */
const OPEN = ['--rate-messages', '0', '--rate-bytes', '0', '--rate-connections', '0', '--rate-joins', '0', '--connections-per-address', '0'];
const FLOOD_PER_S = 20_000;

/** So many frames of the same message in a row. @param {string | Buffer} payload @param {number} count */
const row = (payload, count) => {
  const frame = frameBytes({ payload });
  return { size: frame.length, bytes: Buffer.concat(Array.from({ length: count }, () => frame)) };
};

/**
 * FLOOD_PER_S messages a second by eight connections, each of which is followed by another when it was closed.
 * @param {(pair: { guest: Guest, mate: Guest }) => string} message
 */
const flood = (message) => async (/** @type {Attack} */ attack) => {
  await attack.crowd(8, async () => {
    const pair = await attack.pair();
    if (!pair) return;
    const { size, bytes } = row(message(pair), 150);
    await attack.paced(FLOOD_PER_S / 8, (count) => {
      const some = Math.min(count, 150);
      if (pair.guest.throw(bytes.subarray(0, some * size))) attack.messages += some;
      return !pair.guest.ended;
    });
    pair.mate.cut();
    pair.guest.cut();
  });
};
const signalTo = (/** @type {string} */ to, /** @type {string} */ message) => `{"type":"Signal","peerId":"${to}","message":${message}}`;

/** One connection after the other throws one thing after the other. @param {Buffer[]} things @param {number} [perSecond] */
const throwing = (things, perSecond = 400) => async (/** @type {Attack} */ attack) => {
  let at = 0;
  await attack.crowd(4, async () => {
    const guest = await attack.member();
    if (!guest) return;
    await attack.paced(perSecond / 4, (count) => {
      for (let i = 0; i < count; i++) if (guest.throw(things[at++ % things.length])) attack.messages++;
      return !guest.ended;
    });
    guest.cut();
  });
};

const texts = (/** @type {string[]} */ list) => list.map((payload) => frameBytes({ payload }));
const inSignal = (/** @type {string} */ value) => `{"type":"Signal","peerId":"nobody","message":${value}}`;

const BOMBS = texts([
  '['.repeat(65_536),
  '{"a":'.repeat(13_000),
  '[]'.repeat(32_000),
  inSignal('['.repeat(30_000) + ']'.repeat(30_000)),
  inSignal('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)),
  inSignal('[' + '1,'.repeat(32_000) + '1]'),
  inSignal('{' + Array.from({ length: 5000 }, (_, i) => `"${i}":0`).join() + '}'),
  '{' + Array.from({ length: 6000 }, (_, i) => `"m${i}":0`).join() + '}',
  '{' + '"type":"LeaveRoom",'.repeat(3000) + '"x":1}',
  '{"type":"LeaveRoom","\\u0074ype":"LeaveRoom"}',
  inSignal('9'.repeat(65_000)),
  inSignal(`1e${'9'.repeat(60_000)}`),
  inSignal(`-0.${'0'.repeat(60_000)}1`),
  inSignal(`"${'\\u0041'.repeat(10_000)}"`),
  inSignal(`"${'\\\\'.repeat(32_000)}"`),
  inSignal(`"${'\\ud83d\\ude00'.repeat(5000)}"`),
  inSignal(`"${'\u{1f33a}'.repeat(16_000)}"`),
  inSignal(`"${'\\'.repeat(63_001)}"`),
  `{"type":"${'x'.repeat(65_000)}"}`,
  `{"${'\\u0000'.repeat(10_000)}":1}`,
  `{"type":"JoinRoom","roomId":"${'a'.repeat(65_000)}"}`,
  `{"type":"JoinRoom","roomId":"a","name":"${'\u0301'.repeat(30_000)}"}`,
  `{"type":"JoinRoom","roomId":"a","hello":${'['.repeat(9000)}`,
  `{"type":"JoinRoom","roomId":"a","resumeToken":"${'A'.repeat(60_000)}"}`,
  ' '.repeat(65_536),
  '"'.repeat(65_536),
  '\0'.repeat(65_536),
  `{"__proto__":{"type":"JoinRoom"},"constructor":{},"type":"toString"}`,
]);
/** As deep and as many as is allowed, and as long: the most work that is valid. */
const HEAVY = texts([
  inSignal('['.repeat(15) + ']'.repeat(15)),
  inSignal('{' + Array.from({ length: 500 }, (_, i) => `"${'k'.repeat(100)}${i}":0`).join() + '}'),
  inSignal(`"${'\\u0041'.repeat(10_800)}"`),
  inSignal(`"${'\u{1f33a}'.repeat(16_000)}"`),
  inSignal('9'.repeat(65_000)),
  '{"type":"Signal",' + Array.from({ length: 500 }, (_, i) => `"${'\\u006b'.repeat(15)}${i}":0`).join() + ',"peerId":"x","message":1}',
]);

/** Requests that are wrong, odd or big, with what no parser should read twice. */
const ODD_HTTP = [
  'GET / HTTP/1.1\r\n\r\n', 'GET /room/tea HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999999999999\r\n\r\n', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n',
  `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, `GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(20_000)}\r\n`, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`, `GET / HTTP/1.1\r\n${'X'.repeat(70_000)}: y\r\n\r\n`,
  'GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n', 'GET / HTTP/1.1\nHost: x\n\n', '\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n', 'GET http://[::1]/ HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0,1-1,2-2\r\nIf-None-Match: *\r\n\r\n', 'HEAD /room/tea HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(120), 'GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + '\x00'.repeat(500), '\x80\x9e\x01\x03\x01', 'SSH-2.0-x\r\n', 'EHLO x\r\n', '\0'.repeat(9000), '\x00\x00\x12\x04\x00\x00\x00\x00\x00', '{"type":"JoinRoom"}\n',
];

/** Ways to be slow, each with what it says first, and then says once a second. @type {[string, string | Buffer, (string | Buffer | undefined)?][]} */
const SLOW_HTTP = [
  ['nothing at all', ''],
  ['half a request line', 'GET /room/te'],
  ['a request line byte by byte', 'GET /', 'a'],
  ['a head byte by byte', 'GET /room/tea HTTP/1.1\r\nHost: x\r\n', 'X-A: b\r\n'],
  ['half a head', 'GET /room/tea HTTP/1.1\r\nHost: x\r\nX-'],
  ['kept alive and idle', 'GET /room/tea HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a slow second head', 'GET /room/tea HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n', 'X-A: b\r\n'],
  ['TLS to a port that has none', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '\x00'],
  ['half a handshake', openingRequest({ host: 'x' }).slice(0, -2)],
  ['a slow handshake', openingRequest({ host: 'x' }).slice(0, -2), 'X-A: b\r\n'],
];
/** @type {typeof SLOW_HTTP} */
const SLOW_FRAMES = [
  ['half the head of a frame', Buffer.from([0x81])],
  ['the head of a frame, and no more', frameBytes({ payload: '', declared: 60_000 })],
  ['a byte a second inside a frame', frameBytes({ payload: 'x', declared: 60_000 }), 'x'],
  ['a fragment a second', frameBytes({ payload: '{', fin: false }), frameBytes({ opcode: CONTINUATION, payload: ' ', fin: false })],
  ['an empty fragment a second', frameBytes({ payload: '', fin: false }), frameBytes({ opcode: CONTINUATION, payload: '', fin: false })],
];

/** @type {Case[]} */
export const cases = [
  { name: 'R21: 20,000 Signals a second to a room mate', run: flood(({ mate }) => signalTo(mate.peerId, '{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host"}')) },
  { name: 'R21: 20,000 of bad JSON a second', run: flood(() => '{"type":"Signal","peerId":') },
  { name: 'R21: 20,000 of unknown types a second', run: flood(() => '{"type":"LockRooom","locked":true}') },
  { name: 'R21: 20,000 of what needs a room, a lock or a token, a second', run: async (attack) => {
    const kinds = texts(['{"type":"LockRoom","locked":true}', '{"type":"Admit","peerId":"x"}', '{"type":"Deny","peerId":"x"}', '{"type":"RefreshIceServers"}', '{"type":"JoinRoom","roomId":"a","resumeToken":"AAAA"}', '{"type":"LeaveRoom"}', '{"type":"JoinRoom","roomId":"b"}']);
    await throwing(kinds, FLOOD_PER_S)(attack);
  } },
  { name: 'R24: 20,000 Signals a second, no limit of rate', options: OPEN, run: flood(({ mate }) => signalTo(mate.peerId, '{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host"}')) },
  { name: 'R24: 20,000 of unknown types a second, no limit of rate', options: OPEN, run: flood(() => '{"type":"LockRooom","locked":true}') },
  { name: 'R23: a deaf reader, fed by eight senders of 12 kB', seconds: 4, run: (attack) => deafReaders(attack, 1, 400) },
  { name: 'R23: eight deaf readers, fed by eight senders of 12 kB, no limit of rate', options: OPEN, seconds: 4, run: (attack) => deafReaders(attack, 8, 1600) },
  { name: 'R23: twelve deaf readers and 4 MiB for all queues, no limit of rate', options: [...OPEN, '--queues-max', '4'], seconds: 4, run: (attack) => deafReaders(attack, 12, 1600) },
  { name: 'R67: 1,500 connections where 300 descriptors are', descriptors: '300', seconds: 5, long: true, run: exhaustDescriptors },
  { name: 'R4, R18: slow in every way', options: ['--ping-after', '3', '--gone-after', '8'], seconds: 16, settleMs: 40_000, long: true, run: slowInEveryWay },
  { name: 'R33: bombs of JSON', run: throwing(BOMBS) },
  { name: 'R33: bombs of JSON, no limit of rate', options: OPEN, run: throwing(BOMBS, 1000) },
  { name: 'R24: the heaviest valid messages, no limit of rate', options: OPEN, run: throwing(HEAVY, 800) },
  { name: 'R37: JoinRoom and LeaveRoom by turns', run: (attack) => joinAndLeave(attack, () => randomUUID()) },
  { name: 'R24: JoinRoom and LeaveRoom by turns in full rooms, no limit of rate', options: OPEN, run: (attack) => joinAndLeave(attack, (n) => `crowded-${n % 4}`) },
  { name: 'R28: rooms whose names hardly differ, no limit of rate', options: OPEN, run: (attack) => joinAndLeave(attack, (n) => 'a'.repeat(1 + (n % 40)) + String.fromCharCode(97 + (n % 7)) + 'a'.repeat(20)) },
  { name: 'R32: 1,500 rooms at once, and all of them gone at once, no limit of rate', options: OPEN, long: true, run: manyRooms },
  { name: 'R37: a join storm from 200 addresses', run: joinStorm },
  { name: 'R22: 100,000 pings whose pongs nobody reads', run: async (attack) => {
    const guest = await attack.member();
    assert.ok(guest);
    guest.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 500 }, () => frameBytes({ opcode: PING, payload: 'x'.repeat(125) })));
    await attack.paced(33_400 / 500, (count) => {
      for (let i = 0; i < count; i++) if (guest.throw(pings)) attack.messages += 500;
      return !guest.ended;
    });
  } },
  { name: 'R22: pings and pongs of eight who read', run: async (attack) => {
    const mixed = Buffer.concat(Array.from({ length: 100 }, (_, i) => frameBytes({ opcode: i % 2 ? PING : PONG, payload: 'x'.repeat(i) })));
    await attack.crowd(8, async () => {
      const guest = await attack.member();
      if (!guest) return;
      await attack.paced(50, (count) => {
        for (let i = 0; i < count; i++) if (guest.throw(mixed)) attack.messages += 100;
        return !guest.ended;
      });
      guest.cut();
    });
  } },
  { name: 'R18: empty fragments for ever', run: async (attack) => {
    const more = Buffer.concat(Array.from({ length: 500 }, () => frameBytes({ opcode: CONTINUATION, payload: '', fin: false })));
    await attack.crowd(4, async () => {
      const guest = await attack.member();
      if (!guest) return;
      guest.frame({ opcode: TEXT, payload: '', fin: false });
      await attack.paced(20, (count) => {
        for (let i = 0; i < count; i++) if (guest.throw(more)) attack.messages += 500;
        return !guest.ended;
      });
      guest.cut();
    });
  } },
  { name: 'R18: fragments of one byte up to the limit, and never the last', run: async (attack) => {
    const more = Buffer.concat(Array.from({ length: 500 }, () => frameBytes({ opcode: CONTINUATION, payload: ' ', fin: false })));
    await attack.crowd(4, async () => {
      const guest = await attack.member();
      if (!guest) return;
      guest.frame({ opcode: TEXT, payload: '{', fin: false });
      await attack.paced(20, (count) => {
        for (let i = 0; i < count; i++) if (guest.throw(more)) attack.messages += 500;
        return !guest.ended;
      });
      guest.cut();
    });
  } },
  { name: 'R18: huge lengths, declared and not sent', run: async (attack) => {
    const lengths = [65_537n, 2n ** 31n, 2n ** 32n, 2n ** 32n + 10n, 2n ** 40n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
    let at = 0;
    await attack.crowd(8, async () => {
      const guest = await attack.websocket();
      if (!guest) return;
      const length = lengths[at++ % lengths.length];
      for (const opcode of [TEXT, BINARY, CONTINUATION, PING]) if (guest.throw(frameBytes({ opcode, payload: 'xy', declared: length }))) attack.messages++;
      await guest.changes.until(() => guest.ended, 'its end', 300).catch(() => {}); // some only end when they say more
      guest.cut();
    });
  } },
  { name: 'R18: frames at random', run: async (attack) => {
    const random = (/** @type {number} */ n) => Math.floor(Math.random() * n);
    await attack.crowd(8, async () => {
      const guest = await attack.member();
      if (!guest) return;
      for (let i = 0; i < 10; i++) {
        const sent = guest.frame({ opcode: random(16), fin: random(4) > 0, rsv: random(10) ? 0 : random(8), masked: random(10) > 0, payload: randomBytes(random(300)), declared: random(8) ? undefined : random(70_000) });
        if (sent) attack.messages++;
      }
      if (random(2)) guest.leave();
      await pause(5);
      guest.cut();
    });
  } },
  { name: 'R26: games with the end', run: closingGames },
  { name: 'R13: connections that come and go, all at once', run: async (attack) => {
    await attack.crowd(50, async () => {
      const guest = attack.connect();
      await guest.connected();
      if (attack.connections % 2) guest.cut();
      else guest.leave();
    });
  } },
  { name: 'R13: one address that opens as many as it can', run: async (attack) => {
    const from = attack.address();
    await attack.crowd(50, async () => {
      const guest = attack.connect(from);
      await guest.changes.until(() => guest.ended, 'its end', 200).catch(() => {});
      if (attack.connections % 3 === 0) guest.socket.destroy();
    });
  } },
  { name: 'R69: what wants to be a line of the log', options: ['--log-level', 'debug'], run: logInjection },
  { name: 'R5: odd and oversized HTTP', run: (attack) => throwHttp(attack, ODD_HTTP) },
  { name: 'R5: pages, pictures and nonsense by turns, kept alive', run: (attack) => throwHttp(attack, ['GET /room/tea HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50), 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20), 'GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(90)]) },
  { name: 'R15: handshakes that are none', run: (attack) => throwHttp(attack, [
    openingRequest({ host: 'x', key: 'short' }), openingRequest({ host: 'x', key: 'A'.repeat(5000) }), openingRequest({ host: 'x', version: '8' }), openingRequest({ host: 'x', http: '1.0' }), openingRequest({ host: 'x', method: 'POST' }), openingRequest({ host: 'x', path: '/ws/../ws' }),
    openingRequest({ host: 'x', headers: [['Origin', 'http://evil.example']] }), openingRequest({ host: 'x', headers: [['Origin', 'null']] }), openingRequest({ host: 'x', headers: [['Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits=8'], ['Sec-WebSocket-Protocol', 'x,'.repeat(1000)]] }),
    openingRequest({ host: 'x', headers: Array.from({ length: 90 }, (_, i) => [`Sec-WebSocket-${i}`, 'x']) }), openingRequest({ host: 'x' }) + openingRequest({ host: 'x' }), openingRequest({ host: 'x' }) + 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    openingRequest({ host: 'x' }) + frameBytes({ payload: '{"type":"JoinRoom","roomId":"early"}' }).toString('latin1'),
  ]) },
];

/** @param {Attack} attack @param {number} readers @param {number} perSecond */
async function deafReaders(attack, readers, perSecond) {
  const senders = /** @type {{ guest: Guest, frame: Buffer }[]} */ ([]);
  const rooms = await Promise.all(Array.from({ length: attack.share(readers) }, async () => {
    const roomId = randomUUID();
    const deaf = await attack.member(roomId);
    assert.ok(deaf);
    deaf.socket.pause();
    return { roomId, frame: frameBytes({ payload: signalTo(deaf.peerId, `"${'x'.repeat(12_000)}"`) }) };
  }));
  for (let i = 0; i < Math.max(8, rooms.length); i++) {
    const { roomId, frame } = rooms[i % rooms.length];
    const guest = await attack.member(roomId);
    assert.ok(guest);
    senders.push({ guest, frame });
  }
  let at = 0;
  await attack.paced(perSecond, (count) => {
    for (let i = 0; i < count; i++, at++) if (senders[at % senders.length].guest.throw(senders[at % senders.length].frame)) attack.messages++;
  });
  const metrics = await (await fetch(`http://127.0.0.1:${attack.server.opsPort}/metrics`)).text();
  const closed = Number(/aloha_websockets_closed_total\{reason="slow"\} (\d+)/.exec(metrics)?.[1]);
  attack.note = `${closed} closed 4002`;
  if (attack.strength === 1) assert.ok(closed > 0, 'who does not read is closed'); // the kernel's own buffers take some MB first
}

/** @param {Attack} attack */
async function exhaustDescriptors(attack) {
  const { server } = attack;
  const linesBefore = server.stderr.split('\n').length;
  for (let i = 0; i < 1500; i++) {
    attack.connect();
    if (i % 100 === 99) await pause(1); // the backlog of the kernel is 1,024
  }
  await pause(500);
  const [cpu, start] = [await cpuSeconds(server.pid), Date.now()];
  await pause(attack.ends - Date.now()); // a spin needs time to be seen
  const seconds = (Date.now() - start) / 1000;
  const used = ((await cpuSeconds(server.pid)) - cpu) / seconds;
  const lines = (server.stderr.split('\n').length - linesBefore) / seconds;
  const held = attack.guests.size;
  attack.note = `${held} held, ${(used * 100).toFixed(1)} % of a core, ${lines.toFixed(1)} log lines/s`;
  assert.ok(held < 300 && held > 100, `${held} connections are held`);
  assert.ok(lines <= 1, attack.note);
  // The canaries' own messages are part of it; the sanitizers make them dear.
  assert.ok(used < 0.1, attack.note);
}

/** @param {Attack} attack */
async function slowInEveryWay(attack) {
  const many = 8; // of each kind; all kinds together are far more than the 24 descriptors that may stay
  /** @type {[string, Guest][]} */
  const all = [];
  const timers = [];
  for (const [name, first, then] of SLOW_HTTP) {
    for (let i = 0; i < many; i++) {
      const guest = attack.connect();
      guest.throw(first);
      if (then) timers.push(setInterval(() => guest.throw(then), 1000));
      all.push([name, guest]);
    }
  }
  for (const [name, first, then] of SLOW_FRAMES) {
    for (let i = 0; i < many; i++) {
      const guest = await attack.member();
      if (!guest) continue;
      guest.throw(first);
      if (then) timers.push(setInterval(() => guest.throw(then), 1000));
      all.push([name, guest]);
    }
  }
  for (let i = 0; i < many * 4; i++) { // the server's descriptors tell when these are gone: they hear nothing themselves
    const guest = attack.connect(undefined, { deaf: true });
    guest.throw('GET /room/tea HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(90));
  }
  attack.messages = all.length;
  await pause(attack.ends - Date.now());
  const late = Date.now() + 15_000;
  try {
    for (const [name, guest] of all) await guest.changes.until(() => guest.ended, `the end of ${name}`, Math.max(1, late - Date.now()));
  } finally {
    for (const timer of timers) clearInterval(timer);
  }
}

/** @param {Attack} attack @param {(n: number) => string} roomOf */
async function joinAndLeave(attack, roomOf) {
  let n = 0;
  await attack.crowd(30, async () => {
    const guest = await attack.websocket();
    if (!guest) return;
    await attack.paced(100, (count) => {
      for (let i = 0; i < count; i++) {
        guest.say({ type: 'JoinRoom', roomId: roomOf(n++), name: 'n'.repeat(n % 64), hello: { n } });
        guest.say('{"type":"LeaveRoom"}');
      }
      attack.messages += 2 * count;
      return !guest.ended;
    });
    guest.cut();
  });
}

/** @param {Attack} attack */
async function manyRooms(attack) {
  const all = [];
  for (let i = 0; i < attack.share(15) && attack.goesOn; i++) all.push(...(await Promise.all(Array.from({ length: 100 }, () => attack.member()))));
  attack.messages = all.filter(Boolean).length;
  for (const [i, guest] of all.entries()) if (i % 2) guest?.cut();
  for (const guest of all) guest?.leave();
  await pause(attack.ends - Date.now());
}

/** @param {Attack} attack */
async function joinStorm(attack) {
  const addresses = Array.from({ length: attack.share(200) }, () => attack.address());
  await Promise.all(addresses.map(async (from, i) => {
    while (attack.goesOn) {
      const guest = await attack.websocket(from);
      if (!guest) return;
      for (let n = 0; n < 5; n++) if (guest.say({ type: 'JoinRoom', roomId: `storm-${i % 20}` })) attack.messages++;
      await pause(200);
      guest.cut();
    }
  }));
}

/** @param {Attack} attack */
async function closingGames(attack) {
  const bye = frameBytes({ opcode: CLOSE, payload: closePayload(1000) });
  /** @type {((guest: Guest) => void)[]} */
  const games = [
    (guest) => guest.throw(Buffer.concat([bye, frameBytes({ payload: '{"type":"JoinRoom","roomId":"late"}' }), bye, bye])),
    (guest) => guest.socket.end(),
    (guest) => {
      guest.throw(bye);
      guest.socket.end();
    },
    (guest) => {
      guest.throw(frameBytes({ opcode: BINARY, payload: 'x' })); // and the server's close is never answered
      guest.socket.pause();
    },
    (guest) => {
      guest.throw(frameBytes({ payload: 'x', rsv: 4 }));
      for (let i = 0; i < 20; i++) guest.throw(frameBytes({ payload: '{"type":"LeaveRoom"}' }));
    },
    (guest) => {
      guest.throw(frameBytes({ payload: '{"type"', fin: false }));
      guest.cut();
    },
    (guest) => {
      guest.throw(bye.subarray(0, 3));
      guest.socket.end();
    },
    (guest) => {
      for (const code of [0, 999, 1005, 1006, 1015, 65_535]) guest.throw(frameBytes({ opcode: CLOSE, payload: closePayload(code, Buffer.alloc(100, 0xff)) }));
    },
    (guest) => guest.cut(),
  ];
  let at = 0;
  await attack.crowd(16, async () => {
    const n = at++;
    if (n % 10 === 9) { // and before it is a WebSocket at all
      const guest = attack.connect();
      guest.throw(openingRequest({ host: 'x' }).slice(0, n % 150));
      guest.cut();
      return;
    }
    const guest = await (n % 2 ? attack.member() : attack.websocket());
    if (!guest) return;
    attack.messages++;
    games[n % games.length](guest);
    await guest.changes.until(() => guest.ended, 'its end', 100).catch(() => {});
    if (n % 3) guest.cut();
  });
}

/** @param {Attack} attack */
async function logInjection(attack) {
  const evil = ['\r\nts=2026-01-01T00:00:00.000Z level=error event=forged', '\n\x1b[2J\x1b[31mred', '\0\x07\x08\x7f', '" event="forged', '\\', '%s%n%x', '\xff\xfe\x80', '\u2028\u202e', '\x9b31m', `${'"'.repeat(3000)}`, '${jndi:ldap://x/}'];
  let at = 0;
  await attack.crowd(6, async () => {
    const text = evil[at++ % evil.length];
    const page = attack.connect();
    page.throw(`GET /room/${text} HTTP/1.1\r\nHost: ${text}\r\nUser-Agent: ${text}\r\n${text}: ${text}\r\n\r\n`);
    const socket = await attack.websocket();
    for (const message of [
      { type: 'JoinRoom', roomId: text }, { type: text }, { type: 'JoinRoom', roomId: 'log', name: text }, { type: 'JoinRoom', roomId: 'log' },
      { type: 'Signal', peerId: text, message: text }, { type: 'JoinRoom', roomId: 'log', resumeToken: text },
    ]) if (socket?.say(message)) attack.messages++;
    socket?.frame({ opcode: CLOSE, payload: closePayload(1000, text.slice(0, 100)) });
    await pause(20);
    page.cut();
    socket?.cut();
  });
}

/** @param {Attack} attack @param {string[]} requests */
async function throwHttp(attack, requests) {
  let at = 0;
  await attack.crowd(12, async () => {
    const guest = attack.connect();
    if (!(await guest.connected())) return;
    if (guest.throw(requests[at++ % requests.length])) attack.messages++;
    await guest.changes.until(() => guest.ended, 'its end', 60).catch(() => {});
    guest.cut();
  });
}
