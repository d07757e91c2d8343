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
});
