// The operator plane: R40 to R44 as far as it has been built, and F9, what libmicrohttpd would do on its own.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection, exchangeToEnd, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';

describe('operator plane', () => {
  const server = serverOfSuite({ before, after });

  /** All the answers to some bytes, until the plane closes, as it always does. @param {string} bytes @param {string} [method] */
  const answers = (bytes, method) => exchangeToEnd(server.current.opsPort, bytes, { check: false, method });

  /** @param {string} target @param {Parameters<typeof request>[1]} [how] */
  async function ask(target, how = {}) {
    const all = await answers(request(target, { host: `127.0.0.1:${server.current.opsPort}`, ...how }), how.method);
    assert.equal(all.length, 1, `one answer to ${target}`);
    return all[0];
  }

  it('/healthz and /readyz say 200', async () => {
    for (const target of ['/healthz', '/readyz']) {
      const response = await ask(target);
      assert.equal(response.status, 200, target);
      assert.ok(response.body.length < 200);
      assert.match(response.header('connection') ?? '', /close/i, 'one answer a connection (F9)');
      assert.match(response.header('cache-control') ?? '', /no-store/);
      assert.equal(response.header('access-control-allow-origin'), undefined);
    }
  });

  it('HEAD works as GET', async () => {
    assert.equal((await ask('/healthz', { method: 'HEAD' })).status, 200);
  });

  it('/metrics is the Prometheus text format, and it counts', async () => {
    const parse = (/** @type {string} */ text) => {
      /** @type {Map<string, number>} */
      const series = new Map();
      const types = new Map();
      for (const line of text.split('\n')) {
        if (line === '') continue;
        const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
        if (type) types.set(type[1], type[2]);
        if (line.startsWith('#')) {
          assert.match(line, /^# (HELP|TYPE) [a-zA-Z_:][\w:]* \S/, line);
          continue;
        }
        const sample = /^([a-zA-Z_:][\w:]*(?:\{[^{}]*\})?) (-?(?:[\d.]+(?:e[+-]?\d+)?|\+Inf|NaN))$/i.exec(line);
        assert.ok(sample, `a sample: ${line}`);
        assert.ok(!series.has(sample[1]), `twice: ${sample[1]}`);
        series.set(sample[1], Number(sample[2]));
      }
      assert.ok(types.size > 0);
      return series;
    };
    const response = await ask('/metrics');
    assert.equal(response.status, 200);
    assert.match(response.header('content-type') ?? '', /^text\/plain/);
    assert.ok(response.body.toString().endsWith('\n'));
    const before = parse(response.body.toString());
    assert.ok(before.size > 3 && before.size <= 300, `${before.size} series`);
    for (const name of before.keys()) assert.match(name, /^(aloha|process)_/);

    const roomId = `Secret-room-${freshRoom().slice(0, 8)}`;
    const room = await roomOf(server.current, 3, roomId);
    room[0].signal(room[1].peerId, 'x');
    await room[1].receive('Signal');
    const text = (await ask('/metrics')).body.toString();
    const during = parse(text);
    const grown = [...during].filter(([name, value]) => value > (before.get(name) ?? 0)).map(([name]) => name);
    assert.ok(grown.some((n) => /room/i.test(n)), `rooms are counted: ${grown}`);
    assert.ok(grown.some((n) => /peer|participant|connection/i.test(n)), `people are counted: ${grown}`);
    assert.ok(grown.some((n) => /signal|message|relay/i.test(n)), `messages are counted: ${grown}`);
    assert.ok(!text.includes(roomId) && !text.includes('Secret'), 'R44: no room is named');
    for (const one of room) assert.ok(!text.includes(one.peerId), 'R44: nobody is named');
    assert.doesNotMatch(text, /127\.0\.0\.1/, 'R44: no address');
    await room.end();
  });

  it('every other path is 404, and is not repeated', async () => {
    for (const target of ['/', '/healthz/', '/HEALTHZ', '/admin', '/room/tea', '/ws', '/%68ealthz/x', '/../healthz/..', '/healthzXq7']) {
      const response = await ask(target);
      assert.ok([401, 404].includes(response.status), `${target}: ${response.status}`);
      assert.doesNotMatch(response.body.toString(), /Xq7/);
    }
  });

  it('a query does not matter', async () => {
    assert.equal((await ask('/healthz?verbose=1')).status, 200);
  });

  it('R42: Host must be a name of the loopback: DNS rebinding finds nothing', async () => {
    const { opsPort } = server.current;
    for (const host of [`127.0.0.1:${opsPort}`, `localhost:${opsPort}`, `[::1]:${opsPort}`, '127.0.0.1', 'localhost', '[::1]', 'LOCALHOST']) {
      assert.equal((await ask('/healthz', { host })).status, 200, host);
    }
    for (const host of ['evil.example', `evil.example:${opsPort}`, 'localhost.evil.example', '127.0.0.1.evil.example', `evil.example@127.0.0.1`, '127.0.0.2.nip.io', '192.0.2.1', '0.0.0.0', 'localhost:x', 'xlocalhost', '127.0.0.10.example', '']) {
      for (const target of ['/healthz', '/metrics']) {
        const response = await ask(target, { host });
        assert.ok([400, 421].includes(response.status), `${host}: ${response.status}`);
        assert.doesNotMatch(response.raw.toString('latin1'), /evil/);
      }
    }
  });

  it('R42: a request of a web page is 403', async () => {
    for (const origin of ['http://evil.example', `http://127.0.0.1:${server.current.opsPort}`, `http://${server.current.host}`, 'null']) {
      assert.equal((await ask('/metrics', { headers: { Origin: origin } })).status, 403, origin);
    }
  });

  it('other methods are 405 with Allow', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await ask('/healthz', { method });
      assert.equal(response.status, 405, method);
      assert.match(response.header('allow') ?? '', /GET/);
    }
  });

  it('F9, R43: whatever is smuggled, there is one answer and the end of the connection', async () => {
    const host = `Host: 127.0.0.1:${server.current.opsPort}\r\n`;
    const second = `GET /metrics HTTP/1.1\r\n${host}\r\n`;
    /** @type {[string, string, number[]][]} */
    const cases = [
      ['two requests', `GET /healthz HTTP/1.1\r\n${host}\r\n${second}`, [200]],
      ['Content-Length and Transfer-Encoding', `POST /healthz HTTP/1.1\r\n${host}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`, [400, 405, 501]],
      ['two Content-Lengths', `GET /healthz HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: ${second.length}\r\n\r\n${second}`, [400, 413]],
      ['two Hosts', `GET /healthz HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`, [400, 421]],
      ['two Hosts, the evil one first', `GET /healthz HTTP/1.1\r\nHost: evil.example\r\n${host}\r\n`, [400, 421]],
      ['a space before the colon', `GET /healthz HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${second}`, [400, 501]],
      ['a space before the colon of a second Host', `GET /healthz HTTP/1.1\r\n${host}Host : evil.example\r\n\r\n`, [400]],
      ['a space before the colon of an Origin', `GET /healthz HTTP/1.1\r\n${host}Origin : http://evil.example\r\n\r\n`, [400, 403]],
      ['a tab before the colon of a Content-Length', `GET /healthz HTTP/1.1\r\n${host}Content-Length\t: 5\r\n\r\nhello`, [400]],
      ['chunked', `GET /healthz HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, [400, 501]],
      ['an unknown encoding', `GET /healthz HTTP/1.1\r\n${host}Transfer-Encoding: x\r\n\r\n`, [400, 501]],
      ['no HTTP', `hello\r\n\r\n`, [400, 0]],
      ['a body of a megabyte', `POST /healthz HTTP/1.1\r\n${host}Content-Length: 1000000\r\n\r\n${'x'.repeat(70_000)}`, [400, 405, 413]],
      ['a head of a megabyte', `GET /healthz HTTP/1.1\r\n${host}X: ${'x'.repeat(1_000_000)}\r\n\r\n`, [0, 400, 413, 431]],
    ];
    const wrong = [];
    for (const [what, bytes, statuses] of cases) {
      const all = await answers(bytes).catch((error) => [{ status: `${error.message}` }]);
      const got = all.map((r) => r.status);
      if (got.length > 1 || !statuses.includes(/** @type {number} */ (got[0] ?? 0))) wrong.push(`${what}: ${got}`);
    }
    assert.deepEqual(wrong, []);
  });

  it('F9, known deviation of libmicrohttpd 0.9.75: without a Host it writes the head of its own 400 twice, then closes', async () => {
    const connection = await new Connection(server.current.opsPort).open();
    connection.write('GET /healthz HTTP/1.1\r\n\r\n');
    const text = (await connection.closed()).toString('latin1');
    connection.destroy();
    assert.match(text, /^HTTP\/1\.[01] 4(00|21) /);
    assert.doesNotMatch(text, /HTTP\/1\.[01] [^4]/);
  });

  it('F9, known deviation of libmicrohttpd 0.9.75: NUL cuts the path, so that it is the path before it and no other', async () => {
    const host = `Host: 127.0.0.1:${server.current.opsPort}\r\n`;
    for (const [target, cut] of [['/healthz\0def', '/healthz'], ['/healthz%00def', '/healthz'], ['/\0healthz', '/'], ['/nothing\0/healthz', '/nothing']]) {
      const [response] = await answers(`GET ${target} HTTP/1.1\r\n${host}\r\n`);
      if (!response || response.status === 400) continue; // the library was fixed
      assert.ok([(await ask(cut)).status, 404].includes(response.status), `${JSON.stringify(target)}: ${response.status}`);
    }
  });

  it('a crowd on this plane disturbs nobody on the other, and passes', async () => {
    const crowd = [];
    for (let i = 0; i < 200; i++) {
      const connection = new Connection(server.current.opsPort);
      await connection.open().catch(() => {});
      connection.write('GET /healthz HTTP/1.1\r\n');
      crowd.push(connection);
    }
    await assertServes(server.current);
    for (const connection of crowd) connection.destroy();
    let status = 0;
    for (let i = 0; i < 100 && status !== 200; i++) {
      status = await ask('/healthz').then((r) => r.status, () => 0);
      if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(status, 200);
  });

  it('is not on the public address', async () => {
    const { networkInterfaces } = await import('node:os');
    const other = Object.values(networkInterfaces()).flat().find((a) => a && !a.internal && a.family === 'IPv4');
    if (!other) return; // a machine with nothing but a loopback
    const connection = new Connection(server.current.opsPort, other.address);
    await assert.rejects(connection.open());
  });

  it('answers while the public plane is busy', async () => {
    const talkers = await Promise.all(Array.from({ length: 20 }, () => Participant.join(server.current, freshRoom())));
    for (const one of talkers) for (let i = 0; i < 100; i++) one.send({ type: 'Marker' });
    assert.equal((await ask('/healthz')).status, 200);
    for (const one of talkers) one.destroy();
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
