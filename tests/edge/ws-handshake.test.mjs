// The opening handshake of the WebSocket: R15 to R17, and the subprotocol of the protocol page.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection, assertSecurityHeaders } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';
import { RawWebSocket, TEXT, acceptOf, frameBytes, openingRequest, parseFrame } from '../lib/websocket.mjs';

describe('opening handshake', () => {
  const server = serverOfSuite({ before, after });

  /** @param {Partial<Parameters<typeof openingRequest>[0]>} how */
  async function open(how = {}) {
    const connection = await new Connection(server.current.port).open();
    connection.write(openingRequest({ host: server.current.host, ...how }));
    const response = await connection.response({ check: false }).catch(() => undefined);
    return { connection, response };
  }

  /** @param {Partial<Parameters<typeof openingRequest>[0]>} how @param {number[]} statuses  0: no answer @param {string} what */
  async function refused(how, statuses, what) {
    const { connection, response } = await open(how);
    connection.destroy();
    const status = response?.status ?? 0;
    assert.ok(statuses.includes(status), `${what}: ${status || 'no answer'} where ${statuses} was expected`);
    if (response) assertSecurityHeaders(response);
    return response;
  }

  it('101 with the right proof, and nothing negotiated that was not offered', async () => {
    const key = 'x3JJHMbDL1EzLkh9GBhXDw==';
    const { connection, response } = await open({ key });
    connection.destroy();
    assert.ok(response);
    assert.equal(response.status, 101);
    assert.equal(response.header('sec-websocket-accept'), acceptOf(key));
    assert.match(response.header('upgrade') ?? '', /^websocket$/i);
    assert.match(response.header('connection') ?? '', /^upgrade$/i);
    assert.equal(response.header('sec-websocket-extensions'), undefined);
    assert.equal(response.header('sec-websocket-protocol'), undefined);
    assert.equal(response.header('set-cookie'), undefined);
  });

  it('a first message in the same packet as the request is not lost', async () => {
    const connection = await new Connection(server.current.port).open();
    connection.write(Buffer.concat([
      Buffer.from(openingRequest({ host: server.current.host })),
      frameBytes({ payload: JSON.stringify({ type: 'JoinRoom', roomId: freshRoom() }) }),
    ]));
    const response = await connection.response({ check: false });
    assert.equal(response.status, 101);
    const message = await new RawWebSocket(connection).message();
    connection.destroy();
    assert.equal(message.type, 'RoomJoined');
  });

  it('header names in any case, more tokens in Connection, a query behind the path', async () => {
    const base = openingRequest({ host: server.current.host });
    for (const bytes of [
      base.replace('Connection: Upgrade', 'Connection: keep-alive, Upgrade'),
      base.replace('Upgrade: websocket', 'UPGRADE: WebSocket'),
      base.replace('Sec-WebSocket-Key', 'sec-websocket-KEY'),
      base.replace('/ws ', '/ws?v=1 '),
    ]) {
      const connection = await new Connection(server.current.port).open();
      connection.write(bytes);
      const response = await connection.response({ check: false });
      connection.destroy();
      assert.equal(response.status, 101, bytes);
    }
  });

  it('R15: no other path', async () => {
    for (const path of ['/', '/room/tea', '/ws/', '/ws/x', '/WS', '//ws', '/x/../ws', '/./ws', '/w%73x', '/wss', '/socket.io/', '/nothing-here']) {
      await refused({ path }, [0, 400, 403, 404], path);
    }
  });

  it('R15: only GET, HTTP/1.1, version 13, a key of 24 characters', async () => {
    await refused({ method: 'POST' }, [0, 400, 405], 'POST');
    await refused({ method: 'HEAD' }, [0, 400, 405], 'HEAD');
    await refused({ http: '1.0' }, [0, 400, 426, 505], 'HTTP/1.0');
    for (const version of ['8', '12', '14', '0', '-13', '1', '130', '13, 8', 'thirteen', '']) {
      const response = await refused({ version }, [426], `version ${version}`);
      assert.equal(response?.header('sec-websocket-version'), '13', 'the version that would do is told');
    }
    await refused({ without: ['Sec-WebSocket-Version'] }, [400, 426], 'no version');
    for (const key of ['', 'short', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZSB0b28gbG9uZw==', 'k'.repeat(200)]) await refused({ key }, [400], `key ${key}`);
    await refused({ without: ['Sec-WebSocket-Key'] }, [400], 'no key');
    await refused({ headers: [['Sec-WebSocket-Key', 'x3JJHMbDL1EzLkh9GBhXDw==']] }, [0, 400], 'two keys');
  });

  it('R15: GET /ws without an upgrade is an answer, not a hang', async () => {
    for (const without of [['Upgrade', 'Connection'], ['Upgrade']]) {
      await refused({ without }, [400, 404, 426], `without ${without}`);
    }
  });

  it('R5, R6 hold for the handshake too', async () => {
    await refused({ without: ['Host'] }, [400], 'no Host');
    await refused({ headers: [['Host', 'other']] }, [400], 'two Hosts');
    await refused({ host: 'a b' }, [400], 'a Host that is none');
    await refused({ headers: [['Content-Length', '5']] }, [0, 400, 413], 'a body');
    await refused({ headers: [['Transfer-Encoding', 'chunked']] }, [0, 400, 501], 'chunked');
  });

  it('R16: the page\'s own origin may', async () => {
    const { host, port, secure } = server.current;
    const http = secure ? 'https' : 'http';
    /** @type {[string, string][]} */
    const good = [[host, `${http}://${host}`], ['localhost:3000', `${http}://localhost:3000`], ['aloha.example', `${http}://aloha.example`],
      ['[::1]:3000', `${http}://[::1]:3000`], [`localhost:${port}`, `${http}://localhost:${port}`]];
    for (const [h, origin] of good) {
      const { connection, response } = await open({ host: h, headers: [['Origin', origin]] });
      connection.destroy();
      assert.equal(response?.status, 101, `${origin} at ${h}`);
    }
  });

  it('R16: no other origin may, however alike it looks', async () => {
    const { host, port, secure } = server.current;
    const bad = ['http://evil.example', `http://127.0.0.1`, `http://127.0.0.1:${port + 1}`, `http://localhost:${port}`, `http://${host}.evil.example`, `http://${host}@evil.example`,
      `http://evil.example/${host}`, `http://evil.example?${host}`, `http://evil.example#${host}`, `http://evil${host}`, `http://${host}0`, `http://${host.slice(0, -1)}`,
      `http://${host}/`, `http://${host}/x`, ...(secure ? [`http://${host}`] : []), `${host}`, `//${host}`, `http:${host}`, `http:///${host}`, `file://${host}`, `javascript://${host}`, 'null', 'NULL', 'http://',
      `http://${host} http://evil.example`, `http://${host},http://evil.example`, `http://user@${host}`, `http://user:pass@${host}`, `http://0x7f.1:${port}`, `http://2130706433:${port}`,
      `http://127.1:${port}`, `http://[::ffff:127.0.0.1]:${port}`, `ftp://${host}`, `chrome-extension://${host}`, `http://${host}\\.evil.example`, `http://${host}%2eevil.example`, 'x'.repeat(1000)];
    const wrong = [];
    for (const origin of bad) {
      const { connection, response } = await open({ headers: [['Origin', origin]] });
      connection.destroy();
      if (response?.status !== 403) wrong.push(`${origin}: ${response?.status ?? 'no answer'}`);
      else assertSecurityHeaders(response);
    }
    assert.deepEqual(wrong, []);
  });

  it('R16: an empty Origin is not the same as none', async () => {
    for (const origin of ['', ' ']) await refused({ headers: [['Origin', origin]] }, [400, 403], 'an empty Origin');
  });

  it('R16: two Origins are one too many', async () => {
    const own = `http://${server.current.host}`;
    await refused({ headers: [['Origin', own], ['Origin', 'http://evil.example']] }, [403], 'own, then other');
    await refused({ headers: [['Origin', 'http://evil.example'], ['Origin', own]] }, [403], 'other, then own');
    await refused({ headers: [['Origin', own], ['Origin', own]] }, [403], 'twice the same');
  });

  it('R16: what a proxy claims does not make an origin good', async () => {
    await refused({ headers: [['Origin', 'http://evil.example'], ['X-Forwarded-Host', 'evil.example'], ['Forwarded', 'host=evil.example']] }, [403], 'X-Forwarded-Host');
  });

  it('R16: no Origin at all may: tools and native clients send none', async () => {
    const someone = await Participant.join(server.current, freshRoom());
    await someone.leave();
  });

  it('R17: permessage-deflate is not negotiated', async () => {
    for (const offer of ['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'x-webkit-deflate-frame', 'permessage-deflate, permessage-deflate; server_no_context_takeover']) {
      const { connection, response } = await open({ headers: [['Sec-WebSocket-Extensions', offer]] });
      assert.equal(response?.status, 101, offer);
      assert.equal(response?.header('sec-websocket-extensions'), undefined, offer);
      const socket = new RawWebSocket(connection);
      socket.send({ type: 'JoinRoom', roomId: freshRoom() });
      const frame = await socket.next();
      assert.equal(frame?.rsv, 0, 'not compressed');
      connection.destroy();
    }
  });

  it('the subprotocol is aloha.v1 or none', async () => {
    for (const offer of ['aloha.v1', 'x, aloha.v1', 'aloha.v1, aloha.v2', 'aloha.v2,aloha.v1']) {
      const { connection, response } = await open({ headers: [['Sec-WebSocket-Protocol', offer]] });
      connection.destroy();
      assert.equal(response?.status, 101, offer);
      assert.equal(response?.header('sec-websocket-protocol'), 'aloha.v1', offer);
    }
    for (const offer of ['chat', 'aloha.v2', 'aloha.v10', 'aloha', 'ALOHA.V1', 'http', 'xaloha.v1', ', ,', 'p'.repeat(500)]) {
      await refused({ headers: [['Sec-WebSocket-Protocol', offer]] }, [0, 400, 403], `Sec-WebSocket-Protocol: ${offer.slice(0, 40)}`);
    }
    const someone = await Participant.connect(server.current, { protocols: ['aloha.v1'] });
    assert.equal(someone.socket.protocol, 'aloha.v1');
    await someone.join(freshRoom());
    await someone.leave();
  });

  it('a handshake byte by byte', async () => {
    const connection = await new Connection(server.current.port).open();
    for (const byte of openingRequest({ host: server.current.host })) {
      connection.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const response = await connection.response({ check: false });
    connection.destroy();
    assert.equal(response.status, 101);
  });

  it('after an ordinary request on the same connection', async () => {
    const connection = await new Connection(server.current.port).open();
    connection.write(`GET /room/tea HTTP/1.1\r\nHost: ${server.current.host}\r\n\r\n`);
    assert.equal((await connection.response()).status, 200);
    connection.write(openingRequest({ host: server.current.host }));
    assert.equal((await connection.response({ check: false })).status, 101);
    const socket = new RawWebSocket(connection);
    socket.send({ type: 'JoinRoom', roomId: freshRoom() });
    assert.equal((await socket.message()).type, 'RoomJoined');
    socket.destroy();
  });

  it('who goes away in the middle of the handshake leaves nothing behind', async () => {
    const before = await server.current.descriptors();
    for (let i = 0; i < 100; i++) {
      const connection = await new Connection(server.current.port).open();
      const bytes = openingRequest({ host: server.current.host });
      connection.write(i % 2 ? bytes : bytes.slice(0, i));
      if (i % 3 === 0) connection.socket.resetAndDestroy();
      else connection.destroy();
    }
    await assertServes(server.current);
    for (let i = 0; i < 200 && (await server.current.descriptors()) > before + 24; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok((await server.current.descriptors()) <= before + 24, 'the descriptors are free again');
  });

  it('the server speaks only when spoken to: nothing comes before a join', async () => {
    const connection = await new Connection(server.current.port).open();
    connection.write(openingRequest({ host: server.current.host }));
    await connection.response({ check: false });
    const socket = new RawWebSocket(connection);
    socket.send({ type: 'Marker' });
    const frame = await connection.changes.until(() => parseFrame(connection.input)?.frame, 'the first frame');
    assert.equal(frame.opcode, TEXT);
    assert.equal(JSON.parse(frame.payload.toString()).code, 'unknown-type');
    socket.destroy();
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
