// The admin API: R41, R42, R43 and R45, and what an operator can do with it. Every answer is held to docs/openapi.yaml.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Connection } from '../lib/http.mjs';
import { openapi } from '../lib/openapi.mjs';
import { askOperator, makeToken, operatorRequest } from '../lib/operator.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { Server, UNLIMITED, binaryPath, cleanEnvironment, repository, serverOfSuite, startServer } from '../lib/server.mjs';
import { giveToServer } from '../lib/user.mjs';

/** @typedef {Parameters<typeof operatorRequest>[2]} How */

const run = promisify(execFile);

/** They go for good, and no seat is kept for them. @param {Participant[]} all */
const leave = (all) => Promise.all(all.map((one) => one.leave()));

describe('admin API', () => {
  const { token, file } = makeToken();
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--ops-token-file', file]);
  /** @param {string} method @param {string} target @param {How} [how] */
  const ask = (method, target, how = {}) => askOperator(server.current, method, target, { token, ...how });

  it('status tells how the server is', async () => {
    const room = await roomOf(server.current, 2);
    const { status, json } = await ask('GET', '/api/v1/status');
    assert.equal(status, 200);
    assert.equal(json.ready, true);
    assert.deepEqual(json.reasons, []);
    assert.deepEqual([json.rooms, json.peers, json.webSockets, json.drain, json.logLevel], [1, 2, 2, false, 'info']);
    await leave(room);
  });

  it('rooms are listed with counts and ages, and with ids only when asked', async () => {
    const tea = `tea-${freshRoom()}`;
    const room = await roomOf(server.current, 3, tea);
    const secret = await ask('GET', '/api/v1/rooms');
    assert.equal(secret.status, 200);
    assert.ok(!secret.text.includes(tea));
    assert.equal(secret.json.total, 1);
    assert.equal(secret.json.rooms[0].peers, 3);
    assert.equal(secret.json.rooms[0].id, undefined);
    const { json } = await ask('GET', '/api/v1/rooms?ids=yes');
    assert.equal(json.rooms[0].id, tea);
    await leave(room);
  });

  it('a long list comes in parts, each room once', async () => {
    const here = await Promise.all(Array.from({ length: 7 }, () => Participant.join(server.current, freshRoom())));
    const seen = [];
    let after = 0;
    for (;;) {
      const { json } = await ask('GET', `/api/v1/rooms?ids=yes&limit=3&after=${after}`);
      assert.ok(json.rooms.length <= 3);
      assert.equal(json.total, 7);
      seen.push(...json.rooms.map((/** @type {any} */ room) => room.id));
      if (json.next === undefined) break;
      after = json.next;
    }
    assert.deepEqual([...seen].sort(), here.map((one) => one.joined.roomId).sort());
    await leave(here);
  });

  it('a room is shown with who is in it', async () => {
    const tea = freshRoom();
    const first = await Participant.join(server.current, tea, { name: 'Mele "x" é' });
    const second = await Participant.join(server.current, tea);
    const { status, json } = await ask('GET', `/api/v1/rooms/${tea}`);
    assert.equal(status, 200);
    assert.deepEqual(json.members.map((/** @type {any} */ m) => [m.peerId, m.state, m.name]), [[first.peerId, 'here', 'Mele "x" é'], [second.peerId, 'here', undefined]]);
    assert.equal((await ask('GET', `/api/v1/rooms/${freshRoom()}`)).status, 404);
    await leave([first, second]);
  });

  it('a peer is removed with 4004, the others hear it, and the token of its seat is worth nothing', async () => {
    const tea = freshRoom();
    const stays = await Participant.join(server.current, tea);
    const goes = await Participant.join(server.current, tea);
    await stays.receive('UserJoined');
    const { status, json } = await ask('DELETE', `/api/v1/peers/${goes.peerId}`);
    assert.deepEqual([status, json], [200, { removed: true }]);
    assert.equal(await goes.closed(), 4004);
    const left = await stays.receive('UserLeft');
    assert.deepEqual([left.peerId, left.reason], [goes.peerId, 'removed']);
    assert.equal((await ask('DELETE', `/api/v1/peers/${goes.peerId}`)).status, 404, 'gone is gone');
    const again = await Participant.connect(server.current);
    again.send({ type: 'JoinRoom', roomId: tea, resumeToken: goes.joined.resumeToken });
    await again.receiveError('bad-resume-token');
    await leave([again, stays]);
  });

  it('a room is closed for all who are in it, and others are not disturbed', async () => {
    const other = await roomOf(server.current, 2);
    const tea = freshRoom();
    const room = await Promise.all(Array.from({ length: 3 }, () => Participant.join(server.current, tea)));
    const { status, json } = await ask('DELETE', `/api/v1/rooms/${tea}`, { body: {} });
    assert.deepEqual([status, json], [200, { closed: true }]);
    for (const one of room) assert.equal(await one.closed(), 4004);
    assert.equal((await ask('DELETE', `/api/v1/rooms/${tea}`)).status, 404);
    other[0].signal(other[1].peerId, 'still here');
    assert.equal((await other[1].receive('Signal')).message, 'still here');
    await leave(other);
  });

  it('drain on: /readyz says so, no new room is made, and those that there are go on; off again', async () => {
    const tea = freshRoom();
    const first = await Participant.join(server.current, tea);
    const on = await ask('PUT', '/api/v1/drain', { body: { on: true } });
    assert.deepEqual([on.status, on.json], [200, { on: true }]);
    const ready = await ask('GET', '/readyz', { token: undefined });
    assert.deepEqual([ready.status, ready.text], [503, 'cordoned\n']);
    assert.equal((await ask('GET', '/healthz', { token: undefined })).status, 200, 'it lives');
    assert.deepEqual((await ask('GET', '/api/v1/status')).json.reasons, ['cordoned']);
    const newcomer = await Participant.connect(server.current);
    newcomer.send({ type: 'JoinRoom', roomId: freshRoom() });
    await newcomer.receiveError('hub-full');
    const second = await Participant.join(server.current, tea);
    await first.receive('UserJoined');
    assert.deepEqual((await ask('PUT', '/api/v1/drain', { body: { on: false } })).json, { on: false });
    assert.deepEqual((await ask('GET', '/readyz', { token: undefined })).text, 'ready\n');
    await assertServes(server.current);
    await leave([first, second, newcomer]);
  });

  it('the log level is set, and the log follows', async () => {
    const { status, json } = await ask('PUT', '/api/v1/log-level', { body: { level: 'debug' } });
    assert.deepEqual([status, json], [200, { level: 'debug' }]);
    assert.equal((await ask('GET', '/api/v1/status')).json.logLevel, 'debug');
    await ask('PUT', '/api/v1/log-level', { body: { level: 'info' } });
  });

  it('R45: who did what is in the log, without the token, the room or the peer', async () => {
    const tea = `tea-${freshRoom()}`;
    const room = await roomOf(server.current, 2, tea);
    const from = server.current.log.length;
    await ask('GET', `/api/v1/rooms/${tea}`);
    await ask('DELETE', `/api/v1/peers/${room[0].peerId}`);
    await ask('DELETE', `/api/v1/rooms/${tea}`);
    await ask('PUT', '/api/v1/drain', { body: { on: false } });
    await ask('GET', '/api/v1/status');
    await ask('POST', '/api/v1/reload');
    const { createHash } = await import('node:crypto');
    const id = createHash('sha256').update(token).digest('hex').slice(0, 8);
    const acted = () => server.current.log.slice(from).filter((line) => line.event === 'operator_acted');
    await server.current.changes.until(() => acted().some((line) => line.action?.startsWith('POST')), 'the last action in the log');
    assert.deepEqual(acted().map((line) => [line.action, line.token, line.client, line.value, line.status]), [
      ['GET /api/v1/rooms/{id}', id, '127.0.0.0/24', undefined, '200'],
      ['DELETE /api/v1/peers/{id}', id, '127.0.0.0/24', undefined, '200'],
      ['DELETE /api/v1/rooms/{id}', id, '127.0.0.0/24', undefined, '200'],
      ['PUT /api/v1/drain', id, '127.0.0.0/24', 'off', '200'],
      ['POST /api/v1/reload', id, '127.0.0.0/24', 'done', '200'],
    ]);
    assert.match(acted()[2].room, /^[0-9a-f]{8}$/);
    assert.match(acted()[1].peer, /^[0-9a-f]{8}$/);
    for (const secret of [token, tea, room[0].peerId, room[1].peerId]) assert.ok(!server.current.stderr.includes(secret), secret);
    await leave(room);
  });

  it('R41: without the right token there is nothing but health and readiness', async () => {
    for (const shown of [undefined, '', 'x', token.slice(1), `${token}0`, token.toUpperCase()]) {
      for (const target of ['/metrics', '/api/v1/status', '/api/v1/nothing', '/nothing']) {
        const { status } = await ask('GET', target, { token: shown });
        assert.ok(status === 401 || status === 429 || (target === '/metrics' && status === 200), `${target}: ${status}`);
      }
      assert.equal((await ask('GET', '/healthz', { token: shown })).status, 200);
      assert.equal((await ask('GET', '/readyz', { token: shown })).status, 200);
    }
    assert.equal((await ask('GET', '/api/v1/status')).status, 200, 'who has it is let in whatever others do');
    assert.equal((await ask('GET', '/api/v1/status', { headers: { Authorization: `Bearer ${token}` } })).status, 400, 'not two of them');
  });

  it('R42: what changes something has to be JSON, and bodies are what they have to be', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      assert.equal((await ask('PUT', '/api/v1/drain', { body: { on: true }, headers: { 'Content-Type': type } })).status, 415, type);
    }
    for (const body of ['', '{}', 'on', '{"on":1}', '{"on":true,"on":true}', '{"on":true}{"on":true}', '{"on":true,"more":1}', '['.repeat(60_000), '\0', '{"on":true\xff}']) {
      assert.equal((await ask('PUT', '/api/v1/drain', { body })).status, 400, body.slice(0, 40));
    }
    assert.equal((await ask('DELETE', `/api/v1/rooms/${freshRoom()}`, { body: { all: true } })).status, 400);
    assert.equal((await ask('PUT', '/api/v1/log-level', { body: { level: 'loud' } })).status, 400);
    assert.equal((await ask('GET', '/api/v1/status', { body: '{}' })).status, 400, 'a body where none belongs');
    assert.equal((await ask('GET', '/readyz')).text, 'ready\n', 'nothing of this has changed anything');
  });

  it('R43: a body of 64 KiB is read in whatever pieces it comes; one more byte is 413 before it is read', async () => {
    const body = `{"on":${' '.repeat(65536 - 11)}true}`;
    const bytes = operatorRequest('PUT', '/api/v1/drain', { token, body });
    const connection = await new Connection(/** @type {number} */ (server.current.opsPort)).open();
    for (let at = 0; at < bytes.length; at += 9973) {
      connection.write(bytes.slice(at, at + 9973));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await connection.response({ check: false })).status, 200);
    connection.destroy();
    await ask('PUT', '/api/v1/drain', { body: { on: false } });
    const big = await ask('PUT', '/api/v1/drain', { headers: { 'Content-Length': '65537' } });
    assert.deepEqual([big.status, big.json.code], [413, 'body-too-big']);
  });

  it('R43: who sends a body too slowly is cut off, and others are answered meanwhile', async () => {
    const slow = await new Connection(/** @type {number} */ (server.current.opsPort)).open();
    slow.write(operatorRequest('PUT', '/api/v1/drain', { token, body: '{"on":', headers: { 'Content-Length': '11' } }));
    assert.equal((await ask('GET', '/api/v1/status')).status, 200);
    const drip = setInterval(() => slow.write(' '), 2000);
    await slow.closed(20_000);
    clearInterval(drip);
    slow.destroy();
    assert.equal((await ask('GET', '/readyz')).text, 'ready\n');
  });

  it('R42: a wrong token is answered later than a good one that came after it, and nobody waits', async () => {
    const fresh = await startServer([...UNLIMITED, '--ops-token-file', file]);
    try {
      const wrong = await new Connection(/** @type {number} */ (fresh.opsPort)).open();
      wrong.write(operatorRequest('GET', '/api/v1/status', { token: 'x'.repeat(64) }));
      for (let i = 0; i < 5; i++) assert.equal((await askOperator(fresh, 'GET', '/api/v1/status', { token })).status, 200);
      assert.equal(wrong.input.length, 0, 'the one who came first still waits');
      assert.equal((await wrong.response({ check: false })).status, 401);
      wrong.destroy();
      // Who goes while he waits, and an end while somebody waits, leave nothing behind.
      const gone = await new Connection(/** @type {number} */ (fresh.opsPort)).open();
      gone.write(operatorRequest('GET', '/api/v1/status'));
      gone.destroy();
      const waiting = await new Connection(/** @type {number} */ (fresh.opsPort)).open();
      waiting.write(operatorRequest('GET', '/metrics', { token: 'y'.repeat(64) }));
      assert.equal((await askOperator(fresh, 'GET', '/healthz')).status, 200);
      await fresh.endsCleanly();
      waiting.destroy();
    } finally {
      fresh.child.kill('SIGKILL');
    }
  });

  it('R42: ten wrong tokens, then 429 with Retry-After; the right one is still let in', async () => {
    const fresh = await startServer([...UNLIMITED, '--ops-token-file', file]);
    try {
      const statuses = (await Promise.all(Array.from({ length: 12 }, () => askOperator(fresh, 'GET', '/api/v1/rooms', { token: 'z'.repeat(64) })))).map((a) => a.status);
      assert.deepEqual(statuses.sort(), [...Array(10).fill(401), 429, 429]);
      const { header } = await askOperator(fresh, 'GET', '/nowhere');
      assert.ok(Number(header('retry-after')) > 1700 && Number(header('retry-after')) <= 1800);
      assert.equal((await askOperator(fresh, 'GET', '/api/v1/rooms', { token })).status, 200);
      assert.equal((await askOperator(fresh, 'GET', '/healthz')).status, 200);
      const refused = await fresh.logged('operator_refused', { status: '429' });
      assert.equal(refused.client, '127.0.0.0/24');
      const lines = fresh.stderr.split('\n').filter((line) => /event=operator_refused .*status=429/.test(line));
      assert.equal(lines.length, 1, 'R69: who asks on takes no room from others in the log');
      await fresh.endsCleanly();
    } finally {
      fresh.child.kill('SIGKILL');
    }
  });

  it('R42: names that are none of ours, and web pages, are refused with the token too', async () => {
    assert.equal((await ask('GET', '/api/v1/status', { host: 'evil.example' })).status, 421);
    assert.equal((await ask('GET', '/api/v1/status', { headers: { Origin: 'http://localhost' } })).status, 403);
    assert.equal((await ask('OPTIONS', '/api/v1/status', { headers: { Origin: 'http://localhost', 'Access-Control-Request-Method': 'PUT' } })).status, 403);
  });

  it('F9: what is smuggled behind a body or in it is never done', async () => {
    const inner = operatorRequest('PUT', '/api/v1/drain', { token, body: { on: true } });
    const chunked = { 'Transfer-Encoding': 'chunked' };
    const cases = [
      operatorRequest('PUT', '/api/v1/drain', { token, body: { on: false } }) + inner,
      operatorRequest('POST', '/api/v1/reload', { token, headers: { 'Content-Length': '0' } }) + inner,
      operatorRequest('POST', '/api/v1/reload', { token, headers: chunked }) + `0\r\n\r\n${inner}`,
      operatorRequest('POST', '/api/v1/reload', { token, headers: { ...chunked, 'Content-Length': '5' } }) + `0\r\n\r\n${inner}`,
      operatorRequest('GET', '/healthz', { headers: { 'Content-Length': `${inner.length}` } }) + inner,
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    ];
    for (const bytes of cases) {
      const connection = await new Connection(/** @type {number} */ (server.current.opsPort)).open();
      connection.write(bytes);
      const text = (await connection.closed()).toString('latin1');
      connection.destroy();
      assert.ok((text.match(/^HTTP\/1\.1 \d/gm) ?? []).length <= 1, text.slice(0, 300));
      assert.equal((await ask('GET', '/readyz')).text, 'ready\n', JSON.stringify(bytes.slice(0, 200)));
    }
  });

  it('R43: a head that does not fit is refused', async () => {
    for (const bytes of [
      operatorRequest('GET', `/api/v1/rooms?x=${'x'.repeat(600)}`, { token }),
      operatorRequest('GET', '/api/v1/rooms', { token, headers: { X: 'x'.repeat(100_000) } }),
      operatorRequest('GET', '/api/v1/rooms', { token, headers: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`X-${i}`, 'x'])) }),
      operatorRequest('GET', '/api/v1/rooms', { token: 'x'.repeat(15_000) }),
    ]) {
      const connection = await new Connection(/** @type {number} */ (server.current.opsPort)).open();
      connection.write(bytes);
      const text = (await connection.closed()).toString('latin1');
      connection.destroy();
      assert.match(text, /^$|^HTTP\/1\.1 4/);
    }
  });

  it('of a thousand rooms one answer shows 200', async () => {
    const guests = await Promise.all(Array.from({ length: 1000 }, () => Participant.join(server.current, freshRoom())));
    const { json } = await ask('GET', '/api/v1/rooms?ids=yes');
    assert.ok(json.total >= 1000);
    assert.equal(json.rooms.length, 200);
    const last = guests[999].joined.roomId;
    assert.equal((await ask('GET', `/api/v1/rooms/${last}`)).json.members.length, 1);
    await leave(guests);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe("the operator's token and address", () => {
  it('R41: without a token the API is off, and says how to switch it on', async () => {
    const server = await startServer();
    try {
      for (const target of ['/api/v1/status', '/api/v1/nothing']) {
        const { status, json } = await askOperator(server, 'GET', target, { token: 'x'.repeat(64) });
        assert.deepEqual([status, json.code], [403, 'no-token-configured']);
        assert.match(json.message, /--ops-token-file/);
      }
      assert.equal((await askOperator(server, 'GET', '/nowhere')).status, 404);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it('R41: metrics need the token unless the operator opens them', async () => {
    const { token, file } = makeToken();
    for (const [args, without, withToken] of /** @type {[string[], number, number][]} */ ([
      [['--metrics-open', 'no'], 401, 401],
      [['--metrics-open', 'no', '--ops-token-file', file], 401, 200],
      [['--metrics-open', 'yes', '--ops-token-file', file], 200, 200],
    ])) {
      const server = await startServer([...UNLIMITED, ...args]);
      try {
        assert.equal((await askOperator(server, 'GET', '/metrics')).status, without, args.join(' '));
        assert.equal((await askOperator(server, 'GET', '/metrics', { token })).status, withToken, args.join(' '));
        await server.endsCleanly();
      } finally {
        server.child.kill('SIGKILL');
      }
    }
  });

  it('R41: the token comes from a file, the environment or a credential, and never from an argument', async () => {
    const { token, directory } = makeToken();
    for (const env of [{ ALOHA_OPS_TOKEN: token }, { ALOHA_OPS_TOKEN_FILE: `${directory}/ops-token` }, { CREDENTIALS_DIRECTORY: directory }]) {
      const server = await startServer(UNLIMITED, { env: /** @type {any} */ (env) });
      try {
        assert.equal((await askOperator(server, 'GET', '/api/v1/status', { token })).status, 200, Object.keys(env)[0]);
        await server.endsCleanly();
      } finally {
        server.child.kill('SIGKILL');
      }
    }
    const refused = new Server(['--ops-token', token]);
    assert.equal((await refused.exited()).code, 2);
    assert.ok(!refused.stderr.includes(token));
  });

  it('R41: a token that is too short, open to others or not there stops the start, with one line', async () => {
    const { directory } = makeToken();
    writeFileSync(`${directory}/short`, 'x'.repeat(31), { mode: 0o600 });
    writeFileSync(`${directory}/open`, 'x'.repeat(64), { mode: 0o644 });
    writeFileSync(`${directory}/strange`, `${'x'.repeat(64)} y`, { mode: 0o600 });
    for (const name of ['short', 'open', 'strange', 'missing']) {
      const server = new Server(['--ops-token-file', `${directory}/${name}`, '--port', '0', '--ops-port', '0']);
      const { code } = await server.exited();
      assert.equal(code, 2, name);
      assert.match(server.stderr, /^aloha: .*(token|short|open|missing).*\n$/, name);
    }
  });

  it('R40: an address that others reach needs TLS and a token', async () => {
    const { file } = makeToken();
    for (const bind of ['0.0.0.0', '::', '192.0.2.1', '2001:db8::1', '128.0.0.1']) {
      for (const args of [[], ['--ops-token-file', file]]) {
        const server = new Server(['--ops-bind', bind, '--port', '0', '--ops-port', '0', ...args]);
        const { code } = await server.exited();
        assert.equal(code, 2, bind);
        assert.match(server.stderr, /^aloha: --ops-bind: .*TLS and --ops-token-file\n$/);
      }
    }
    for (const bind of ['localhost', 'nowhere', '', '127.0.0.1:80', 'unix:relative']) {
      const server = new Server(['--ops-bind', bind, '--port', '0', '--ops-port', '0']);
      assert.equal((await server.exited()).code, 2, bind);
      assert.match(server.stderr, /^aloha: --ops-bind: [^\n]*\n$/);
    }
  });

  it('SIGHUP and the API read the token again; one that cannot be used leaves the old one', async () => {
    const { token, file } = makeToken();
    const server = await startServer([...UNLIMITED, '--ops-token-file', file]);
    try {
      const newer = makeToken().token;
      writeFileSync(file, newer);
      server.child.kill('SIGHUP');
      await server.logged('reloaded');
      assert.equal((await askOperator(server, 'GET', '/api/v1/status', { token })).status, 401);
      assert.equal((await askOperator(server, 'GET', '/api/v1/status', { token: newer })).status, 200);
      writeFileSync(file, 'short');
      assert.deepEqual((await askOperator(server, 'POST', '/api/v1/reload', { token: newer })).json, { reloaded: false });
      await server.logged('ops_token_kept');
      assert.equal((await askOperator(server, 'GET', '/api/v1/status', { token: newer })).status, 200);
      writeFileSync(file, token);
      assert.deepEqual((await askOperator(server, 'POST', '/api/v1/reload', { token: newer })).json, { reloaded: true });
      assert.equal((await askOperator(server, 'GET', '/api/v1/status', { token })).status, 200);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it('health is 503 after a stall, and 200 again when it has passed', async () => {
    const server = await startServer();
    try {
      server.child.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 1800)); // the fault itself, not a wait for it
      server.child.kill('SIGCONT');
      const late = await askOperator(server, 'GET', '/healthz');
      assert.equal(late.status, 503, late.text);
      assert.match((await askOperator(server, 'GET', '/readyz')).text, /^lagging\n$/);
      for (;;) {
        if ((await askOperator(server, 'GET', '/healthz')).status === 200) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.equal((await askOperator(server, 'GET', '/readyz')).status, 200);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it('readiness tells what is full', async () => {
    const server = await startServer([...UNLIMITED, '--rooms-max', '1']);
    try {
      const one = await Participant.join(server, freshRoom());
      assert.equal((await askOperator(server, 'GET', '/readyz')).text, 'rooms-full\n');
      await leave([one]);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});

/** The shell commands of a section of docs/operations.md, block by block. @param {string} title */
function commandsOf(title) {
  const page = readFileSync(path.join(repository, 'docs/operations.md'), 'utf8');
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`));
  assert.ok(section, title);
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text);
}

describe('docs/operations.md, "Administration"', () => {
  it('its examples work as they stand there, but for the port and the place of the token', async () => {
    const { file, directory } = makeToken();
    const place = (/** @type {string} */ text) => text.replaceAll('/etc/aloha/ops-token', file);
    const [make, ctl, http, ...more] = commandsOf('Administration');
    assert.deepEqual(more, []);
    rmSync(file);
    await run('bash', ['-ec', place(make)]);
    assert.match(readFileSync(file, 'utf8'), /^[0-9a-f]{64}\n$/);
    assert.equal(statSync(file).mode & 0o077, 0);
    giveToServer(file);
    const server = await startServer([...UNLIMITED, '--ops-token-file', file]);
    try {
      const [, peer] = [await Participant.join(server, 'tea'), await Participant.join(server, 'tea')];
      const [, other] = [await Participant.join(server, 'milk'), await Participant.join(server, 'milk')];
      symlinkSync(binaryPath(), `${directory}/aloha`);
      const env = { ...cleanEnvironment(), PATH: `${directory}:${process.env.PATH}`, PEER: peer.peerId, OTHER_PEER: other.peerId,
        ALOHA_OPS_PORT: String(server.opsPort), ALOHA_OPS_TOKEN_FILE: file };
      const byCtl = await run('bash', ['-ec', ctl], { env });
      assert.match(byCtl.stdout, /room tea is closed\n/);
      assert.equal(await peer.closed(), 4004);
      const byHttp = await run('bash', ['-ec', place(http).replaceAll('127.0.0.1:3001', `127.0.0.1:${server.opsPort}`)], { env });
      assert.match(byHttp.stdout, /\{"reloaded":true\}\n$/);
      assert.equal(await other.closed(), 4004);
      await server.endsCleanly();
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  it('names every reason of /readyz', () => {
    const page = readFileSync(path.join(repository, 'docs/operations.md'), 'utf8');
    for (const reason of openapi.components.schemas.Reason.enum) assert.ok(page.includes(`\`${reason}\``), reason);
  });
});
