// The names that the server is called by and the origins that it lets in: R6, R8 and R16 with --host and --origin.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection, SECURITY_HEADERS, assertSecurityHeaders, exchangeToEnd, fetchRaw, request } from '../lib/http.mjs';
import { Participant, assertServes } from '../lib/participant.mjs';
import { UNLIMITED, runToEnd, serverOfSuite, startServer } from '../lib/server.mjs';
import { openingRequest } from '../lib/websocket.mjs';

const NAMES = 'call.example.org,fixed.example:8443,127.0.0.1,[::1]';
const ORIGINS = 'https://app.example,capacitor://localhost';

/** The status of a handshake. @param {number} port @param {string} host @param {[string, string][]} [headers] */
async function handshake(port, host, headers = []) {
  const connection = await new Connection(port).open();
  try {
    connection.write(openingRequest({ host, headers }));
    return (await connection.response({ check: false })).status;
  } finally {
    connection.destroy();
  }
}

describe('names', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--host', NAMES, '--origin', ORIGINS]);
  const port = () => /** @type {number} */ (server.current.port);

  it('R6: with --host its names are served, in any case, on any port unless one was given', async () => {
    for (const host of ['call.example.org', 'CALL.Example.org', 'call.example.org:3000', 'fixed.example:8443', 'Fixed.Example:8443', '127.0.0.1', '127.0.0.1:1', '[::1]', '[::1]:3000']) {
      assert.equal((await fetchRaw(port(), '/room/tea', { host, check: false })).status, 200, host);
      assert.equal(await handshake(port(), host), 101, host);
    }
  });

  it('R6: any other Host is 421, whatever is asked for, and ends the connection', async () => {
    const others = ['localhost', 'example.org', 'call.example.org.evil.example', 'evil-call.example.org', 'call.example.org.', 'fixed.example', 'fixed.example:8444', 'fixed.example:443',
      '127.0.0.2', '[::2]', '127.1'];
    for (const host of others) {
      for (const target of ['/', '/room/tea', '/robots.txt', '/nothing', '/ws']) {
        const [response, ...more] = await exchangeToEnd(port(), request(target, { host }), { check: false });
        assert.equal(response.status, 421, `${host} ${target}`);
        assert.equal(response.reason, 'Misdirected Request');
        assert.equal(more.length, 0);
        assert.ok(!response.body.toString('latin1').includes(host), 'the Host does not come back');
      }
      assert.equal(await handshake(port(), host), 421, host);
      assert.equal(await handshake(port(), host, [['Origin', `http://${host}`]]), 421, `${host}: rebinding`);
    }
    const response = await fetchRaw(port(), '/', { host: 'evil.example', headers: { 'X-Forwarded-Host': 'call.example.org', Forwarded: 'host=call.example.org' }, check: false });
    assert.equal(response.status, 421, 'what a proxy claims does not count');
  });

  it('R5 before R6: no Host, two Hosts and a malformed one are still 400', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nHost: call.example.org\r\nHost: call.example.org\r\n\r\n', request('/', { host: 'a b' })]) {
      const [response] = await exchangeToEnd(port(), bytes, { check: false });
      assert.equal(response.status, 400, bytes);
    }
  });

  it('R8: every answer lets the page connect to these names, in the grammar of the header', async () => {
    const plain = "connect-src 'self' ws://call.example.org wss://call.example.org ws://fixed.example:8443 wss://fixed.example:8443 ws://127.0.0.1 wss://127.0.0.1";
    const sources = server.current.secure ? plain.replaceAll(/ ws:\S+/g, '') : plain;
    const wanted = { ...SECURITY_HEADERS, 'content-security-policy': SECURITY_HEADERS['content-security-policy'].replace("connect-src 'self'", sources) };
    for (const [host, target, status] of /** @type {[string, string, number][]} */ ([['127.0.0.1', '/', 302], ['127.0.0.1', '/room/tea', 200], ['127.0.0.1', '/robots.txt', 200],
      ['127.0.0.1', '/nothing', 404], ['evil.example', '/', 421], ['a b', '/', 400], ['127.0.0.1', '/../', 400]])) {
      const response = await fetchRaw(port(), target, { host, check: false });
      assert.equal(response.status, status, `${host} ${target}`);
      for (const [name, value] of Object.entries(wanted)) assert.equal(response.header(name), value, `${name} of ${status}`);
    }
  });

  it('R16: an origin of --origin may, and so may the page\'s own', async () => {
    for (const origin of ['https://app.example', 'capacitor://localhost', `${server.current.secure ? 'https' : 'http'}://127.0.0.1`]) {
      assert.equal(await handshake(port(), '127.0.0.1', [['Origin', origin]]), 101, origin);
    }
  });

  it('R16: nothing that resembles it may', async () => {
    for (const origin of ['http://app.example', 'https://App.example', 'https://app.example:443', 'https://app.example:8443', 'https://app.example/', 'https://app.example.', 'https://app.example.evil.example',
      'https://evil-app.example', 'https://evil.app.example', 'https://app.exampl', 'https://app.example@evil.example', 'https://evil.example/https://app.example', 'https://app.example https://app.example',
      'https://app.example,capacitor://localhost', 'capacitor://localhost:1', 'capacitor://', 'app.example', '//app.example', 'null', 'https://call.example.org', 'https://fixed.example:8443', ...(server.current.secure ? ['http://127.0.0.1'] : [])]) {
      assert.equal(await handshake(port(), '127.0.0.1', [['Origin', origin]]), 403, origin);
    }
    assert.equal(await handshake(port(), '127.0.0.1', [['Origin', 'https://app.example'], ['Origin', 'https://app.example']]), 403, 'twice');
    assert.equal(await handshake(port(), '127.0.0.1', [['Origin', 'https://app.example'], ['Origin', 'null']]), 403, 'and another');
  });

  it('a person is shown the names', async () => {
    await server.current.changes.until(() => server.current.stdout.includes('Ctrl-C'), 'the end of what is shown');
    for (const name of NAMES.split(',')) assert.ok(server.current.stdout.includes(server.current.secure ? ` https://${name}` : ` ${name}\n`), server.current.stdout);
    assert.ok(!server.current.stdout.includes('http://'), server.current.stdout);
  });

  it('ends cleanly', async () => {
    const someone = await Participant.connect(server.current);
    await someone.leave();
    await server.current.endsCleanly();
  });
});

