// What the public port does with requests that are wrong, odd or meant to hurt: R1 to R7 of the security requirements.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection, assertSecurityHeaders, exchange, exchangeToEnd, fetchRaw, request } from '../lib/http.mjs';
import { assertServes } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';

/** The connection ends after one answer of one of these statuses, or (if 0 is among them) without an answer. */
async function refused(/** @type {number} */ port, /** @type {string | Buffer} */ bytes, /** @type {number[]} */ statuses, /** @type {string} */ what, method = 'GET') {
  const responses = await exchangeToEnd(port, bytes, { method, cut: true });
  assert.ok(responses.length <= 1, `${what}: exactly one answer, not ${responses.map((r) => r.status)}`);
  const status = responses[0]?.status ?? 0;
  assert.ok(statuses.includes(status), `${what}: ${status || 'no answer'} where ${statuses} was expected`);
  return responses[0];
}

describe('hostile HTTP', () => {
  const server = serverOfSuite({ before, after });
  const port = () => server.current.port;

  it('R2: other methods get 405 with Allow, no CORS header, and the end of the connection', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'FOO', 'M-SEARCH', 'GETX', 'get']) {
      for (const target of ['/', '/room/tea', '/nothing-here', '/ws']) {
        const response = await refused(port(), request(target, { method, headers: { Origin: 'http://x.example', 'Access-Control-Request-Method': 'GET' } }), [405], `${method} ${target}`);
        assert.match(response.header('allow') ?? '', /^GET, *HEAD$/);
        assert.ok(!response.fields.some(([name]) => name.startsWith('access-control-')));
      }
    }
  });

  it('R2: a method with a body is refused before its body is read', async () => {
    const response = await refused(port(), request('/', { method: 'POST', headers: { 'Content-Length': '1000000' } }) + 'x'.repeat(100), [400, 405, 413], 'POST with a body');
    assert.ok(response);
  });

  it('R2, F4: CONNECT and TRACE end the connection, and it does not become a raw pipe', async () => {
    for (const line of ['CONNECT x HTTP/1.1', 'CONNECT localhost:80 HTTP/1.1', 'CONNECT / HTTP/1.1', 'TRACE / HTTP/1.1']) {
      await refused(port(), `${line}\r\nHost: localhost\r\n\r\n`, [0, 400, 405, 501], line);
    }
    const connection = await new Connection(port()).open();
    connection.write('CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n');
    await connection.closed();
    connection.destroy();
  });

  it('R1: tricks with the path are refused', async () => {
    const targets = ['/room/..', '/room/%2e%2e', '/room/../room/tea/..', '/..', '///', '//room/tea', '/room//tea', '/./room/tea', '/room/./tea', '/x/../room/tea', '/room%2ftea', '/room/.', '/room/%2E', '/room/.%2e', '/../etc/passwd', '/room/../../etc/passwd', '/room/a%2fb', '/room/a%2Fb',
      '/room/a%5cb', '/room/a\\b', '/\\room\\tea', '/room/%00', '/room/%00tea', '/room/tea%00', '/room/tea%00/..', '/room/tea%00.html', '/%00', '/ws%00', '/assets/%00', '/room/%', '/room/%4', '/room/%zz', '/room/%c0%ae', '/room/%ff', '/room/tea/..', '/room/%0d%0aX-Injected:1', '/room/<script>alert(1)</script>', '/room/%3Cscript%3Ealert(1)%3C/script%3E',
      '/room/"onload="alert(1)', '/room/%22%3E', "/room/'", '/room/&lt;', '/room/{{assets}}', '/room/%7B%7BroomId%7D%7D', '/room/\u00e9', '/room/\x80\xff', '/room/tea\t'];
    for (const target of targets) {
      const response = await fetchRaw(port(), target);
      assert.ok([400, 404].includes(response.status), `${JSON.stringify(target)}: ${response.status}`);
      assert.doesNotMatch(response.raw.toString('latin1'), /alert\(1\)|x-injected|onload=/i);
    }
  });

  it('R1: "*", a name without a slash and an absolute form of another host are no route of ours', async () => {
    for (const target of ['*', 'room/tea', 'http://evil.example/room/tea', 'http://', '?', '#', 'javascript:alert(1)']) {
      const [responses] = await exchangeToEnd(port(), request(target, { headers: { Connection: 'close' } }));
      if (!responses) continue; // the end of the connection is an answer as well
      assert.ok([200, 400, 404].includes(responses.status), `${target}: ${responses.status}`);
      assert.doesNotMatch(responses.raw.toString('latin1'), /evil\.example|alert\(1\)/);
      if (responses.status === 200) assert.match(target, /^http:\/\//, 'only an absolute form may name a room');
    }
  });

  it('R3: a request line over 2048 bytes is 414, at 2000 it is an ordinary request', async () => {
    assert.equal((await fetchRaw(port(), '/room/tea?' + 'q'.repeat(1900))).status, 200);
    for (const length of [2100, 4000, 8000, 20_000]) {
      await refused(port(), request('/' + 'a'.repeat(length)), [414], `a request line of ${length} bytes`);
    }
  });

  it('R3: headers over 8192 bytes or 100 fields are 431', async () => {
    assert.equal((await fetchRaw(port(), '/room/tea', { headers: { 'X-Long': 'v'.repeat(6000) } })).status, 200);
    const eighty = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`X-${i}`, 'v']));
    assert.equal((await fetchRaw(port(), '/room/tea', { headers: eighty })).status, 200);
    await refused(port(), request('/room/tea', { headers: { 'User-Agent': 'v'.repeat(9000) } }), [431], 'one header of 9000 bytes');
    await refused(port(), request('/room/tea', { headers: { Accept: 'v'.repeat(4500), 'User-Agent': 'v'.repeat(4500) } }), [431], 'two headers of 9000 bytes');
    await refused(port(), request('/room/tea', { headers: { Cookie: 'v'.repeat(30_000) } }), [431], 'a cookie of 30000 bytes');
    await refused(port(), request('/room/tea', { headers: { 'X-Long': 'v'.repeat(30_000) } }), [431], 'an unknown header of 30000 bytes');
    await refused(port(), request('/room/tea', { headers: { ['X-' + 'n'.repeat(30_000)]: 'v' } }), [431], 'a name of 30000 bytes');
  });

  it('R3: headers that the server does not know count as well', async () => {
    for (const headers of [{ 'X-Long': 'v'.repeat(8300) }, { ['X-' + 'n'.repeat(8300)]: 'v' }, { 'X-Long': 'v'.repeat(1_000_000) }]) {
      await refused(port(), request('/room/tea', { headers: { Connection: 'close', ...headers } }), [431], Object.keys(headers)[0].slice(0, 10));
    }
  });

  it('R3: more than a hundred fields are 431, however small', async () => {
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`X-${i}`, 'v']));
    await refused(port(), request('/room/tea', { headers: { Connection: 'close', ...many } }), [431], '120 fields');
  });

  it('R3: a header without end is cut off while it comes', async () => {
    const connection = await new Connection(port()).open();
    connection.write('GET /room/tea HTTP/1.1\r\nHost: localhost\r\n');
    let sent = 0;
    while (!connection.ended && sent < 4_000_000) {
      connection.write(`X-${sent}: ${'v'.repeat(1000)}\r\n`);
      sent += 1000;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await connection.closed();
    connection.destroy();
    assert.ok(sent < 4_000_000, 'it did not read all of it');
  });

  it('R5: a wrong head is 400 and exactly one answer', async () => {
    const get = 'GET /room/tea HTTP/1.1\r\n';
    const host = 'Host: localhost\r\n';
    /** @type {[string, string, number[]][]} */
    const cases = [
      ['no Host', `${get}\r\n`, [400]],
      ['an empty list of headers but a Host look-alike', `${get}X-Host: localhost\r\n\r\n`, [400]],
      ['two Hosts', `${get}${host}Host: other\r\n\r\n`, [400]],
      ['two Hosts, the same', `${get}${host}${host}\r\n`, [400]],
      ['Transfer-Encoding: chunked', `${get}${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, [400, 501]],
      ['Transfer-Encoding: identity', `${get}${host}Transfer-Encoding: identity\r\n\r\n`, [400, 501]],
      ['Transfer-Encoding: xchunked', `${get}${host}Transfer-Encoding: xchunked\r\n\r\n`, [400, 501]],
      ['Transfer-Encoding before Content-Length', `${get}${host}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n`, [400, 413, 501]],
      ['Content-Length before Transfer-Encoding', `${get}${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, [400, 413, 501]],
      ['Content-Length: 5', `${get}${host}Content-Length: 5\r\n\r\nhello`, [400, 413]],
      ['a request hidden in a body', `${get}${host}Content-Length: 39\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`, [400, 413]],
      ['two Content-Lengths', `${get}${host}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello`, [400, 413]],
      ['two Content-Lengths, the same', `${get}${host}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`, [400]],
      ['Content-Length: a list', `${get}${host}Content-Length: 0, 0\r\n\r\n`, [400, 413]],
      ['Content-Length: -1', `${get}${host}Content-Length: -1\r\n\r\n`, [400, 413]],
      ['Content-Length: +0', `${get}${host}Content-Length: +0\r\n\r\n`, [400, 413]],
      ['Content-Length: 0x0', `${get}${host}Content-Length: 0x0\r\n\r\n`, [400, 413]],
      ['Content-Length: words', `${get}${host}Content-Length: zero\r\n\r\n`, [400, 413]],
      ['Content-Length: beyond 64 bits', `${get}${host}Content-Length: 18446744073709551616\r\n\r\n`, [400, 413]],
      ['Content-Length: beyond everything', `${get}${host}Content-Length: ${'9'.repeat(60)}\r\n\r\n`, [400, 413]],
      ['Content-Length: nothing', `${get}${host}Content-Length:\r\n\r\n`, [400, 413]],
      ['NUL in a header name', `${get}${host}X\0A: a\r\n\r\n`, [400]],
      ['a header without a colon', `${get}${host}this is no header\r\n\r\n`, [400]],
      ['a header without a colon, and one behind it', `${get}${host}this is no header\r\nConnection: close\r\n\r\n`, [400]],
      ['only a colon', `${get}${host}: nothing\r\n\r\n`, [400]],
      ['a space inside a name', `${get}${host}X A: b\r\n\r\n`, [400]],
      ['a folded line', `${get}${host}X-A: a\r\n b\r\n\r\n`, [400]],
      ['a bare carriage return', `${get}${host}X-A: a\rb\r\n\r\n`, [400]],
      ['a bare line feed', `GET /room/tea HTTP/1.1\nHost: localhost\n\n`, [400]],
      ['a control character in a value', `${get}${host}X-A: a\x01b\r\n\r\n`, [400]],
      ['two spaces in the request line', `GET  /room/tea HTTP/1.1\r\n${host}\r\n`, [400]],
      ['a tab in the request line', `GET\t/room/tea HTTP/1.1\r\n${host}\r\n`, [400]],
      ['another version', `GET /room/tea HTTP/9.9\r\n${host}\r\n`, [400, 505]],
      ['NUL in a header value', `${get}${host}X-A: a\0b\r\n\r\n`, [400, 0]],
      ['NUL in the Host', `${get}Host: local\0host\r\n\r\n`, [400, 0]],
      ['NUL in the path', `GET /room/tea\0 HTTP/1.1\r\n${host}\r\n`, [400, 404, 0]],
    ];
    const wrong = [];
    for (const [what, bytes, statuses] of cases) {
      try {
        await refused(port(), bytes, statuses, what);
      } catch (error) {
        wrong.push(`${what}: ${/** @type {Error} */ (error).message}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('R5: white space before a colon does not hide a body (RFC 9112 section 5.1)', async () => {
    for (const field of ['Transfer-Encoding : chunked', 'Content-Length : 5', 'Content-Length\t: 5']) {
      await refused(port(), `GET /room/tea HTTP/1.1\r\nHost: localhost\r\n${field}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, [400, 413, 501], field);
    }
  });

  it('R5: Content-Length: 0 is no body', async () => {
    assert.equal((await fetchRaw(port(), '/room/tea', { headers: { 'Content-Length': '0' } })).status, 200);
  });

  it('R5: what is no HTTP at all ends the connection', async () => {
    const cases = ['\r\n\r\n\r\n\r\n', 'hello\r\n\r\n', 'GET\r\n\r\n', 'GET /\r\n\r\n', 'GET / HTTP/2.0\r\nHost: x\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + 'a'.repeat(300),
      '\0\0\0\0\0\0\0\0\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'SSH-2.0-x\r\n\r\n', '\xff\xfe\xfd\xfc\r\n\r\n', '{"type":"JoinRoom"}\r\n\r\n', ' GET / HTTP/1.1\r\nHost: x\r\n\r\n'];
    for (const bytes of cases) {
      const connection = await new Connection(port()).open();
      connection.write(bytes);
      connection.socket.end();
      const rest = (await connection.closed()).toString('latin1');
      connection.destroy();
      assert.ok(!rest.startsWith('HTTP/1.1 200') && !rest.startsWith('HTTP/1.1 101'), `${JSON.stringify(bytes.slice(0, 40))}: ${rest.slice(0, 60)}`);
    }
  });

  it('R6: a Host that is not well formed is 400', async () => {
    const wrong = [];
    for (const host of ['a b', 'a/b', 'user@localhost', '[::1', '::1', '[::1]x', 'localhost:99999', 'localhost:-1', 'localhost:80:80', 'localhost:abc', '<script>alert(1)</script>', 'a\\b', 'a?b', 'a#b',
      'a,b', '"localhost"', 'local\x7fhost', 'h\u00f6st', '[zz::1]', 'a'.repeat(300), ':3000']) {
      const response = await exchange(port(), request('/room/tea', { host }));
      if (response.status !== 400) wrong.push(`${host}: ${response.status}`);
      assert.doesNotMatch(response.raw.toString('latin1'), /alert\(1\)/);
    }
    assert.deepEqual(wrong, []);
  });

  it('R6: every well-formed Host is served', async () => {
    for (const host of ['localhost', 'localhost:3000', '192.0.2.7:3000', '[::1]:3000', '[2001:db8::1]', 'aloha.example', 'ALOHA.example:8080', 'my-laptop.local', 'xn--hst-sna.example', 'a_b']) {
      assert.equal((await exchange(port(), request('/room/tea', { host }))).status, 200, host);
    }
  });

  it('R7, F3: h2c is never taken up', async () => {
    const h2c = request('/room/tea', { headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAoAAAAAIAAAAA' } });
    await refused(port(), h2c + 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [0, 400, 403], 'Upgrade: h2c');
    await refused(port(), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\0\0\0\x04\0\0\0\0\0', [0, 400, 405, 505], 'the HTTP/2 preface');
  });

  it('R7: no Upgrade but to websocket', async () => {
    for (const upgrade of ['foo', 'TLS/1.0', 'websocket2', 'web socket', 'websocket, foo', 'foo, websocket', 'h2c, websocket', '', 'w'.repeat(500)]) {
      const headers = { Connection: 'Upgrade', Upgrade: upgrade, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' };
      for (const target of ['/', '/room/tea', '/ws']) {
        const connection = await new Connection(port()).open();
        connection.write(request(target, { headers }));
        const response = await connection.response({ check: false }).catch(() => undefined);
        connection.destroy();
        assert.ok(!response || response.status !== 101, `Upgrade: ${upgrade} on ${target}`);
      }
    }
  });

  it('R7, F1: an unknown Upgrade after a request on the same connection harms nothing', async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await new Connection(port()).open();
      connection.write(request('/room/tea'));
      assert.equal((await connection.response()).status, 200);
      connection.write(request(i % 2 ? '/room/tea' : '/', { headers: { Connection: 'Upgrade', Upgrade: i % 3 ? 'foo' : 'h2c' } }));
      await connection.closed();
      const rest = connection.input.toString('latin1');
      connection.destroy();
      assert.doesNotMatch(rest, /^HTTP\/1\.1 (101|200)/);
    }
  });

  it('R7, F1: the same, pipelined', async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await new Connection(port()).open();
      connection.write(request('/room/tea') + request('/', { headers: { Connection: 'Upgrade', Upgrade: 'foo' } }));
      assert.equal((await connection.response()).status, 200);
      await connection.closed();
      connection.destroy();
    }
  });

  it('of pipelined requests the first is answered, and each further one at its place or not at all', async () => {
    // What lies behind a request in the same packet would reach the library unjudged: the connection may end instead
    // (RFC 9112 section 9.3.2: a client has to be ready for that, and to ask again).
    const connection = await new Connection(port()).open();
    const ids = Array.from({ length: 20 }, (_, i) => `pipelined-${i}`);
    connection.write(ids.map((id) => request(`/room/${id}`)).join(''));
    let answered = 0;
    for (const id of ids) {
      const response = await connection.response().catch((error) => {
        assert.ok(connection.ended && connection.input.length === 0, error);
        return undefined;
      });
      if (!response) break;
      assert.equal(response.status, 200);
      assert.ok(response.body.includes(id), `the page of ${id} at its place`);
      answered++;
    }
    connection.destroy();
    assert.ok(answered >= 1);
  });

  it('a request may come byte by byte', async () => {
    const connection = await new Connection(port()).open();
    for (const byte of request('/room/tea', { headers: { Accept: '*/*' } })) {
      connection.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await connection.response()).status, 200);
    connection.destroy();
  });

  it('a connection serves one request after another, at least 100 and not for ever', async () => {
    const connection = await new Connection(port()).open();
    let served = 0;
    while (served < 2000) {
      connection.write(request(served % 2 ? '/room/tea' : '/nothing-here'));
      const response = await connection.response().catch(() => undefined);
      if (!response) break;
      served++;
      if (/close/i.test(response.header('connection') ?? '')) {
        await connection.closed();
        break;
      }
    }
    connection.destroy();
    assert.ok(served >= 100, `only ${served} requests on one connection`);
    assert.ok(served < 2000, 'a connection ends after some hundreds of requests');
  });

  it('Connection: close is done', async () => {
    const [response, more] = await exchangeToEnd(port(), request('/room/tea', { headers: { Connection: 'close' } }));
    assert.equal(response.status, 200);
    assert.equal(more, undefined);
  });

  it('HTTP/1.0 gets its page and the end of the connection', async () => {
    const [response] = await exchangeToEnd(port(), 'GET /room/tea HTTP/1.0\r\nHost: localhost\r\n\r\n');
    assert.equal(response.status, 200);
  });

  it('who goes away while a large answer is on its way harms nobody', async () => {
    const page = (await fetchRaw(port(), '/room/tea')).body.toString();
    const asset = /\/assets\/[^"]+\.(?:js|css)/.exec(page)?.[0] ?? '/';
    for (let i = 0; i < 30; i++) {
      const connection = await new Connection(port()).open();
      connection.write(request(asset).repeat(10));
      if (i % 3) await connection.changes.until(() => connection.input.length > 0, 'the first bytes');
      if (i % 2) connection.socket.resetAndDestroy();
      else connection.destroy();
    }
    await assertServes(server.current);
  });

  it('who asks and does not read gets nothing more than the buffers hold', async () => {
    const before = await server.current.rss();
    const asset = /\/assets\/[^"]+\.js/.exec((await fetchRaw(port(), '/room/tea')).body.toString())?.[0] ?? '/';
    const deaf = [];
    for (let i = 0; i < 10; i++) {
      const connection = await new Connection(port()).open();
      connection.socket.pause();
      connection.write(request(asset).repeat(90));
      deaf.push(connection);
    }
    await assertServes(server.current);
    const grown = (await server.current.rss()) - before;
    for (const connection of deaf) connection.destroy();
    assert.ok(grown < 64 * 1024, `resident memory grew by ${grown} KiB`);
  });

  it('F8: what the library would let pass on the first request, it does not see on the second either', async () => {
    for (const second of ['GET //room/tea HTTP/1.1\r\nHost: localhost\r\n\r\n', 'GET /room/tea HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
      'GET /room/tea HTTP/1.1\r\nHost: localhost\r\nfoo\r\nConnection: close\r\n\r\n', 'FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n', 'GET /room/tea HTTP/1.1\nHost: localhost\n\n',
      'CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n', request('/', { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } }), request('/' + 'a'.repeat(3000)), request('/', { headers: { X: 'v'.repeat(9000) } })]) {
      const connection = await new Connection(port()).open();
      connection.write(request('/room/tea'));
      assert.equal((await connection.response()).status, 200);
      connection.write(second);
      const response = await connection.response({ cut: true }).catch(() => undefined);
      assert.ok(!response || response.status >= 400, `${JSON.stringify(second.slice(0, 60))}: ${response?.status}`);
      await connection.closed();
      connection.destroy();
    }
  });

  it('random bytes harm nothing', async () => {
    let state = 12345;
    const random = () => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
    for (let i = 0; i < 150; i++) {
      const connection = await new Connection(port()).open();
      const seed = Buffer.from(request('/room/tea', { headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' } }));
      for (let n = 0; n < 1 + random() * 8; n++) seed[Math.floor(random() * seed.length)] = Math.floor(random() * 256);
      connection.write(i % 5 === 0 ? Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256))) : seed);
      connection.socket.end();
      await connection.closed();
      connection.destroy();
    }
    await assertServes(server.current);
  });

  it('the error pages of this port carry the security headers as well', async () => {
    for (const bytes of [request('/x', { method: 'POST' }), request('/' + 'a'.repeat(3000)), 'GET / HTTP/1.1\r\n\r\n', request('/room/tea', { headers: { 'X-L': 'v'.repeat(9000) } })]) {
      const [response] = await exchangeToEnd(port(), bytes, { check: false });
      assert.ok(response, `an answer to ${bytes.slice(0, 40)}`);
      assertSecurityHeaders(response);
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
