// Behind a proxy: whom connections and joins count for (R12, R13, R37). The proxy of these tests is the test itself, which
// connects from 127.0.0.1 and says in X-Forwarded-For whom it speaks for.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Connection, assertSecurityHeaders, fetchRaw, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, startServer } from '../lib/server.mjs';
import { RawWebSocket, openingRequest } from '../lib/websocket.mjs';

const TRUSTED = ['--trusted-proxies', '127.0.0.1,10.0.0.0/8'];
const A = '192.0.2.1';
const B = '192.0.2.2';

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/** @param {string[]} args @param {(server: Server & { port: number, host: string, opsPort: number }) => Promise<void>} work */
async function withServer(args, work) {
  const server = await startServer([...UNLIMITED, ...args]);
  try {
    await work(/** @type {any} */ (server));
    await server.endsCleanly();
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** Everything that a test has opened is closed at its end. @param {(opened: Connection[]) => Promise<void>} work */
async function closingAll(work) {
  /** @type {Connection[]} */
  const opened = [];
  try {
    await work(opened);
  } finally {
    for (const connection of opened) connection.destroy();
  }
}

/** Asks for a WebSocket for a client; its connection stays open. @param {Connection[]} opened @param {{ port: number, host: string }} server @param {...string} lists */
async function handshakeFor(opened, server, ...lists) {
  const connection = await new Connection(server.port).open();
  opened.push(connection);
  connection.write(openingRequest({ host: server.host, headers: lists.map((list) => ['X-Forwarded-For', list]) }));
  const response = await connection.response({ check: false });
  if (response.status !== 101) {
    assertSecurityHeaders(response);
    await connection.closed();
  }
  return response.status;
}

/** Asks for a page for a client on an open connection. @param {Connection} connection @param {string} list */
async function askFor(connection, list) {
  connection.write(request('/room/tea', { headers: { 'X-Forwarded-For': list } }));
  return (await connection.response()).status;
}

/** One value of the metrics. @param {{ opsPort: number }} server @param {string} name */
async function metric(server, name) {
  const { body } = await fetchRaw(server.opsPort, '/metrics', { host: `127.0.0.1:${server.opsPort}`, check: false });
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body.toString())?.[1]);
}

