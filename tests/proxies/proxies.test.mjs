// aloha behind the proxies of docs/operations.md, each by its recipe there, over TCP and through a socket file.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Front, NAME, PROXY_NAMES } from '../lib/front.mjs';
import { SECURITY_HEADERS } from '../lib/http.mjs';
import { Participant, freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, startServer, startServerOnPath } from '../lib/server.mjs';

const TIMEOUT_S = 3;

/** @typedef {{ name: typeof PROXY_NAMES[number], path?: boolean, below?: boolean }} Case */

/** A server, and a proxy in front of it. @param {Case} of @param {string[]} args @param {{ edit?: (recipe: string) => string }} [how] */
async function startBoth({ name, path = false, below = false }, args = UNLIMITED, how = {}) {
  const all = ['--host', NAME, ...(path ? ['--socket-mode', '0666'] : ['--trusted-proxies', '127.0.0.1']), ...(below ? ['--base-path', '/calls'] : []), ...args];
  const server = await (path ? startServerOnPath(all) : startServer(all));
  try {
    return { server, front: await Front.start(name, { server, below, ...how }) };
  } catch (error) {
    server.child.kill('SIGKILL');
    throw error;
  }
}

/** @param {Front} front @param {Parameters<Front['as']>[0]} [how] */
function connect(front, how) {
  const { server, how: rest } = front.as(how);
  return Participant.connect(server, rest);
}

/** The status that a handshake is refused with. @param {Front} front @param {Parameters<Front['as']>[0]} [how] */
async function refusal(front, how) {
  const error = await connect(front, how).then((one) => { one.destroy(); return new Error('it was let in'); }, (/** @type {Error} */ e) => e);
  return Number(/Unexpected server response: (\d+)/.exec(error.message)?.[1] ?? assert.fail(String(error)));
}

/** @param {Front} front @param {string} room */
async function join(front, room) {
  const one = await connect(front);
  await one.join(room);
  return one;
}

/** @param {Front} front */
async function pairOf(front) {
  const room = freshRoom();
  const a = await join(front, room);
  const b = await join(front, room);
  assert.equal((await a.receive('UserJoined')).peerId, b.peerId);
  return [a, b];
}

for (const one of /** @type {Case[]} */ (PROXY_NAMES.flatMap((name) => [{ name }, { name, path: true }, { name, below: true, path: name === 'Caddy' }]))) {
  describe(`behind ${one.name}, ${one.path ? 'through a socket file' : 'over TCP'}${one.below ? ', below a path' : ''}`, () => {
    /** @type {Awaited<ReturnType<typeof startBoth>>} */
    let both;
    before(async () => {
      both = await startBoth(one, [...UNLIMITED, '--ping-after', '1', '--gone-after', '30']);
    });
    after(async () => {
      both?.server.child.kill('SIGKILL');
      await both?.front.end();
    });

    it('pages, files and redirects come as aloha has sent them', async () => {
      const { front } = both;
      const top = await front.get(`${front.base}/`);
      assert.equal(top.status, 302);
      assert.match(top.headers.location, new RegExp(`^${front.base}/room/[0-9a-f-]{36}$`));
      if (front.base) {
        const bare = await front.get(front.base);
        assert.ok([301, 302].includes(bare.status), `${bare.status}`);
        assert.match(bare.headers.location, new RegExp(`^(https://[^/]+)?${front.base}/`));
      }
      const room = await front.get(`${front.base}/room/tea`);
      assert.equal(room.status, 200);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
        if (name !== 'content-security-policy') assert.equal(room.headers[name], value, name);
      }
      assert.equal(room.headers['strict-transport-security'], 'max-age=31536000');
      for (const [, address] of room.body.matchAll(/(?:href|src)="(\/[^"]*\.(?:js|css))"/g)) {
        const file = await front.get(address, { headers: { 'Accept-Encoding': 'identity' } });
        assert.equal(file.status, 200, address);
        assert.equal(file.headers['content-length'], String(Buffer.byteLength(file.body)));
      }
      assert.equal((await front.get(`${front.base}/nothing`)).status, 404);
    });

    it('plain http is sent on to https', async () => {
      const { front } = both;
      const answer = await new Promise((resolve, reject) => http.get({ host: '127.0.0.1', port: front.http, path: `${front.base}/room/tea`, headers: { Host: NAME }, agent: false }, resolve).once('error', reject));
      answer.resume();
      assert.equal(answer.statusCode, 308);
      assert.match(answer.headers.location, new RegExp(`^https://${NAME}(?::\\d+)?${front.base}/room/tea$`));
    });

    it('two signal to each other, large messages too, each way', async () => {
      const [a, b] = await pairOf(both.front);
      const large = 'ʻ'.repeat(30_000);
      for (let i = 0; i < 20; i++) {
        a.signal(b.peerId, { i, large });
        b.signal(a.peerId, { i, large });
      }
      for (let i = 0; i < 20; i++) {
        assert.deepEqual(await b.receive('Signal'), { type: 'Signal', peerId: a.peerId, message: { i, large } });
        assert.deepEqual(await a.receive('Signal'), { type: 'Signal', peerId: b.peerId, message: { i, large } });
      }
      a.destroy();
      b.destroy();
    });

    it('R16: the page\'s own origin is let in, and no other, the same by plain http neither', async () => {
      const { front } = both;
      for (const origin of [`http://${front.host}`, 'https://evil.example', `https://${NAME}.evil.example`, 'null']) {
        assert.equal(await refusal(front, { origin }), 403, origin);
      }
      (await connect(front)).destroy();
      assert.equal(await refusal(front, { origin: `http://${front.host}`, headers: { 'X-Forwarded-Proto': 'http' } }), 403, 'what a client says itself does not count');
    });

    it('close codes pass, each way: goodbyes and refusals', async () => {
      const [a, b] = await pairOf(both.front);
      b.socket.close(1000);
      assert.equal((await a.receive('UserLeft')).reason, 'left');
      assert.equal(await b.closed(), 1000);
      a.socket.send(Buffer.from('binary'), { binary: true });
      assert.equal(await a.closed(), 1003);
    });

    it('pings pass, each way', async () => {
      const one = await connect(both.front);
      const pinged = new Promise((resolve) => one.socket.once('ping', resolve));
      one.socket.ping('hello');
      await one.changes.until(() => one.pongs > 0, 'a pong');
      await pinged;
      one.destroy();
    });

    it('a drain comes through as 1012', async () => {
      const [a, b] = await pairOf(both.front);
      const ended = both.server.endsCleanly();
      for (const each of [a, b]) assert.equal((await each.closed()), 1012);
      await ended;
    });
  });
}

