// https on the public port: what is spoken, which certificate is shown and when it changes, and that all that holds in
// plain holds here too. The other files of this folder run over TLS as well: ALOHA_TEST_TLS=1.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { Authority } from '../lib/certificates.mjs';
import { Connection, assertSecurityHeaders, exchange, request } from '../lib/http.mjs';
import { Participant, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { UNLIMITED, repository, runToEnd, serverOfSuite, startServer } from '../lib/server.mjs';
import { pause, within } from '../lib/wait.mjs';
import { RawWebSocket } from '../lib/websocket.mjs';

const authority = new Authority();

/** @typedef {Awaited<ReturnType<typeof startServer>> & { port: number, host: string, opsPort: number, redirectPort: number }} Server */

/** @param {string[]} args @param {(server: Server) => Promise<void>} work @param {Parameters<typeof startServer>[1]} [how] */
async function withServer(args, work, how) {
  const server = /** @type {Server} */ (await startServer([...UNLIMITED, ...args], how));
  try {
    await work(server);
    await server.endsCleanly();
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** @param {{ opsPort?: number }} server @param {string} name */
async function metric(server, name) {
  const text = await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();
  const value = new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec(text);
  assert.ok(value, `there is a metric ${name}`);
  return Number(value[1]);
}

/** Until it is so. @param {() => Promise<boolean>} look @param {string} what */
async function until(look, what) {
  const deadline = Date.now() + 30_000;
  while (!(await look())) {
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await pause(50);
  }
}

/** What a new connection is shown. @param {{ port?: number }} server @param {tls.ConnectionOptions} [options] */
async function shown(server, options = {}) {
  const connection = await new Connection(/** @type {number} */ (server.port), '127.0.0.1', { servername: 'localhost', ...options }).open();
  try {
    return /** @type {tls.TLSSocket} */ (connection.socket).getPeerX509Certificate()?.fingerprint256;
  } finally {
    connection.destroy();
  }
}

/**
 * openssl s_client; says `input` once it is connected, and waits for the end of the connection.
 * @param {{ port?: number }} server @param {string[]} args @param {string} [input]
 * @returns {Promise<{ code: number | null, text: string }>}
 */
function sClient(server, args, input = 'GET / HTTP/1.1\r\n\r\n') {
  return within(new Promise((resolve) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`, '-servername', 'localhost', '-ign_eof', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('latin1').on('data', (part) => (text += part));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('close', (code) => resolve({ code, text }));
  }), `openssl s_client ${args.join(' ')}`);
}

/** @param {string} file @param {string[]} args @returns {Promise<{ code: number, stdout: string, stderr: string }>} */
const run = (file, args) => new Promise((resolve) => {
  execFile(file, args, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }));
});

const hasCommand = (/** @type {string} */ name) => (process.env.PATH ?? '').split(':').some((dir) => existsSync(path.join(dir, name)));

describe('TLS on the public port', () => {
  const pair = authority.issue();
  const server = serverOfSuite({ before, after }, [...UNLIMITED, ...authority.write(pair).args]);

  it('R11: 1.2 and 1.3 are spoken, nothing older', async () => {
    for (const [flag, wanted] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) {
      const { text } = await sClient(server.current, [flag, '-CAfile', authority.file, '-verify_return_error']);
      assert.match(text, new RegExp(`New, ${wanted}`), flag);
      assert.match(text, /Verify return code: 0 \(ok\)/, flag);
      assert.match(text, /^HTTP\/1\.1 400 /m, 'and an answer came over it');
      assert.match(text, /Compression: NONE/);
    }
    for (const flag of ['-tls1_1', '-tls1']) {
      const { text } = await sClient(server.current, [flag, '-cipher', 'ALL:@SECLEVEL=0']);
      assert.doesNotMatch(text, /HTTP\/1\.1/, flag);
      assert.match(text, /protocol version/, flag);
    }
  });

  it('no cipher without forward secrecy, none without authentication of what it encrypts', async () => {
    for (const cipher of ['AES128-GCM-SHA256', 'AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'NULL', 'aNULL', 'ECDHE-ECDSA-NULL-SHA']) {
      const { text } = await sClient(server.current, ['-tls1_2', '-cipher', `${cipher}:@SECLEVEL=0`]);
      assert.doesNotMatch(text, /HTTP\/1\.1/, cipher);
    }
    for (const cipher of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305']) {
      const { text } = await sClient(server.current, ['-tls1_2', '-cipher', cipher]);
      assert.match(text, /^HTTP\/1\.1 400 /m, cipher);
    }
  });

  it('R7: ALPN is http/1.1, and never h2', async () => {
    for (const offer of ['h2,http/1.1', 'http/1.1,h2', 'http/1.1']) {
      const { text } = await sClient(server.current, ['-alpn', offer]);
      assert.match(text, /ALPN protocol: http\/1\.1/, offer);
    }
    for (const offer of ['h2', 'h2c,spdy/3.1', 'http/1.']) {
      const { text } = await sClient(server.current, ['-alpn', offer]);
      assert.match(text, /no application protocol/, offer);
    }
    assert.match((await sClient(server.current, [])).text, /No ALPN negotiated/);
  });

  it('does not renegotiate', async () => {
    const { text } = await within(new Promise((resolve) => {
      const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${server.current.port}`, '-tls1_2']);
      let all = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (part) => {
          const before = all;
          all += part;
          if (!before.includes('Verify return code') && all.includes('Verify return code')) child.stdin.write('R\n');
          if (!before.includes('no renegotiation') && all.includes('no renegotiation')) child.stdin.end();
        });
      }
      child.on('close', () => resolve({ text: all }));
    }), 'the end of s_client');
    assert.match(text, /RENEGOTIATING/);
    assert.match(text, /no renegotiation/);
  });

  it('a session is resumed by its ticket', async () => {
    const first = await new Connection(server.current.port, '127.0.0.1', {}).open();
    const session = await within(new Promise((resolve) => {
      first.socket.once('session', resolve);
    }), 'a ticket');
    first.destroy();
    const second = await new Connection(server.current.port, '127.0.0.1', { session }).open();
    assert.ok(/** @type {tls.TLSSocket} */ (second.socket).isSessionReused());
    second.write(request('/room/tea'));
    assert.equal((await second.response()).status, 200);
    second.destroy();
  });

  it('curl gets the page, and believes the certificate', { skip: !hasCommand('curl') && 'no curl here' }, async () => {
    const { port } = server.current;
    for (const flags of [[], ['--tls-max', '1.2'], ['--http1.1'], ['-I'], ['--compressed']]) {
      const { code, stdout, stderr } = await run('curl', ['-sS', '--cacert', authority.file, '-w', '\n%{http_code} %{http_version}\n', ...flags, `https://localhost:${port}/room/tea`, '--resolve', `localhost:${port}:127.0.0.1`]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /\n200 1\.1\n$/, flags.join(' '));
    }
  });

  it('keep-alive, HEAD and two requests at once work as in plain', async () => {
    const connection = await new Connection(server.current.port).open();
    for (const path_ of ['/room/tea', '/nothing', '/']) {
      connection.write(request(path_));
      assert.equal((await connection.response()).status, { '/room/tea': 200, '/nothing': 404, '/': 302 }[path_]);
    }
    connection.write(request('/room/a', { method: 'HEAD' }) + request('/room/b'));
    assert.equal((await connection.response({ method: 'HEAD' })).status, 200);
    assert.match((await connection.response()).body.toString(), /data-room="b"|"b"/);
    connection.destroy();
  });

  it('a head in a record for each byte is one head', async () => {
    const connection = await new Connection(server.current.port).open();
    for (const byte of request('/room/tea')) {
      await new Promise((resolve) => connection.socket.write(byte, resolve));
    }
    assert.equal((await connection.response()).status, 200);
    connection.destroy();
  });

  it('a pair signals over wss, with messages of all sizes both ways and in bursts', async () => {
    const [a, b] = await roomOf(server.current, 2);
    const sizes = [0, 1, 125, 126, 1000, 16_000, 16_384, 16_385, 32_768, 65_000];
    for (const size of sizes) {
      for (const [from, to] of [[a, b], [b, a]]) {
        const message = 'x'.repeat(size);
        from.signal(to.peerId, message);
        const heard = await to.receive('Signal');
        assert.ok(heard.message === message, `${size} bytes`);
      }
    }
    for (let i = 0; i < 500; i++) {
      a.signal(b.peerId, { i, fill: 'y'.repeat((i * 97) % 9000) });
      b.signal(a.peerId, i);
    }
    for (let i = 0; i < 500; i++) {
      const { message } = await b.receive('Signal');
      assert.ok(message.i === i && message.fill.length === (i * 97) % 9000, `the ${i}th`);
      assert.equal((await a.receive('Signal')).message, i);
    }
    await a.leave();
    await b.leave();
  });

  it('R16: the page\'s own origin is https', async () => {
    const { host } = server.current;
    (await RawWebSocket.open(server.current, { headers: [['Origin', `https://${host}`]] })).destroy();
    await assert.rejects(RawWebSocket.open(server.current, { headers: [['Origin', `http://${host}`]] }), /403/);
  });

  it('a client that leaves without close_notify has left, and the others hear of it', async () => {
    const [a, b] = await roomOf(server.current, 2);
    const raw = /** @type {any} */ (b.socket)._socket;
    raw._handle?.close?.(); // the TCP connection alone; TLS is not asked
    raw.destroy();
    a.signal(b.peerId, 'kept for its seat');
    await a.hearsNothing();
    a.destroy();
    b.destroy();
  });

  it('close_notify is said when a connection ends, by an answer as by a WebSocket', async () => {
    const { text } = await sClient(server.current, ['-msg', '-tls1_2']);
    assert.match(text, /^HTTP\/1\.1 400 /m);
    assert.match(text, /<<< TLS 1\.2, Alert \[length 0002\], warning close_notify/);
  });

  it('half-closed after its request, a client still gets the answer', async () => {
    const connection = await new Connection(server.current.port).open();
    connection.socket.end(request('/room/tea'));
    const plain = await connection.response().then((response) => response.status, (error) => error.message);
    connection.destroy();
    assert.ok(plain === 200 || /ended before a response/.test(String(plain)), String(plain)); // as in plain: see below
  });

  it('bytes that are no TLS record end the connection, wherever they come', async () => {
    for (const when of ['at once', 'after the handshake', 'in a WebSocket']) {
      const wire = net.connect(server.current.port, '127.0.0.1');
      wire.on('error', () => {});
      const closed = new Promise((resolve) => wire.once('close', resolve));
      if (when === 'at once') {
        wire.write(Buffer.from('160301020001000afc0303', 'hex'));
        wire.write(Buffer.alloc(600, 0x41));
      } else {
        const secure = tls.connect({ socket: wire, rejectUnauthorized: false });
        secure.on('error', () => {});
        await new Promise((resolve) => secure.once('secureConnect', resolve));
        if (when === 'in a WebSocket') {
          secure.write(`GET /ws HTTP/1.1\r\nHost: ${server.current.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`);
          await new Promise((resolve) => secure.once('data', resolve));
        }
        wire.write(Buffer.alloc(100, 0x42));
      }
      wire.resume();
      await within(/** @type {Promise<unknown>} */ (closed), `the end, ${when}`);
    }
    await assertServes(server.current);
  });

  it('plain http on this port is sent to https', async () => {
    const { port, host } = server.current;
    const connection = await new Connection(port, '127.0.0.1', false).open();
    connection.write(request('/room/tea?x=1', { host }));
    const response = await connection.response({ check: false });
    assert.equal(response.status, 308);
    assert.equal(response.header('location'), `https://${host}/room/tea?x=1`);
    assert.equal(response.header('strict-transport-security'), undefined);
    await connection.closed();
  });

  it('what is neither TLS nor http gets an answer that can be read, and the end', async () => {
    for (const bytes of ['\x80\x2e\x01\x03\x01', 'HELO x\r\n', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi']) {
      const connection = await new Connection(server.current.port, '127.0.0.1', false).open();
      connection.write(bytes);
      const response = await connection.response({ check: false });
      assert.ok([400, 405].includes(response.status), bytes);
      await connection.closed();
    }
  });

  it('handshakes are counted, good and bad', async () => {
    assert.ok(await metric(server.current, 'aloha_tls_handshakes_total') > 10);
    assert.ok(await metric(server.current, 'aloha_tls_handshake_failures_total') > 3);
    const expires = await metric(server.current, 'aloha_tls_certificate_expiry_seconds');
    assert.equal(expires, Date.parse(new X509Certificate(pair.cert).validTo) / 1000);
  });

  it('descriptors come back', async () => {
    await until(async () => (await metric(server.current, 'aloha_connections')) === 0, 'the end of all connections');
    const before_ = await server.current.descriptors();
    const all = await Promise.all(Array.from({ length: 50 }, () => Participant.join(server.current, freshRoom())));
    assert.ok(await server.current.descriptors() >= before_ + 3 * 50);
    for (const one of all) one.destroy();
    await until(async () => (await server.current.descriptors()) <= before_ + 2, 'the descriptors');
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('key updates', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, ...authority.write(authority.issue()).args]);

  /** Updates its key so often, and asks for a page then. @param {number} times @returns {Promise<string>} */
  const update = (times) => within(new Promise((resolve) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${server.current.port}`, '-tls1_3'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let text = '';
    child.stdin.on('error', () => {});
    child.on('close', () => resolve(text));
    child.stdout.setEncoding('latin1').on('data', async (part) => {
      const begins = !text;
      text += part;
      for (let i = 0; begins && i < times; i++) {
        child.stdin.write('k\n'); /* a command when it comes alone */
        await pause(10);
      }
      if (begins) child.stdin.write(request('/robots.txt', { headers: { Connection: 'close' } }));
    });
  }), `${times} key updates`);

  it('some are fine', async () => assert.match(await update(20), /HTTP\/1\.1 200 OK/));

  it('R22: a flood of them, which costs us more than its client, ends the connection', async () => {
    assert.doesNotMatch(await update(100), /HTTP\/1\.1/);
    await assertServes(server.current);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('a reader who stops', () => {
  /** What the kernel's buffers cannot hold. @type {string} */
  let place;
  before(() => {
    place = mkdtempSync(path.join(tmpdir(), 'aloha-assets-'));
    chmodSync(place, 0o755); /* whoever the server becomes reads it */
    for (const tree of ['public', 'views']) cpSync(path.join(repository, tree), path.join(place, tree), { recursive: true });
    writeFileSync(path.join(place, 'public', 'js', 'big.js'), '/'.repeat(8 * 1024 * 1024));
  });
  after(() => rmSync(place, { recursive: true }));

  it('R13: keeps no descriptors once its connection counts no more', async () => {
    await withServer([...authority.write(authority.issue()).args, '--assets', place], async (server) => {
      const before_ = await server.descriptors();
      const page = await exchange(server.port, request('/room/tea'));
      const [base] = /\/assets\/\w+/.exec(page.body.toString()) ?? [];
      const readers = await Promise.all(Array.from({ length: 5 }, () => new Connection(server.port).open()));
      for (const { wire, socket } of readers) {
        socket.write(request(`${base}/js/big.js`));
        wire.pause();
        socket.pause();
      }
      await until(async () => (await metric(server, 'aloha_connections')) === readers.length, 'the readers');
      await pause(500);
      for (const { wire } of readers) wire.end(); /* says no more, and still reads nothing */
      await until(async () => (await metric(server, 'aloha_connections')) === 0, 'their end');
      const ended = Date.now();
      await until(async () => (await server.descriptors()) <= before_ + 2, 'their descriptors');
      assert.ok(Date.now() - ended < 20_000, `they stayed for ${Date.now() - ended} ms`);
      for (const one of readers) one.destroy();
    });
  });
});

describe('patience', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, ...authority.write(authority.issue()).args]);

  it('R4: a handshake has ten seconds, however slowly it comes; a slow reader is closed 4002 and cut off', async (t) => {
    const { port } = server.current;
    /** @type {[string, () => Promise<void>][]} */
    const cases = [
      ['nothing at all', async () => {
        await (await new Connection(port, '127.0.0.1', false).open()).closed(60_000);
      }],
      ['one byte of a handshake', async () => {
        const connection = await new Connection(port, '127.0.0.1', false).open();
        connection.write('\x16');
        await connection.closed(60_000);
      }],
      ['a handshake that drips', async () => {
        const connection = await new Connection(port, '127.0.0.1', false).open();
        connection.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03');
        const timer = setInterval(() => connection.write('a'), 500);
        await connection.closed(60_000);
        clearInterval(timer);
      }],
      ['a handshake and then nothing', async () => {
        await (await new Connection(port).open()).closed(60_000);
      }],
      ['a slow reader', async () => {
        const slow = await Participant.join(server.current, freshRoom());
        /** @type {any} */ (slow.socket)._socket.pause();
        const [a, b] = await roomOf(server.current, 2);
        const room = freshRoom();
        const deaf = await RawWebSocket.open(server.current);
        deaf.send({ type: 'JoinRoom', roomId: room });
        const joined = await deaf.message();
        const loud = await Participant.join(server.current, room);
        deaf.connection.wire.pause();
        deaf.connection.socket.pause();
        const left = within(/** @type {Promise<any>} */ ((async () => {
          for (;;) {
            const { object } = await loud.receiveRaw();
            if (object.type === 'UserLeft') return object;
          }
        })()), 'UserLeft', 60_000);
        const text = 'z'.repeat(60_000);
        let gone = false;
        left.finally(() => (gone = true));
        for (let i = 0; i < 2000 && !gone; i++) {
          loud.signal(joined.peerId, text);
          if (i % 20 === 19) await pause(10);
        }
        assert.equal((await left).peerId, joined.peerId);
        assert.ok(await metric(server.current, 'aloha_websockets_closed_total{reason="slow"}') >= 1);
        a.signal(b.peerId, 'others do not notice');
        assert.equal((await b.receive('Signal')).message, 'others do not notice');
        for (const one of [a, b, loud, slow]) one.destroy();
        deaf.destroy();
      }],
    ];
    await Promise.all(cases.map(([name, work]) => t.test(name, work)));
  });

  it('nothing is left of them', async () => {
    await until(async () => (await metric(server.current, 'aloha_connections')) === 0, 'the end of all connections');
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('the certificate', () => {
  /** Each way of putting a new pair in the place of the old one. @type {Record<string, (files: ReturnType<Authority['write']>, pair: { cert: string, key: string }, server: Server) => void>} */
  const ways = {
    'SIGHUP after both were written over': (files, pair, server) => {
      writeFileSync(files.cert, pair.cert);
      writeFileSync(files.key, pair.key);
      server.child.kill('SIGHUP');
    },
    'written over, and nothing said': (files, pair) => {
      writeFileSync(files.key, pair.key);
      writeFileSync(files.cert, pair.cert);
    },
    'renamed over, as Caddy does': (files, pair) => {
      for (const [file, text] of [[files.cert, pair.cert], [files.key, pair.key]]) {
        writeFileSync(`${file}.tmp`, text);
        renameSync(`${file}.tmp`, file);
      }
    },
  };

  for (const [name, put] of Object.entries(ways)) {
    it(`is read anew: ${name}`, async () => {
      const [old, fresh] = [authority.issue(), authority.issue({ to: 60 })];
      const files = authority.write(old);
      await withServer(files.args, async (server) => {
        assert.equal(await shown(server), old.fingerprint);
        const [a, b] = await roomOf(server, 2);
        put(files, fresh, server);
        await server.logged('tls_reloaded', { sha256: fresh.fingerprint });
        assert.equal(await shown(server), fresh.fingerprint);
        assert.ok(await metric(server, 'aloha_tls_reloads_total') >= 1);
        a.signal(b.peerId, 'the call lives on');
        assert.equal((await b.receive('Signal')).message, 'the call lives on');
        await assertServes(server);
        a.destroy();
        b.destroy();
      });
    });
  }

  it('is read anew: certbot\'s links in live/ that lead to other files of archive/', async () => {
    const dir = authority.fresh();
    const [live, archive] = [path.join(dir, 'live/call'), path.join(dir, 'archive/call')];
    for (const each of [live, archive]) mkdirSync(each, { recursive: true });
    /** @param {number} n @param {{ cert: string, key: string }} pair */
    const renew = (n, pair) => {
      for (const [name, text] of [['privkey', pair.key], ['fullchain', pair.cert]]) {
        writeFileSync(path.join(archive, `${name}${n}.pem`), text);
        const link = path.join(live, `${name}.pem`);
        if (n > 1) unlinkSync(link);
        symlinkSync(`../../archive/call/${name}${n}.pem`, link);
      }
    };
    const pairs = [authority.issue(), authority.issue(), authority.issue()];
    renew(1, pairs[0]);
    await withServer(['--tls', 'no', '--tls-cert', path.join(live, 'fullchain.pem'), '--tls-key', path.join(live, 'privkey.pem')], async (server) => {
      for (const n of [2, 3]) {
        renew(n, pairs[n - 1]);
        await server.logged('tls_reloaded', { sha256: pairs[n - 1].fingerprint });
        assert.equal(await shown(server), pairs[n - 1].fingerprint);
      }
    });
  });

  it('is read anew: a directory that is a link, as Kubernetes mounts secrets', async () => {
    const dir = authority.fresh();
    const pairs = [authority.issue(), authority.issue()];
    pairs.forEach((pair, i) => {
      mkdirSync(path.join(dir, `v${i}`));
      authority.write(pair, path.join(dir, `v${i}`));
    });
    symlinkSync('v0', path.join(dir, 'data'));
    for (const name of ['fullchain.pem', 'privkey.pem']) symlinkSync(`data/${name}`, path.join(dir, name));
    await withServer(['--tls', 'no', '--tls-cert', path.join(dir, 'fullchain.pem'), '--tls-key', path.join(dir, 'privkey.pem')], async (server) => {
      symlinkSync('v1', path.join(dir, 'data.new'));
      renameSync(path.join(dir, 'data.new'), path.join(dir, 'data'));
      await server.logged('tls_reloaded', { sha256: pairs[1].fingerprint });
      assert.equal(await shown(server), pairs[1].fingerprint);
    });
  });

  const good = authority.issue();
  const other = authority.issue();
  /** @type {[string, { cert: string, key: string }, RegExp][]} */
  const bad = [
    ['expired', authority.issue({ from: -20, to: -10 }), /fullchain\.pem: the certificate has expired on \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/],
    ['not yet valid', authority.issue({ from: 2, to: 10 }), /fullchain\.pem: the certificate is not valid before /],
    ['a key of another certificate', { cert: good.cert, key: other.key }, /privkey\.pem: is not the key of the certificate/],
    ['not for servers', authority.issue({ usage: 'clientAuth' }), /fullchain\.pem: the certificate is not one for servers/],
    ['half a certificate', { cert: good.cert.slice(0, good.cert.length / 2), key: good.key }, /fullchain\.pem: \S/],
    ['half a chain', { cert: good.cert + other.cert.slice(0, 15), key: good.key }, /fullchain\.pem: is not whole/],
    ['half an intermediate', { cert: good.cert + other.cert.slice(0, 200), key: good.key }, /fullchain\.pem: \S/],
    ['a certificate without its last bytes', { cert: good.cert.trimEnd().slice(0, -3), key: good.key }, /fullchain\.pem: \S/],
    ['half a key', { cert: good.cert, key: good.key.slice(0, 80) }, /privkey\.pem: \S/],
    ['an empty certificate', { cert: '', key: good.key }, /fullchain\.pem: holds no certificate/],
    ['an empty key', { cert: good.cert, key: '' }, /privkey\.pem: holds no key/],
    ['garbage', { cert: '\0\x01\x02'.repeat(1000), key: good.key }, /fullchain\.pem: holds no certificate/],
    ['a key with a password', { cert: good.cert, key: authority.lock(good.key) }, /privkey\.pem: the key has a password; take it off/],
    ['the two exchanged', { cert: good.key, key: good.cert }, /fullchain\.pem: holds no certificate/],
  ];

  it('a bad pair ends the start with status 1 and one line that says what', async () => {
    for (const [name, pair, line] of bad) {
      const files = authority.write(pair);
      const { code, stderr } = await runToEnd(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', ...files.args]);
      const lines = stderr.split('\n').filter((text) => text && !text.startsWith('ts='));
      assert.equal(code, 1, `${name}: ${stderr}`);
      assert.equal(lines.length, 1, `${name}: ${stderr}`);
      assert.match(lines[0], /^aloha: /, name);
      assert.match(lines[0], line, name);
    }
    const files = authority.write(good);
    for (const [args, line] of /** @type {[string[], RegExp][]} */ ([
      [['--tls-cert', '/nowhere/at/all.pem', '--tls-key', files.key], /^aloha: \/nowhere\/at\/all\.pem: No such file or directory$/],
      [['--tls-cert', files.dir, '--tls-key', files.key], /: is not a file$/],
      [['--tls-cert', files.cert, '--tls-key', '/dev/zero'], /^aloha: \/dev\/zero: is not a file$/],
    ])) {
      const { code, stderr } = await runToEnd(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', '--tls', 'no', ...args]);
      assert.equal(code, 1, stderr);
      assert.match(stderr.split('\n').filter((text) => text && !text.startsWith('ts=')).join('|'), line);
    }
  });

  it('a bad pair in the place of a good one is refused, and the good one goes on', async () => {
    const files = authority.write(good);
    await withServer(files.args, async (server) => {
      const [a, b] = await roomOf(server, 2);
      for (const [name, pair, line] of bad) {
        const before_ = server.log.filter((entry) => entry.event === 'tls_reload_failed').length;
        authority.write(pair, files.dir);
        const failed = await server.changes.until(() => server.log.filter((entry) => entry.event === 'tls_reload_failed').slice(before_)
          .find((entry) => line.test(entry.reason)), () => `tls_reload_failed for ${name}: ${line}\n${server.stderr.slice(-1500)}`);
        assert.equal(failed.level, 'error', name);
        assert.equal(await shown(server), good.fingerprint, name);
      }
      unlinkSync(files.key);
      await server.changes.until(() => server.log.find((entry) => entry.event === 'tls_reload_failed' && /No such file/.test(entry.reason)), 'a missing key');
      assert.equal(await shown(server), good.fingerprint);
      assert.ok(await metric(server, 'aloha_tls_reload_failures_total') >= bad.length);
      assert.equal(await metric(server, 'aloha_tls_reloads_total'), 0);
      a.signal(b.peerId, 'the call lives on');
      assert.equal((await b.receive('Signal')).message, 'the call lives on');
      authority.write(other, files.dir);
      await server.logged('tls_reloaded', { sha256: other.fingerprint });
      assert.equal(await shown(server), other.fingerprint);
      a.destroy();
      b.destroy();
    });
  });

  it('SIGHUP says that it failed, each time that it was asked', async () => {
    const files = authority.write(good);
    await withServer(files.args, async (server) => {
      writeFileSync(files.cert, 'nothing');
      for (let i = 1; i <= 2; i++) {
        server.child.kill('SIGHUP');
        await server.changes.until(() => server.log.filter((entry) => entry.event === 'reload_asked').length === i
          && server.log.findLastIndex((entry) => entry.event === 'tls_reload_failed') > server.log.findLastIndex((entry) => entry.event === 'reload_asked'), 'an answer to SIGHUP');
      }
      assert.equal(await shown(server), good.fingerprint);
    });
  });

  it('SIGHUP does no harm without TLS', async () => {
    await withServer(['--tls', 'no'], async (server) => {
      server.child.kill('SIGHUP');
      await server.logged('reload_asked');
      await assertServes(server);
    });
  });

  it('that expires within two weeks is a warning', async () => {
    await withServer(authority.write(authority.issue({ to: 13.5 })).args, async (server) => {
      const line = await server.logged('tls_certificate_expires_soon');
      assert.equal(line.level, 'warning');
      assert.equal(line.days, '13');
    });
    await withServer(authority.write(authority.issue({ to: 15 })).args, async (server) => {
      await assertServes(server);
      assert.ok(!server.stderr.includes('tls_certificate_expires_soon'));
    });
  });

  it('that does not have a name of --host is a warning', async () => {
    await withServer([...authority.write(good).args, '--host', 'call.example.org:443,localhost,127.0.0.1'], async (server) => {
      await server.logged('tls_name_missing', { host: 'call.example.org:443' });
      assert.equal(server.log.filter((line) => line.event === 'tls_name_missing').length, 1);
    });
  });

  it('an RSA pair, and one file for certificate and key, serve as well', async () => {
    const rsa = authority.issue({ key: ['rsa:2048'] });
    await withServer(authority.write(rsa).args, async (server) => {
      assert.equal(await shown(server), rsa.fingerprint);
      await assertServes(server);
    });
    const { cert } = authority.write({ cert: good.key + good.cert, key: '' });
    await withServer(['--tls', 'no', '--tls-cert', cert, '--tls-key', cert], async (server) => assert.equal(await shown(server), good.fingerprint));
  });
});

describe('self-signed', () => {
  const pem = (/** @type {Server} */ server) => path.join(server.stateDir, 'self-signed.pem');

  it('is made for this machine\'s names and addresses, as browsers want it, and kept', async () => {
    let stateDir = '';
    let fingerprint = '';
    await withServer(['--tls', 'self-signed', '--host', 'call.example.org,127.0.0.1,[::1]:3000'], async (server) => {
      stateDir = server.stateDir;
      assert.equal(statSync(pem(server)).mode & 0o777, 0o600);
      const cert = new X509Certificate(readFileSync(pem(server)));
      fingerprint = cert.fingerprint256;
      for (const name of ['localhost', 'call.example.org']) assert.ok(cert.checkHost(name), name);
      const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address);
      const lasting = readFileSync('/proc/self/net/if_inet6', 'utf8').split('\n').map((line) => line.trim().split(/\s+/)).filter(([, , , scope, flags]) => scope === '00' && !(Number.parseInt(flags, 16) & 0x69))
        .map(([hex]) => /** @type {RegExpMatchArray} */ (hex.match(/.{4}/g)).join(':'));
      for (const ip of ['127.0.0.1', '::1', ...addresses, ...lasting]) assert.ok(cert.checkIP(ip), ip);
      assert.ok(cert.verify(cert.publicKey), 'it has signed itself');
      assert.equal(cert.ca, false);
      assert.deepEqual(cert.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'serverAuth');
      assert.equal(cert.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
      const days = (Date.parse(cert.validTo) - Date.parse(cert.validFrom)) / 86_400_000;
      assert.ok(days > 300 && days <= 398, `${days} days`);
      assert.ok(Date.parse(cert.validFrom) < Date.now() - 3_600_000, 'clocks differ');
      assert.equal(await shown(server), fingerprint);
      await server.logged('tls_certificate', { sha256: fingerprint, source: 'self-signed', trusted: 'no' });
      assert.ok(server.stdout.replaceAll(/[\s:]/g, '').includes(fingerprint.replaceAll(':', '')), 'a person can compare it');
      server.child.kill('SIGHUP'); // in the sandbox, as who the server has become
      await server.logged('tls_reloaded', { sha256: fingerprint });
      assert.ok(!server.stderr.includes('tls_self_signed_not_kept'));
      await assertServes(server);
    });
    await withServer(['--tls', 'self-signed', '--host', 'call.example.org,127.0.0.1'], async (server) => {
      assert.equal(await shown(server), fingerprint, 'the same after a restart');
    }, { stateDir });
    await withServer(['--tls', 'self-signed', '--host', 'another.example.org,127.0.0.1'], async (server) => {
      assert.notEqual(await shown(server), fingerprint, 'another name, another certificate');
      assert.ok(new X509Certificate(readFileSync(pem(server))).checkHost('another.example.org'));
    }, { stateDir });
    assert.deepEqual(readdirSync(stateDir).sort(), ['secret', 'self-signed.pem'], 'no draft is left');
  });

  it('one that is about to expire, or is broken, is made anew', async () => {
    const old = authority.issue({ to: 20 });
    for (const text of [old.cert + old.key, 'broken', '']) {
      const stateDir = authority.fresh();
      writeFileSync(path.join(stateDir, 'self-signed.pem'), text, { mode: 0o600 });
      await withServer(['--tls', 'self-signed'], async (server) => {
        const fingerprint = await shown(server);
        assert.notEqual(fingerprint, old.fingerprint);
        assert.equal(new X509Certificate(readFileSync(pem(server))).fingerprint256, fingerprint);
      }, { stateDir });
    }
  });

  it('one whose key others could have read, or have put there, is made anew', async () => {
    const isRoot = process.getuid?.() === 0;
    for (const spoil of [(/** @type {string} */ file) => chmodSync(file, 0o640), ...(isRoot ? [(/** @type {string} */ file) => chownSync(file, 12345, 12345)] : [])]) {
      let stateDir = '';
      let fingerprint = /** @type {string | undefined} */ ('');
      await withServer(['--tls', 'self-signed'], async (server) => {
        stateDir = server.stateDir;
        fingerprint = await shown(server);
      });
      spoil(path.join(stateDir, 'self-signed.pem'));
      await withServer(['--tls', 'self-signed'], async (server) => {
        assert.notEqual(await shown(server), fingerprint);
        await server.logged('tls_self_signed_unusable');
        assert.equal(statSync(pem(server)).mode & 0o777, 0o600);
      }, { stateDir });
    }
  });

  it('is never a reason to demand https', async () => {
    await withServer(['--tls', 'self-signed'], async (server) => {
      const connection = await new Connection(server.port).open();
      connection.write(request('/room/tea'));
      const response = await connection.response();
      assert.equal(response.header('strict-transport-security'), undefined);
      connection.destroy();
    });
  });
});

describe('R11: Strict-Transport-Security', () => {
  const { args } = authority.write(authority.issue());

  /** @param {Server} server @param {string} path_ @param {string} [host] */
  const ask = async (server, path_, host = server.host) => {
    const connection = await new Connection(server.port).open();
    connection.write(request(path_, { host }));
    const response = await connection.response({ check: false });
    connection.destroy();
    return response;
  };

  it('is on every answer over TLS with a certificate that this machine\'s authorities vouch for', async () => {
    await withServer([...args, '--redirect-port', '0', '--host', 'localhost,call.example.org'], async (server) => {
      await server.logged('tls_certificate', { trusted: 'yes' });
      server.child.kill('SIGHUP'); // the sandbox lets it look again
      await server.logged('tls_reloaded', { trusted: 'yes' });
      for (const [path_, host, status] of /** @type {[string, string, number][]} */ ([['/room/tea', 'localhost', 200], ['/', 'localhost', 302], ['/nothing', 'localhost', 404], ['/', 'evil.example', 421]])) {
        const response = await ask(server, path_, host);
        assert.equal(response.status, status);
        assert.equal(response.header('strict-transport-security'), 'max-age=31536000', path_);
        assert.match(response.header('content-security-policy') ?? '', /connect-src 'self' wss:\/\/localhost wss:\/\/call\.example\.org;/);
      }
      for (const port of [server.port, server.redirectPort]) {
        const plain = await new Connection(port, '127.0.0.1', false).open();
        plain.write(request('/', { host: 'localhost' }));
        const response = await plain.response({ check: false });
        assert.equal(response.status, 308);
        assert.equal(response.header('strict-transport-security'), undefined, 'never in plain (RFC 6797 section 7.2)');
        plain.destroy();
      }
    }, { env: { SSL_CERT_FILE: authority.file } });
  });

  it('is there too when the authority is found in a directory', async () => {
    const dir = authority.fresh();
    const { stdout } = await run('openssl', ['x509', '-hash', '-noout', '-in', authority.file]);
    writeFileSync(path.join(dir, `${stdout.trim()}.0`), readFileSync(authority.file));
    await withServer(args, async (server) => {
      assert.equal((await ask(server, '/room/tea')).header('strict-transport-security'), 'max-age=31536000');
      server.child.kill('SIGHUP');
      await server.logged('tls_reloaded', { trusted: 'yes' });
    }, { env: { SSL_CERT_DIR: dir, SSL_CERT_FILE: '/nowhere' } });
  });

  it('is not there with a certificate of an unknown authority', async () => {
    await withServer(args, async (server) => {
      await server.logged('tls_certificate', { trusted: 'no' });
      const response = await ask(server, '/room/tea');
      assertSecurityHeaders(response);
      assert.equal(response.header('strict-transport-security'), undefined);
    });
  });
});

describe('--redirect-port', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, ...authority.write(authority.issue()).args, '--redirect-port', '0', '--host', 'localhost,127.0.0.1,[::1]']);

  /** @param {string | Buffer} bytes @param {boolean} [check] */
  const ask = async (bytes, check = false) => {
    const connection = await new Connection(/** @type {number} */ (server.current.redirectPort)).open();
    connection.write(bytes);
    const response = await connection.response({ check, method: String(bytes).startsWith('HEAD') ? 'HEAD' : 'GET' });
    assert.equal(response.header('connection'), 'close');
    await connection.closed();
    return response;
  };

  it('sends every well-formed request to the same target over https', async () => {
    const { port } = server.current;
    for (const [host, target, where] of [['localhost', '/', `https://localhost:${port}/`], ['LOCALHOST:80', '/room/a?b=%20c', `https://LOCALHOST:${port}/room/a?b=%20c`],
      ['[::1]:1', '/nothing/here', `https://[::1]:${port}/nothing/here`], ['127.0.0.1', '/ws', `https://127.0.0.1:${port}/ws`]]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await ask(request(target, { method, host }));
        assert.equal(response.status, 308);
        assert.equal(response.header('location'), where);
        assert.equal(response.body.length, 0);
      }
    }
  });

  it('carries all security headers, and nothing else of the request', async () => {
    const response = await ask(request('/room/tea', { host: 'localhost', headers: { 'X-Forwarded-Host': 'evil.example', 'User-Agent': 'Uu8' } }));
    assert.match(response.header('content-security-policy') ?? '', /^default-src 'none'/);
    for (const name of ['permissions-policy', 'x-content-type-options', 'referrer-policy', 'x-frame-options', 'cross-origin-opener-policy', 'cross-origin-resource-policy']) assert.ok(response.header(name), name);
    assert.doesNotMatch(response.head, /evil|Uu8/);
  });

  it('is as strict as the other port', async () => {
    const rows = /** @type {[string, number][]} */ ([
      [request('/', { host: 'evil.example' }), 421],
      [request('/', { host: 'a b' }), 400],
      ['GET / HTTP/1.1\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 400],
      [request('//evil.example/', { host: 'localhost' }), 400],
      [request('/../x', { host: 'localhost' }), 400],
      ['GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
      [request('/', { method: 'POST', host: 'localhost' }), 405],
      [request('/', { method: 'OPTIONS', host: 'localhost' }), 405],
      ['CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', 405],
      [request(`/${'a'.repeat(3000)}`, { host: 'localhost' }), 414],
      [request('/', { host: 'localhost', headers: { 'Transfer-Encoding': 'chunked' } }), 400],
      ['GET /\r\nLocation: x HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
      ['\x16\x03\x01', 400],
    ]);
    for (const [bytes, status] of rows) {
      const response = await ask(bytes);
      assert.equal(response.status, status, JSON.stringify(bytes.slice(0, 60)));
      assert.equal(response.header('location'), undefined);
    }
  });

  it('is never a WebSocket', async () => {
    const connection = await new Connection(/** @type {number} */ (server.current.redirectPort)).open();
    connection.write(request('/ws', { host: 'localhost', headers: { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' } }));
    const response = await connection.response({ check: false });
    assert.equal(response.status, 308);
    await connection.closed();
  });

  it('limits of connections count both ports together', async () => {
    const limited = /** @type {Server} */ (await startServer(['--rate-connections', '0', '--connections-per-address', '3', ...authority.write(authority.issue()).args, '--redirect-port', '0']));
    try {
      const open = [];
      for (const port of [limited.redirectPort, limited.redirectPort]) open.push(await new Connection(port, '127.0.0.1', false).open());
      open.push(await new Connection(limited.port).open());
      const late = await new Connection(limited.redirectPort, '127.0.0.1', false).open();
      await late.closed();
      for (const one of open) assert.equal(one.ended, false);
      for (const one of open) one.destroy();
      await limited.endsCleanly();
    } finally {
      limited.child.kill('SIGKILL');
    }
  });

  it('a port that is taken ends the start', async () => {
    const { code, stderr } = await runToEnd(['--bind', '127.0.0.1', '--port', '0', '--ops-port', '0', '--tls', 'self-signed', '--redirect-port', String(server.current.redirectPort)]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^aloha: cannot listen on port ${server.current.redirectPort} of 127\\.0\\.0\\.1: Address already in use`, 'm'));
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('the end', () => {
  it('R73: a drain reaches clients over TLS: Reconnect, 1012, close_notify', async () => {
    const server = await startServer([...UNLIMITED, ...authority.write(authority.issue()).args, '--drain-grace', '1']);
    const pair = await roomOf(server, 2);
    const [ended] = await Promise.all([server.stop(), ...pair.map(async (one) => {
      await one.receive('Reconnect');
      assert.equal(await one.closed(), 1012);
    })]);
    assert.deepEqual(ended, { code: 0, signal: null }, server.stderr);
    assert.equal(server.sanitizerReport, '');
  });

  it('in the middle of handshakes, requests and slow reads is clean', async () => {
    const server = await startServer([...UNLIMITED, ...authority.write(authority.issue()).args]);
    const port = /** @type {number} */ (server.port);
    const shy = await new Connection(port, '127.0.0.1', false).open();
    shy.write('\x16\x03\x01\x02');
    const idle = await new Connection(port).open();
    const half = await new Connection(port).open();
    half.write('GET / HT');
    const deaf = await Participant.join(server, freshRoom());
    /** @type {any} */ (deaf.socket)._socket.pause();
    await server.endsCleanly();
    for (const one of [shy, idle, half]) one.destroy();
    deaf.destroy();
  });
});

describe('without descriptors', () => {
  it('R67: connections are refused, those that are there stay, and new ones come in when there is room', async () => {
    const server = await startServer([...UNLIMITED, ...authority.write(authority.issue()).args], { wrap: (file, args) => ['sh', ['-c', 'ulimit -n 300; exec "$0" "$@"', file, ...args]] });
    const [a, b] = await roomOf(server, 2);
    const limited = await server.logged('connections_limited');
    assert.equal(limited.connections_max, String(Math.floor((300 - 64) / 3)));
    const many = await Promise.all(Array.from({ length: 300 }, async () => {
      const connection = new Connection(/** @type {number} */ (server.port));
      await connection.changes.until(() => connection.opened || connection.ended || connection.reset, 'any end');
      return connection;
    }));
    assert.ok(many.some((one) => one.opened) && many.some((one) => !one.opened));
    a.signal(b.peerId, 'members go on');
    assert.equal((await b.receive('Signal')).message, 'members go on');
    for (const one of many) one.destroy();
    await until(async () => (await metric(server, 'aloha_connections')) === 2, 'the end of the many');
    await assertServes(server);
    a.destroy();
    b.destroy();
    await server.endsCleanly();
  });
});