describe('behind a proxy', () => {
  it('R12: who has too many connections through a trusted proxy gets 429, and nobody else notices', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '3'], (server) => closingAll(async (opened) => {
      for (let i = 0; i < 3; i++) assert.equal(await handshakeFor(opened, server, A), 101);
      for (let i = 0; i < 3; i++) assert.equal(await handshakeFor(opened, server, A), 429);
      for (let i = 0; i < 3; i++) assert.equal(await handshakeFor(opened, server, B), 101);
      for (let i = 0; i < 40; i++) assert.equal(await handshakeFor(opened, server, `198.51.100.${i}`), 101);
      assert.equal(await metric(server, 'aloha_connections_refused_total{reason="address"}'), 3);
      opened[0].destroy(); // one place of A's is free again as soon as the server has seen that
      while (await handshakeFor(opened, server, A) !== 101);
      assert.equal(await handshakeFor(opened, server, A), 429);
    }));
  });

  it('R12: an untrusted peer says what it wants', async () => {
    for (const args of [[], ['--trusted-proxies', '10.0.0.0/8,::1,192.0.2.0/24']]) {
      await withServer([...args, '--connections-per-address', '3'], (server) => closingAll(async (opened) => {
        for (let i = 0; i < 3; i++) assert.equal(await handshakeFor(opened, server, `198.51.100.${i}`), 101);
        const one_more = await new Connection(server.port).open();
        one_more.write(request('/', { headers: { 'X-Forwarded-For': '198.51.100.77' } }));
        assert.equal((await one_more.closed()).length, 0, 'closed as it was accepted');
      }));
    }
  });

  it('R12: the right-most address that is no proxy of ours counts, whatever the client has put before it', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '2'], (server) => closingAll(async (opened) => {
      assert.equal(await handshakeFor(opened, server, `${B}, ${A}`), 101);
      assert.equal(await handshakeFor(opened, server, B, `${A}:4711 , 10.0.0.7`), 101);
      for (const lists of [[`203.0.113.9, ${A}`], ['203.0.113.10', A], [`203.0.113.11, ${A}, 10.1.2.3`], [A, '10.1.2.3', '10.1.2.4:80'], [`::ffff:${A}`], [`unknown, ${A}`]]) {
        assert.equal(await handshakeFor(opened, server, ...lists), 429, lists.join(' | '));
      }
      assert.equal(await handshakeFor(opened, server, B), 101, 'whose name A has used');
    }));
  });

  it('R13: an IPv6 /64 behind a proxy is one address', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '2'], (server) => closingAll(async (opened) => {
      assert.equal(await handshakeFor(opened, server, '2001:db8::1'), 101);
      assert.equal(await handshakeFor(opened, server, '[2001:db8::ffff]:443'), 101);
      assert.equal(await handshakeFor(opened, server, '2001:db8:0:0:7::1'), 429);
      assert.equal(await handshakeFor(opened, server, '2001:db8:0:1::1'), 101);
    }));
  });

  it('R12: without a list, or with one that cannot be read, it is the proxy\'s own', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '2'], (server) => closingAll(async (opened) => {
      assert.equal(await handshakeFor(opened, server), 101);
      assert.equal(await handshakeFor(opened, server, 'unknown'), 101);
      for (const list of ['_hidden', '192.0.2', '0300.0.2.1', `${A},`, `for=${A}`, `"${A}"`, '127.0.0.1']) assert.equal(await handshakeFor(opened, server, list), 429, list);
      assert.equal(await handshakeFor(opened, server, A), 101);
    }));
  });

  it('R37: joins count for the client behind the proxy', async () => {
    await withServer([...TRUSTED, '--burst-joins', '2', '--rate-joins', '2'], async (server) => {
      const join = async (/** @type {string} */ client) => {
        const one = await Participant.connect(server, { headers: { 'X-Forwarded-For': client } });
        one.send({ type: 'JoinRoom', roomId: freshRoom() });
        const { object } = await one.receiveRaw();
        await one.leave();
        return object.code ?? object.type;
      };
      assert.deepEqual([await join(A), await join(A), await join(A)], ['RoomJoined', 'RoomJoined', 'rate-limited']);
      assert.deepEqual([await join(B), await join(B), await join(B)], ['RoomJoined', 'RoomJoined', 'rate-limited']);
    });
  });

  it('R12: a kept-alive connection counts for the client of its last request', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '1'], (server) => closingAll(async (opened) => {
      const [one, two] = [await new Connection(server.port).open(), await new Connection(server.port).open()];
      opened.push(one, two);
      assert.equal(await askFor(one, A), 200);
      assert.equal(await askFor(one, B), 200, 'moved over');
      assert.equal(await askFor(two, A), 200, 'A has none now');
      assert.equal(await askFor(two, A), 200);
      assert.equal(await askFor(two, B), 429);
      await two.closed();
      while (await handshakeFor(opened, server, A) !== 101);
      assert.equal(await askFor(one, B), 200, 'B still has the first');
      assert.equal(await askFor(one, A), 429);
    }));
  });

  it('R13: moving a connection over costs what a new one does, and staying nothing', async () => {
    await withServer([...TRUSTED, '--rate-connections', '1', '--burst-connections', '3'], (server) => closingAll(async (opened) => {
      const one = await new Connection(server.port).open();
      opened.push(one);
      for (let i = 0; i < 30; i++) assert.equal(await askFor(one, A), 200);
      const started = process.hrtime.bigint();
      let status = 0;
      let turns = 0;
      while (status !== 429) {
        status = await askFor(one, turns++ % 2 ? A : B);
        assert.ok(turns < 80, 'at some time it is enough');
      }
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      assert.ok(turns >= 5 && turns <= 10 + 2 * seconds, `${turns} turns in ${seconds} s, where three at once and one a second are allowed to each`);
      await one.closed();
      assert.equal(await handshakeFor(opened, server, '203.0.113.9'), 101);
    }));
  });

  it('R12: requests that come together are of one client', async () => {
    await withServer(TRUSTED, (server) => closingAll(async (opened) => {
      const [same, mixed] = [await new Connection(server.port).open(), await new Connection(server.port).open()];
      opened.push(same, mixed);
      const of = (/** @type {string} */ client) => request('/robots.txt', { headers: { 'X-Forwarded-For': client } });
      same.write(of(A) + of(`203.0.113.9, ${A}`) + of(A));
      for (let i = 0; i < 3; i++) assert.equal((await same.response()).status, 200);
      mixed.write(of(A) + of(B) + of(B));
      assert.equal((await mixed.response()).status, 200);
      assert.equal((await mixed.closed()).length, 0, 'the second one is not answered');
    }));
  });

  it('R13: connections of a proxy that ask for nothing count for nobody, but in all', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '2', '--connections-max', '8'], (server) => closingAll(async (opened) => {
      for (let i = 0; i < 5; i++) opened.push(await new Connection(server.port).open());
      assert.equal(await handshakeFor(opened, server, A), 101);
      assert.equal(await handshakeFor(opened, server, A), 101);
      assert.equal(await handshakeFor(opened, server, A), 429);
      assert.equal(await handshakeFor(opened, server, B), 101);
      const ninth = await new Connection(server.port).open();
      opened.push(ninth);
      await ninth.closed();
    }));
  });

  it('R5: what is refused at the door is refused before it counts', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '1', '--rate-connections', '1'], (server) => closingAll(async (opened) => {
      for (let i = 0; i < 20; i++) assert.equal((await fetchRaw(server.port, '/a//b', { headers: { 'X-Forwarded-For': A } })).status, 400);
      assert.equal(await handshakeFor(opened, server, A), 101);
    }));
  });

  it('a WebSocket through the proxy is one like any other', async () => {
    await withServer([...TRUSTED, '--connections-per-address', '3'], async (server) => {
      await assertServes(server);
      const raw = await RawWebSocket.open(server, { headers: [['X-Forwarded-For', A]] });
      raw.send({ type: 'JoinRoom', roomId: freshRoom() });
      assert.equal((await raw.message()).type, 'RoomJoined');
      raw.destroy();
    });
  });

  it('R16: the page\'s own origin has the scheme that the proxy was asked by, and either one when it does not tell', async () => {
    await withServer(TRUSTED, (server) => closingAll(async (opened) => {
      const status = async (/** @type {string} */ scheme, /** @type {string[]} */ ...lists) => {
        const connection = await new Connection(server.port).open();
        opened.push(connection);
        connection.write(openingRequest({ host: server.host, headers: [['Origin', `${scheme}://${server.host}`], ...lists.map((list) => /** @type {[string, string]} */ (['X-Forwarded-Proto', list]))] }));
        return (await connection.response({ check: false })).status;
      };
      for (const [lists, http, https] of /** @type {[string[], number, number][]} */ ([
        [[], 101, 101],
        [['https'], 403, 101],
        [['http'], 101, 403],
        [['WSS'], 403, 101],
        [['http, https'], 403, 101],
        [['http', 'https'], 403, 101],
        [['https, http'], 101, 403],
        [['https', 'http'], 101, 403],
        [['https,'], 101, 101],
        [['garbage'], 101, 101],
        [['"https"'], 101, 101],
        [['https', 'garbage'], 101, 101],
      ])) {
        assert.equal(await status('http', ...lists), http, `http, told ${lists}`);
        assert.equal(await status('https', ...lists), https, `https, told ${lists}`);
      }
    }));
  });

  it('R16: a stranger\'s X-Forwarded-Proto is not read', async () => {
    await withServer([], (server) => closingAll(async (opened) => {
      for (const told of ['http', 'https']) {
        for (const scheme of ['http', 'https']) {
          const connection = await new Connection(server.port).open();
          opened.push(connection);
          connection.write(openingRequest({ host: server.host, headers: [['Origin', `${scheme}://${server.host}`], ['X-Forwarded-Proto', told]] }));
          const own = scheme === 'https' || server.url?.startsWith('http:');
          assert.equal((await connection.response({ check: false })).status, own ? 101 : 403);
        }
      }
    }));
  });

  it('R16: each request of a connection has the scheme that is told with it', async () => {
    await withServer(TRUSTED, (server) => closingAll(async (opened) => {
      for (const [first, second, wanted] of [['https', 'http', 403], ['http', 'https', 101], ['https', '', 101]]) {
        const connection = await new Connection(server.port).open();
        opened.push(connection);
        connection.write(request('/robots.txt', { headers: { 'X-Forwarded-Proto': String(first) } }));
        assert.equal((await connection.response()).status, 200);
        connection.write(openingRequest({ host: server.host, headers: [['Origin', `https://${server.host}`], ['X-Forwarded-Proto', String(second)]] }));
        assert.equal((await connection.response({ check: false })).status, wanted, `${first}, then ${second}`);
      }
      const together = await new Connection(server.port).open();
      opened.push(together);
      const by = (/** @type {string} */ scheme) => request('/robots.txt', { headers: { 'X-Forwarded-Proto': scheme } });
      together.write(by('https') + by('https') + by('http'));
      for (let i = 0; i < 2; i++) assert.equal((await together.response()).status, 200);
      assert.equal((await together.closed()).length, 0, 'the third one is not answered');
    }));
  });

  it('R6: X-Forwarded-Host, -Port, -Prefix and Forwarded are not read, and come back nowhere', async () => {
    await withServer([...TRUSTED, '--host', '127.0.0.1'], async (server) => {
      const headers = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Port': '666', 'X-Forwarded-Prefix': '/evil', Forwarded: 'for=192.0.2.9;host=evil.example;proto=https' };
      for (const path of ['/', '/room/tea', '/nothing']) {
        const response = await fetchRaw(server.port, path, { headers, check: false });
        assert.doesNotMatch(response.head + response.body, /evil|666/);
      }
    });
  });

  it('a PROXY protocol header is no request', async () => {
    await withServer(TRUSTED, async (server) => {
      for (const bytes of ['PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c']) {
        const connection = await new Connection(server.port).open();
        connection.write(bytes + request('/room/tea'));
        assert.equal((await connection.response()).status, 400);
        connection.destroy();
      }
    });
  });
});

