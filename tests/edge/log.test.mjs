// The log: its two formats, the journal, what it tells and what it never tells (R69), and a reader that has stopped reading.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, readSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Connection, fetchRaw, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { assertTellsNothing } from '../lib/privacy.mjs';
import { UNLIMITED, binaryPath, cleanEnvironment, repository, runToEnd, startServer } from '../lib/server.mjs';
import { Changes, pause } from '../lib/wait.mjs';
import { RawWebSocket } from '../lib/websocket.mjs';

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

const OFFER = { type: 'offer', sdp: 'v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\na=ice-ufrag:SaidUfrag\r\na=ice-pwd:SaidPwd\r\na=fingerprint:sha-256 AB:CD\r\n' };
const CANDIDATE = { candidate: 'candidate:1 1 udp 1 198.51.100.8 4000 typ host' };
const FORWARDED = '203.0.113.77';
const IPV6 = '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff';

/** Everything that people and strangers do to a server, once. Returns what of it nobody may read. @param {Server & { port: number, host: string }} server */
async function liveALife(server) {
  const roomId = `SaidRoom-${freshRoom()}`;
  const headers = { 'X-Forwarded-For': FORWARDED };
  /** @type {(Participant & { joined: any })[]} */
  const people = [];
  for (const name of ['SaidAnn', 'SaidBen', 'SaidCleo']) {
    const one = await Participant.connect(server, { headers });
    const joined = await one.join(roomId, { name });
    for (const other of people) await other.receive('UserJoined');
    people.push(Object.assign(one, { joined }));
  }
  const [ann, ben, cleo] = people;
  ann.signal(ben.peerId, { description: OFFER });
  ann.signal(ben.peerId, { candidate: CANDIDATE });
  await ben.receive('Signal');
  await ben.receive('Signal');

  // A locked room, somebody at its door, and a token that is good, and one that is not.
  ann.send({ type: 'LockRoom', locked: true });
  for (const one of people) await one.receive('RoomLocked');
  const knocking = await Participant.connect(server, { headers: { 'X-Forwarded-For': IPV6 } });
  knocking.send({ type: 'JoinRoom', roomId, name: 'SaidDan' });
  await knocking.receive('Waiting');
  cleo.destroy();
  await cleo.closed();
  const back = await Participant.connect(server, { headers });
  await back.join(roomId, { name: 'SaidCleo', resumeToken: cleo.joined.resumeToken });
  const forged = `${cleo.joined.resumeToken.slice(0, -4)}AAAA`;
  const forger = await Participant.connect(server, { headers });
  forger.send({ type: 'JoinRoom', roomId, name: 'SaidEve', resumeToken: forged });
  await forger.receiveError('bad-resume-token');

  // Refused origins, garbage, bad messages, and pages of rooms.
  // From an address that no server has: the cut one may be told, the whole one not even at the debug level.
  for (const origin of ['https://said-origin.example', `http://${server.host}.evil.example`]) {
    const page = new Participant(server, { origin, options: { localAddress: '127.1.2.3' } });
    await page.closed();
  }
  for (const text of ['SaidBad\n\u001b[31m', '{"type":"SaidType"}', JSON.stringify({ type: 'Signal', peerId: ann.peerId, message: 'SaidMessage' })]) forger.send(text);
  await forger.receiveError('bad-message');
  await forger.receiveError('unknown-type');
  await forger.receiveError('not-in-room');
  for (const bytes of ['SaidGarbage\x1b[31m\x00\xff\r\n\r\n', request(`/room/${roomId}`, { host: server.host, headers: { ...headers, Cookie: 'SaidCookie' } }), request('/SaidPath%0aevent=forged'),
    request('/ws', { headers: { ...headers, Upgrade: 'SaidUpgrade', Connection: 'Upgrade' } }), 'GET / HTTP/1.1\r\nHost: a b\x1b[0m\r\n\r\n']) {
    const connection = await new Connection(server.port).open();
    connection.write(bytes);
    connection.socket.end();
    await connection.closed();
    connection.destroy();
  }
  const broken = await RawWebSocket.open(server);
  broken.frame({ payload: 'SaidFrame', opcode: 3 });
  await broken.connection.closed();
  broken.destroy();
  await ann.leave();
  for (const one of [ben, back, knocking, forger]) one.destroy();

  const peers = [...people, back].map((one) => one.peerId);
  return { never: ['Said', 'said-origin', FORWARDED, '127.1.2.3', 'aaaa:bbbb', '198.51.100', roomId, forged, ...people.map((one) => one.joined.resumeToken)], atInfo: [...peers, 'evil.example', 'origin.example'] };
}