for (const one of /** @type {Case[]} */ (PROXY_NAMES.flatMap((name, i) => [{ name, path: i % 2 === 1 }]))) {
  describe(`behind ${one.name}, limits`, () => {
    it('R12, R13: connections count for each client, whatever it says itself', async () => {
      const { server, front } = await startBoth(one, [...UNLIMITED, '--connections-per-address', '3']);
      try {
        const open = [];
        for (let i = 0; i < 3; i++) open.push(await connect(front, { from: '127.0.0.2' }));
        assert.equal(await refusal(front, { from: '127.0.0.2' }), 429);
        assert.equal(await refusal(front, { from: '127.0.0.2', headers: { 'X-Forwarded-For': '203.0.113.9' } }), 429);
        assert.equal((await front.get('/room/tea', { from: '127.0.0.2' })).status, 429);
        for (let i = 0; i < 3; i++) open.push(await connect(front, { from: '127.0.0.3', headers: { 'X-Forwarded-For': '127.0.0.2' } }));
        assert.equal(await refusal(front, { from: '127.0.0.3' }), 429);
        for (const each of open) each.destroy();
        await server.endsCleanly();
      } finally {
        server.child.kill('SIGKILL');
        await front.end();
      }
    });

    it('a WebSocket of which nothing is heard but pings outlives the proxy\'s times', async () => {
      const times = (/** @type {string} */ recipe) => {
        const edited = recipe.replace(/(proxy_(?:read|send)_timeout|timeout (?:client|server|tunnel)) \w+/g, `$1 ${TIMEOUT_S}s`);
        assert.equal(edited !== recipe, one.name !== 'Caddy', 'Caddy has no such time');
        return edited;
      };
      const { server, front } = await startBoth(one, [...UNLIMITED, '--ping-after', '1', '--gone-after', '30'], { edit: times });
      try {
        const quiet = await connect(front);
        await quiet.join(freshRoom());
        let pings = 0;
        quiet.socket.on('ping', () => {
          pings++;
          quiet.changes.changed();
        });
        await quiet.changes.until(() => pings >= TIMEOUT_S + 2 || quiet.closeCode, 'pings for longer than that');
        assert.equal(quiet.closeCode, undefined);
        await quiet.hearsNothing();
        quiet.destroy();
        await server.endsCleanly();
      } finally {
        server.child.kill('SIGKILL');
        await front.end();
      }
    });
  });
}