describe('below a base path', () => {
  it('everything is below it, with its addresses, and nothing outside', async () => {
    await withServer(['--base-path', '/calls/here'], async (server) => {
      for (const path of ['/calls/here', '/calls/here/']) {
        const top = await fetchRaw(server.port, path);
        assert.equal(top.status, 302);
        assert.match(String(top.header('location')), /^\/calls\/here\/room\/[0-9a-f-]{36}$/);
      }
      const room = await fetchRaw(server.port, '/calls/here/room/tea');
      assert.equal(room.status, 200);
      const addresses = [...room.body.toString().matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, address]) => address);
      assert.ok(addresses.length > 5);
      for (const address of addresses) {
        assert.ok(address.startsWith('/calls/here/'), address);
        assert.ok([200, 302].includes((await fetchRaw(server.port, address)).status), address);
      }
      const style = addresses.find((address) => address.endsWith('.css'));
      assert.equal((await fetchRaw(server.port, String(style))).header('cache-control'), 'max-age=31536000, immutable');
      const error = await fetchRaw(server.port, '/calls/here/nothing');
      assert.equal(error.status, 404);
      for (const [, address] of error.body.toString().matchAll(/(?:href|src)="(\/[^"]*)"/g)) assert.ok(address.startsWith('/calls/here/'), address);
      for (const path of ['/', '/room/tea', '/ws', '/calls', '/calls/', '/calls/hereroom/tea', '/robots.txt', String(style).slice('/calls/here'.length)]) {
        assert.equal((await fetchRaw(server.port, path)).status, 404, path);
      }
      await assertServes({ socketUrl: `${/** @type {string} */ (server.url).replace('http', 'ws')}/calls/here/ws` });
    });
  });
});