describe('the log tells nothing', () => {
  for (const level of ['info', 'debug']) {
    for (const format of ['logfmt', 'json']) {
      it(`R69: of a whole life, at the ${level} level, in ${format}`, async () => {
        const server = await startServer([...UNLIMITED, '--trusted-proxies', '127.0.0.1', '--log-level', level, '--log-format', format]);
        const secrets = await liveALife(server);
        if (level === 'debug') secrets.never = secrets.never.filter((one) => one !== 'said-origin'); // which page asked is what an operator looks for there
        await server.logged('origin_refused'); // these two come with the next second
        await server.logged('resume_refused');
        await server.endsCleanly();
        assert.equal(server.log.some((line) => Object.values(line).includes('127.1.2.0/24')), level === 'debug');
        for (const event of ['listening', 'ready', 'room_opened', 'draining', 'closed']) assert.ok(server.log.some((line) => line.event === event), event);
        assert.ok(assertTellsNothing(server.stderr, secrets) >= 7);
        assert.equal(server.log.filter((line) => line.event === 'forged').length, 0);
      });
    }
  }

  it('a room has one name as long as the process lives, and another in the next', async () => {
    const named = async () => {
      const server = await startServer();
      for (let i = 0; i < 2; i++) {
        const one = await Participant.join(server, 'tea');
        await one.leave();
        await server.changes.until(() => server.log.filter((line) => line.event === 'room_closed').length > i, 'the room closed');
      }
      await server.endsCleanly();
      const rooms = server.log.filter((line) => line.event.startsWith('room_')).map((line) => `${line.event} ${line.room} ${line.rooms}`);
      const [, name] = rooms[0].split(' ');
      assert.match(name, /^[0-9a-f]{8}$/);
      assert.deepEqual(rooms, [`room_opened ${name} 1`, `room_closed ${name} 0`, `room_opened ${name} 1`, `room_closed ${name} 0`]);
      return name;
    };
    assert.notEqual(await named(), await named());
  });
});

describe('the log as JSON', () => {
  it('each line is an object for JSON.parse, with the names of logfmt, and numbers are numbers', async () => {
    const server = await startServer([...UNLIMITED, '--log-format', 'json', '--log-level', 'debug']);
    await assertServes(server);
    await fetchRaw(server.port, '/nothing-here');
    const wild = new Participant(server, { origin: 'http://b"\\.example' });
    await wild.closed();
    await server.endsCleanly();
    const lines = server.stderr.split('\n').filter((line) => line !== '');
    assert.ok(lines.length > 8);
    for (const line of lines) {
      assert.match(line, /^[\x20-\x7e]{1,1023}$/);
      const object = JSON.parse(line);
      assert.deepEqual(Object.keys(object).slice(0, 3), ['ts', 'level', 'event']);
      assert.equal(new Date(object.ts).toISOString(), object.ts);
    }
    const first = lines.map((line) => JSON.parse(line)).find((line) => line.event === 'listening');
    assert.deepEqual([first.event, first.plane, first.address, first.port], ['listening', 'public', '127.0.0.1', server.port]);
    const refused = lines.map((line) => JSON.parse(line)).find((line) => line.event === 'websocket_refused');
    assert.equal(refused.origin, 'http://b"\\.example');
  });

  it('another format is refused', async () => {
    const { code, stderr } = await runToEnd(['--log-format', 'xml']);
    assert.equal(code, 2);
    assert.equal(stderr, 'aloha: --log-format: "xml" is not logfmt or json\n');
  });
});

