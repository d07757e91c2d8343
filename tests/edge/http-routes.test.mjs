// What the public port serves: routes, headers, caches, encodings.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Connection, exchange, fetchRaw, request } from '../lib/http.mjs';
import { UUID_V4 } from '../lib/participant.mjs';
import { repository, serverOfSuite } from '../lib/server.mjs';

/** Every file below public/, as its path there. */
async function publicFiles(below = '') {
  /** @type {string[]} */
  const found = [];
  for (const entry of await readdir(path.join(repository, 'public', below), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const name = path.posix.join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await publicFiles(name)));
    else found.push(name);
  }
  return found;
}

/** @param {number} port */
async function assetsBase(port) {
  const room = await fetchRaw(port, '/room/tea');
  const base = /(\/assets\/[^/"]+)\/js\/main\.js/.exec(room.body.toString());
  assert.ok(base, 'the room page names its assets');
  return base[1];
}

describe('routes of the public port', () => {
  const server = serverOfSuite({ before, after });

  it('GET / sends to a fresh room', async () => {
    const seen = new Set();
    for (let i = 0; i < 20; i++) {
      const response = await fetchRaw(server.current.port, '/');
      assert.equal(response.status, 302);
      const location = response.header('location') ?? '';
      assert.match(location, /^\/room\/[^/]+$/, 'the address is relative');
      assert.match(location.slice('/room/'.length), UUID_V4);
      assert.equal(response.header('cache-control'), 'no-store');
      seen.add(location);
    }
    assert.equal(seen.size, 20, 'no room is given twice');
  });

  it('GET / with a query goes to a fresh room as well', async () => {
    const response = await fetchRaw(server.current.port, '/?utm=1');
    assert.equal(response.status, 302);
    assert.match(response.header('location') ?? '', /^\/room\/[0-9a-f-]{36}$/);
  });

  it('HEAD / and HEAD of a room answer as GET does, without a body', async () => {
    for (const target of ['/', '/room/tea', '/nothing-here']) {
      const connection = await new Connection(server.current.port).open();
      connection.write(request(target, { method: 'HEAD' }));
      const head = await connection.response({ method: 'HEAD' });
      connection.write(request(target));
      const get = await connection.response(); // were there a body after HEAD, it would be read here and be no status line
      connection.destroy();
      assert.equal(head.status, get.status);
      for (const name of ['content-type', 'content-length', 'cache-control']) assert.equal(head.header(name), get.header(name), `${name} of ${target}`);
    }
  });

  it('GET /room/<id> is the page, never stored, with the id in it', async () => {
    for (const id of ['tea', '1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b', 'A.b_c~d-e', 'r'.repeat(64), '...', '-']) {
      const response = await fetchRaw(server.current.port, `/room/${id}`);
      assert.equal(response.status, 200, id);
      assert.match(response.header('content-type') ?? '', /^text\/html; *charset=utf-8$/i);
      assert.equal(response.header('cache-control'), 'no-store');
      const page = response.body.toString();
      assert.match(page, /^<!doctype html>/i);
      assert.ok(page.includes(id), 'the page knows its room');
      assert.doesNotMatch(page, /\{\{|\}\}/, 'every placeholder is filled');
      assert.ok(page.includes('id="participants"') && page.includes('id="active-participant"'), 'the elements of the page are there');
    }
  });

  it('a query does not change the page', async () => {
    const response = await fetchRaw(server.current.port, '/room/tea?name=%3Cscript%3Ealert(1)%3C/script%3E');
    assert.equal(response.status, 200);
    assert.doesNotMatch(response.body.toString(), /alert\(1\)/);
  });

  it('one percent-decode, and only one', async () => {
    const decoded = await fetchRaw(server.current.port, '/room/%74%65a');
    assert.equal(decoded.status, 200);
    assert.deepEqual(decoded.body, (await fetchRaw(server.current.port, '/room/tea')).body);
    assert.notEqual((await fetchRaw(server.current.port, '/room/%2574ea')).status, 200, 'not decoded twice');
  });

  it('the page holds no inline script, style or handler, and names no other host', async () => {
    for (const target of ['/room/tea', '/nothing-here']) {
      const page = (await fetchRaw(server.current.port, target)).body.toString();
      for (const [tag] of page.matchAll(/<script\b[^>]*>/gi)) assert.match(tag, /\bsrc="\/assets\//, tag);
      assert.doesNotMatch(page, /<style\b/i);
      assert.doesNotMatch(page, /<[^>]+\sstyle\s*=/i);
      assert.doesNotMatch(page, /<[^>]+\son[a-z]+\s*=/i);
      assert.doesNotMatch(page, /javascript:/i);
      for (const [, url] of page.matchAll(/\b(?:src|href|action|poster|content)="((?:https?:)?\/\/[^"]*)"/gi)) assert.fail(`another host: ${url}`);
    }
  });

  it('every other path is the friendly 404', async () => {
    const targets = ['/nothing-here', '/room', '/room/', '/room/a/b', '/room/tea/', '/ROOM/tea', '/Room/tea', '/index.html', '/rooms', '/room.html',
      '/views/room.html', '/public/js/main.js', '/js/main.js', '/assets', '/assets/', '/assets/000000000000/js/main.js', '/ws/', '/WS',
      '/.git/config', '/robots.txt/x', `/room/${'r'.repeat(65)}`, '/room/a+b', '/room/a:b', '/room/a@b', '/room/%20', '/room/t%C3%A9', '/;/room/tea', '/room;x=1/tea'];
    for (const target of targets) {
      const response = await fetchRaw(server.current.port, target);
      assert.equal(response.status, 404, target);
      assert.match(response.header('content-type') ?? '', /^text\/html; *charset=utf-8$/i, target);
      assert.match(response.body.toString(), /^<!doctype html>/i);
      assert.doesNotMatch(response.body.toString(), /\{\{|\}\}/);
      assert.doesNotMatch(response.header('cache-control') ?? '', /immutable|max-age=[1-9]/, 'an error is not kept');
    }
  });

  it('nothing of the operator plane is on this port', async () => {
    for (const target of ['/healthz', '/readyz', '/metrics', '/admin', '/admin/rooms', '/api/rooms', '/rooms', '/stats', '/debug']) {
      assert.equal((await fetchRaw(server.current.port, target)).status, 404, target);
    }
  });

  it('the 404 page is constant: it repeats nothing of the request', async () => {
    const one = await fetchRaw(server.current.port, '/first-Xq7');
    const two = await fetchRaw(server.current.port, '/second-Zk9?x=Wv3', { headers: { 'User-Agent': 'Uu8', Referer: 'http://rr5/' } });
    assert.deepEqual(one.body, two.body);
    assert.doesNotMatch(two.raw.toString('latin1'), /Zk9|Wv3|Uu8|rr5/);
  });

  it('no response repeats the Host or what a proxy claims', async () => {
    for (const target of ['/', '/room/tea', '/nothing-here']) {
      const response = await fetchRaw(server.current.port, target, {
        host: 'evil-host.example:4321',
        headers: { 'X-Forwarded-Host': 'evil-forwarded.example', 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https', Forwarded: 'host=evil-forwarded.example' },
      });
      assert.doesNotMatch(response.raw.toString('latin1'), /evil-|4321|203\.0\.113/);
    }
  });

  it('no CORS header, whatever is asked', async () => {
    for (const target of ['/', '/room/tea', '/nothing-here']) {
      const response = await fetchRaw(server.current.port, target, { headers: { Origin: 'http://other.example' } });
      assert.ok(!response.fields.some(([name]) => name.startsWith('access-control-')), target);
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('assets', () => {
  const server = serverOfSuite({ before, after });

  it('every file of public/ is served as it is, immutable, with its type', async () => {
    const base = await assetsBase(server.current.port);
    assert.match(base, /^\/assets\/[0-9a-f]{6,64}$/, 'assets are named by a hash');
    const types = { '.js': /^text\/javascript|^application\/javascript/, '.css': /^text\/css/, '.svg': /^image\/svg\+xml/, '.png': /^image\/png/, '.ico': /^image\//,
      '.json': /json/, '.webmanifest': /manifest\+json/, '.txt': /^text\/plain/, '.woff2': /^font\/woff2/ };
    const files = await publicFiles();
    assert.ok(files.some((name) => name.endsWith('.js')) && files.some((name) => name.endsWith('.css')), 'there is a client to serve');
    for (const name of files) {
      const response = await fetchRaw(server.current.port, `${base}/${name}`);
      assert.equal(response.status, 200, name);
      assert.deepEqual(response.body, await readFile(path.join(repository, 'public', name)), `${name} as it lies there`);
      assert.equal(response.header('content-encoding'), undefined, 'nobody asked for an encoding');
      assert.equal(response.header('content-length'), String(response.body.length));
      const control = response.header('cache-control') ?? '';
      assert.match(control, /(^|[ ,])max-age=31536000($|[ ,])/, name);
      assert.match(control, /(^|[ ,])immutable($|[ ,])/, name);
      const type = types[/** @type {keyof typeof types} */ (path.extname(name))];
      if (type) assert.match(response.header('content-type') ?? '', type, name);
      assert.ok(response.header('etag'), `${name} has an ETag`);
    }
  });

  it('everything that the pages name is there', async () => {
    for (const target of ['/room/tea', '/nothing-here']) {
      const page = (await fetchRaw(server.current.port, target)).body.toString();
      const named = [...page.matchAll(/\b(?:src|href)="(\/[^"#]+)"/g)].map((m) => m[1]).filter((url) => url !== '/');
      assert.ok(named.length > 0);
      for (const url of named) assert.equal((await fetchRaw(server.current.port, url)).status, 200, `${url} of ${target}`);
    }
  });

  it('br and gzip are chosen by Accept-Encoding, and decompress to the file', async () => {
    const base = await assetsBase(server.current.port);
    const name = (await publicFiles()).find((f) => f.endsWith('main.js')) ?? 'js/main.js';
    const file = await readFile(path.join(repository, 'public', name));
    /** @type {[string, string | undefined][]} */
    const cases = [
      ['br', 'br'], ['gzip', 'gzip'], ['gzip, deflate, br', 'br'], ['gzip, deflate, br, zstd', 'br'], ['BR', 'br'], ['deflate, gzip;q=1.0, *;q=0.5', 'any'],
      ['br;q=0, gzip', 'gzip'], ['br;q=0.0, gzip;q=0', undefined], ['identity', undefined], ['', undefined], ['deflate', undefined], ['zstd', undefined],
      ['brotli', undefined], ['xbr', undefined], ['gzip;q=0', undefined], [' br ;q=1 , gzip ', 'br'],
    ];
    const decode = { br: brotliDecompressSync, gzip: gunzipSync };
    for (const [accept, expected] of cases) {
      const response = await fetchRaw(server.current.port, `${base}/${name}`, { headers: { 'Accept-Encoding': accept } });
      assert.equal(response.status, 200, accept);
      const encoding = response.header('content-encoding');
      if (expected !== 'any') assert.equal(encoding, expected, `Accept-Encoding: ${accept}`);
      const body = encoding ? decode[/** @type {'br' | 'gzip'} */ (encoding)](response.body) : response.body;
      assert.deepEqual(body, file, `Accept-Encoding: ${accept}`);
      if (encoding) assert.ok(response.body.length < file.length, 'compressed is smaller');
      assert.match(response.header('vary') ?? '', /accept-encoding/i, 'caches are told');
    }
  });

  it('a room page is compressed for who can read it, or not at all; never wrongly', async () => {
    const plain = (await fetchRaw(server.current.port, '/room/tea')).body;
    const response = await fetchRaw(server.current.port, '/room/tea', { headers: { 'Accept-Encoding': 'gzip, br' } });
    const encoding = response.header('content-encoding');
    const body = encoding === 'br' ? brotliDecompressSync(response.body) : encoding === 'gzip' ? gunzipSync(response.body) : response.body;
    assert.deepEqual(body, plain);
  });

  it('an encoded form has an ETag of its own (RFC 9110 section 8.8.3.3)', async () => {
    const base = await assetsBase(server.current.port);
    const tags = [];
    for (const accept of ['identity', 'gzip', 'br']) {
      const response = await fetchRaw(server.current.port, `${base}/js/main.js`, { headers: { 'Accept-Encoding': accept } });
      const tag = response.header('etag') ?? '';
      assert.match(tag, /^(W\/)?"[\x21\x23-\x7e]+"$/, 'an ETag is quoted');
      tags.push(tag);
    }
    const strong = tags.filter((tag) => !tag.startsWith('W/'));
    assert.equal(new Set(strong).size, strong.length, `strong validators differ: ${tags}`);
  });

  it('If-None-Match is answered 304, with the headers that a cache needs', async () => {
    const base = await assetsBase(server.current.port);
    const target = `${base}/js/main.js`;
    for (const accept of ['identity', 'br']) {
      const first = await fetchRaw(server.current.port, target, { headers: { 'Accept-Encoding': accept } });
      const tag = first.header('etag') ?? '';
      for (const match of [tag, `W/${tag.replace(/^W\//, '')}`, `"other", ${tag}`, `"x",${tag} , "y"`, '*']) {
        const connection = await new Connection(server.current.port).open();
        connection.write(request(target, { headers: { 'Accept-Encoding': accept, 'If-None-Match': match } }));
        const response = await connection.response();
        connection.write(request('/room/tea'));
        assert.equal(response.status, 304, `If-None-Match: ${match}`);
        assert.equal(response.header('etag'), tag);
        assert.match(response.header('cache-control') ?? '', /immutable/);
        assert.match(response.header('vary') ?? '', /accept-encoding/i);
        assert.equal((await connection.response()).status, 200, 'no body came after the 304, and the connection lives on');
        connection.destroy();
      }
      for (const match of ['"other"', tag.replace('"', '"0'), '"', tag.slice(0, 6) + '"', tag.replaceAll('"', ''), '']) {
        const response = await fetchRaw(server.current.port, target, { headers: { 'Accept-Encoding': accept, 'If-None-Match': match } });
        assert.equal(response.status, 200, `If-None-Match: ${match}`);
      }
    }
  });

  it('HEAD of an asset has the length of its GET', async () => {
    const base = await assetsBase(server.current.port);
    for (const accept of ['identity', 'br']) {
      const get = await fetchRaw(server.current.port, `${base}/js/main.js`, { headers: { 'Accept-Encoding': accept } });
      const head = await fetchRaw(server.current.port, `${base}/js/main.js`, { method: 'HEAD', headers: { 'Accept-Encoding': accept } });
      assert.equal(head.status, 200);
      for (const name of ['content-length', 'content-type', 'content-encoding', 'etag', 'cache-control', 'vary']) assert.equal(head.header(name), get.header(name), name);
    }
  });

  it('a byte range is not promised, and asking for one harms nothing', async () => {
    const base = await assetsBase(server.current.port);
    for (const range of ['bytes=0-3', 'bytes=-1', 'bytes=99999999-', 'bytes=0-0,1-1,2-2', 'lines=1-2']) {
      const response = await fetchRaw(server.current.port, `${base}/js/main.js`, { headers: { Range: range } });
      assert.ok([200, 206, 416].includes(response.status), `${range}: ${response.status}`);
    }
  });

  it('ways out of the tree lead nowhere', async () => {
    const base = await assetsBase(server.current.port);
    const targets = ['/../views/room.html', '/js/../../../views/room.html', '/%2e%2e/views/room.html', '/..%2fviews/room.html', '/js%2fmain.js', '//js/main.js', '/js//main.js', '/./js/main.js', '/js/main.js%00.png', '/js/..%5c..%5cviews',
      '/js/main.js/', '/js', '/js/', '/', '/JS/main.js', '/js/main.js.br', '/js/main.js.gz', '/js/%6dain.js%'];
    for (const target of targets) {
      const response = await fetchRaw(server.current.port, base + target);
      assert.ok([400, 403, 404].includes(response.status), `${base}${target}: ${response.status}`);
      assert.doesNotMatch(response.body.toString(), /\{\{/, 'no view as it lies on disk');
    }
  });

  it('favicon.ico and robots.txt answer, with the icon or a 404, at their usual place', async () => {
    const files = await publicFiles();
    for (const name of ['favicon.ico', 'robots.txt']) {
      const response = await fetchRaw(server.current.port, `/${name}`);
      assert.equal(response.status, files.includes(name) ? 200 : 404, name);
      if (response.status === 200) {
        assert.deepEqual(response.body, await readFile(path.join(repository, 'public', name)));
        assert.doesNotMatch(response.header('cache-control') ?? '', /immutable/, 'a name without a hash can change');
      }
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('--assets', () => {
  const server = serverOfSuite({ before, after }, ['--assets', repository, '--rate-connections', '0']);

  it('serves pages and assets from disk, the same as from the binary', async () => {
    const room = await exchange(server.current.port, request('/room/tea'));
    assert.equal(room.status, 200);
    assert.match(room.body.toString(), /id="participants"/);
    const base = await assetsBase(server.current.port);
    for (const name of await publicFiles()) {
      const response = await fetchRaw(server.current.port, `${base}/${name}`);
      assert.equal(response.status, 200, name);
      assert.deepEqual(response.body, await readFile(path.join(repository, 'public', name)));
    }
  });

  it('and no file outside of them', async () => {
    const base = await assetsBase(server.current.port);
    for (const target of ['/../README.md', '/../LICENSE', '/%2e%2e/LICENSE', '/..%2fLICENSE', '/../views/room.html', '//etc/passwd', '/js/../../LICENSE', '/.%2e/LICENSE', '/js/%00', '/js']) {
      const response = await fetchRaw(server.current.port, base + target);
      assert.ok([400, 403, 404].includes(response.status), `${target}: ${response.status}`);
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