describe('names that are not given', () => {
  it('R6: without --host every well-formed Host is served, and the policy names none', async () => {
    const server = await startServer();
    for (const host of ['localhost', 'anything.example:1', '[2001:db8::1]:65535', '192.0.2.1']) assertSecurityHeaders(await fetchRaw(/** @type {number} */ (server.port), '/room/tea', { host }));
    await assertServes(server);
    await server.endsCleanly();
  });

  it('a bad list is one line and status 2', async () => {
    const bad = /** @type {[string, string][]} */ ([['--host', 'a,,b'], ['--host', '*.example.org'], ['--host', 'http://a'], ['--host', 'a/b'], ['--host', '::1'], ['--host', 'a:99999'],
      ['--host', "a; script-src 'unsafe-inline'"], ['--host', 'x'.repeat(2000)], ['--host', Array.from({ length: 17 }, (_, i) => `h${i}`).join(',')],
      ['--origin', 'null'], ['--origin', 'app.example'], ['--origin', 'https://app.example/'], ['--origin', 'https://App.example'], ['--origin', '*'], ['--origin', 'https://a,'],
      ['--trusted-proxies', '10.0.0.1/8'], ['--trusted-proxies', 'localhost'], ['--trusted-proxies', '10.0.0.0/33'], ['--trusted-proxies', '010.0.0.1'], ['--trusted-proxies', '::1,'], ['--trusted-proxies', '*']]);
    for (const [name, value] of bad) {
      const end = await runToEnd([name, value]);
      assert.equal(end.code, 2, `${name} ${value}`);
      assert.match(end.stderr, new RegExp(`^aloha: ${name}: [^\n]*\n$`), `${name} ${value}`);
      assert.equal(end.stdout, '');
    }
  });
});