/** A place for files of one test. @param {(dir: string) => Promise<void>} work */
async function inDirectory(work) {
  const dir = mkdtempSync(path.join(tmpdir(), 'aloha-log-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * The binary with this descriptor as its standard error; its ports are free ones.
 * @param {string} dir @param {number} stderr @param {string[]} [args] @param {Record<string, string>} [env]
 */
function spawnWithStderr(dir, stderr, args = [], env = {}) {
  const child = spawn(binaryPath(), ['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', ...UNLIMITED, ...args],
    { env: cleanEnvironment({ ALOHA_STATE_DIR: path.join(dir, 'state'), ...env }), stdio: ['ignore', 'pipe', stderr], cwd: '/' });
  const changes = new Changes();
  const process_ = { child, changes, stdout: '', code: /** @type {number | null | undefined} */ (undefined) };
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    process_.stdout += text;
    changes.changed();
  });
  child.on('close', (code) => {
    process_.code = code;
    changes.changed();
  });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.on('close', () => process.off('exit', end));
  return process_;
}

describe('where the log goes', () => {
  it('to the journal: a priority before each line, and the time left to it; to whatever else stands there: neither', () => inDirectory(async (dir) => {
    for (const [format, isJournal, line] of /** @type {[string, boolean, RegExp][]} */ ([
      ['logfmt', true, /^<[3467]>level=(error|warning|info|debug) event=[a-z_]+( |$)/],
      ['json', true, /^<[3467]>\{"ts":"20.*\}$/],
      ['logfmt', false, /^ts=20\S+ level=/],
    ])) {
      const file = path.join(dir, `${format}-${isJournal}`);
      const fd = openSync(file, 'w');
      const { dev, ino } = fstatSync(fd, { bigint: true });
      const server = spawnWithStderr(dir, fd, ['--log-format', format, '--rate-messages', '0'], { JOURNAL_STREAM: `${dev}:${isJournal ? ino : ino + 1n}` });
      await server.changes.until(() => readFileSync(file, 'utf8').includes('ready') || server.stdout.includes('Ctrl-C'), 'a start');
      server.child.kill('SIGTERM');
      await server.changes.until(() => server.code !== undefined, 'the end');
      closeSync(fd);
      const lines = readFileSync(file, 'utf8').split('\n').filter((one) => one !== '');
      assert.ok(lines.length >= 5);
      for (const one of lines) assert.match(one, line);
      const priorities = new Set(lines.map((one) => /^<(\d)>.*level"?[=:]"?(\w+)/.exec(one)?.slice(1, 3).join(' ')));
      assert.deepEqual([...priorities].sort(), isJournal ? ['4 warning', '6 info'] : [undefined]);
    }
  }));

  it('a reader that has stopped reading stalls nothing, at no level, from the start to the end', () => inDirectory(async (dir) => {
    // A pipe of which nobody takes anything, full to the last byte before the server begins. The server's end of it blocks.
    const fifo = path.join(dir, 'log');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const filler = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    const fill = () => {
      for (const size of [4096, 1]) {
        try {
          for (;;) writeSync(filler, Buffer.alloc(size, 'x'));
        } catch (error) {
          assert.equal(/** @type {NodeJS.ErrnoException} */ (error).code, 'EAGAIN');
        }
      }
    };
    fill();
    const fd = openSync(fifo, constants.O_WRONLY);
    const server = spawnWithStderr(dir, fd, ['--log-level', 'debug']);
    closeSync(fd);
    try {
      const port = await server.changes.until(() => Number(/http:\/\/\S+?:(\d+)/.exec(server.stdout)?.[1]) || undefined, 'an address on stdout');
      const where = { host: `127.0.0.1:${port}` };
      for (let i = 0; i < 200; i++) await fetchRaw(port, '/nothing-here');
      const people = await Promise.all(Array.from({ length: 20 }, () => roomOf(where, 2)));
      for (const pair of people) await pair.end();
      await assertServes(where);

      // Somebody reads again: what was lost is told, and how much it was.
      const bytes = Buffer.alloc(65536);
      let text = '';
      const read = () => {
        try {
          for (let size = 1; size;) text += bytes.toString('latin1', 0, (size = readSync(reader, bytes)));
        } catch (error) {
          assert.equal(/** @type {NodeJS.ErrnoException} */ (error).code, 'EAGAIN');
        }
        return text.replace(/^x+/, '');
      };
      assert.equal(read(), '', 'not a byte went into the full pipe');
      while (!/event=log_dropped lines=[1-9]\d+\n/.test(read())) { // the next line of another second
        await fetchRaw(port, '/nothing-here');
        await pause(50);
      }
      fill();
      server.child.kill('SIGTERM');
      await server.changes.until(() => server.code !== undefined, 'the end');
      assert.equal(server.code, 0);
    } finally {
      server.child.kill('SIGKILL');
      closeSync(reader);
      closeSync(filler);
    }
  }));
});

describe('limits in the log', () => {
  /** @type {Server} */
  let server;
  before(async () => {
    server = await startServer([...UNLIMITED, '--room-peers-max', '2', '--connections-max', '8']);
  });
  after(() => server.child.kill('SIGKILL'));

  it('what is met a hundred times is one line at once, and no second one', async () => {
    const pair = await roomOf(server, 2);
    const third = await Participant.connect(server);
    for (let i = 0; i < 10; i++) {
      third.send({ type: 'JoinRoom', roomId: pair.roomId });
      await third.receiveError('room-full');
    }
    const line = await server.logged('limit_reached', { kind: 'room' });
    assert.deepEqual([line.level, Number(line.count) >= 1], ['info', true]);
    const origin = 'http://elsewhere.example';
    for (let i = 0; i < 5; i++) await new Participant(server, { origin }).closed();
    assert.equal((await server.logged('origin_refused')).level, 'warning');
    const others = await Promise.all(Array.from({ length: 20 }, () => new Connection(server.port).open()));
    assert.equal((await server.logged('limit_reached', { kind: 'connections' })).level, 'warning');
    for (const one of others) one.destroy();
    for (let i = 0; i < 20; i++) {
      third.send({ type: 'JoinRoom', roomId: pair.roomId });
      await third.receiveError('room-full');
    }
    await pair.end();
    third.destroy();
    await server.endsCleanly();
    assert.equal(server.log.filter((l) => l.event === 'limit_reached' && l.kind === 'room').length, 1);
    assert.equal(server.log.filter((l) => l.event === 'origin_refused').length, 1);
  });
});

/** Events whose names are no first argument: of log.c, notices.c and tls_store.c. */
const NAMED_ELSEWHERE = { log_dropped: 'warning', limit_reached: 'by kind', origin_refused: 'warning', resume_refused: 'info', tls_certificate: 'info', tls_reloaded: 'info' };

describe('the events of the log', () => {
  it('are those of docs/operations.md, each with its level and its fields', () => {
    const page = readFileSync(path.join(repository, 'docs/operations.md'), 'utf8');
    /** @type {Map<string, { level: string, fields: string }>} */
    const told = new Map();
    for (const [, event, level, fields] of page.matchAll(/^\| `([a-z][a-z0-9_]*)` \| (error|warning|info|debug|by kind) \| ([^|]*) \| [^|]+\|$/gm)) {
      told.set(event, { level, fields: [...fields.matchAll(/`(\w+)`/g)].map((m) => m[1]).join(' ') });
    }
    /** @type {Map<string, { level: string, fields: string | undefined }>} */
    const written = new Map();
    for (const file of readdirSync(path.join(repository, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.c')) continue;
      const code = readFileSync(path.join(repository, 'src', file), 'utf8');
      for (const [, level, event, rest] of code.matchAll(/\blog_(error|warning|info|debug)\(\s*"(\w+)"((?:[^;"]|"[^"]*")*);/g)) {
        const fields = [...rest.matchAll(/\blog_(?:text|str|uint|room|address)\(\s*"(\w+)"/g)].map((m) => m[1]);
        const known = written.get(event)?.fields?.split(' ') ?? [];
        written.set(event, { level, fields: [...new Set([...known, ...fields])].join(' ') });
      }
      for (const [, level, event] of code.matchAll(/\bLOG_LEVEL_(ERROR|WARNING|INFO|DEBUG), "(\w+)"/g)) written.set(event, { level: level.toLowerCase(), fields: undefined });
    }
    for (const [event, level] of Object.entries(NAMED_ELSEWHERE)) written.set(event, { level, fields: undefined });
    assert.deepEqual([...told.keys()].sort(), [...written.keys()].sort());
    for (const [event, how] of told) {
      const { level, fields } = /** @type {{ level: string, fields: string | undefined }} */ (written.get(event));
      assert.deepEqual(how, { level, fields: fields ?? how.fields }, event);
    }
  });
});
