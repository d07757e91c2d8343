// The page itself: what it weighs, how it looks on a phone, what it does with a hub that talks nonsense.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { Participant, freshRoom } from '../lib/participant.mjs';
import { repository, serverOfSuite } from '../lib/server.mjs';

const REQUESTS_MAX = 8;
const BYTES_MAX = 40 * 1024;

describe('the page', () => {
  const server = serverOfSuite({ before, after });
  /** @type {Person} */
  let person;
  before(async () => {
    person = await Person.start();
  });
  after(() => person?.end());

  it(`the first load takes at most ${REQUESTS_MAX} requests and ${BYTES_MAX / 1024} KiB over the wire`, async (t) => {
    const cdp = await person.page.createCDPSession();
    await cdp.send('Network.enable');
    await cdp.send('Network.clearBrowserCache');
    /** @type {Map<string, string>} */
    const urls = new Map();
    /** @type {Map<string, number>} */
    const bytes = new Map();
    cdp.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
    cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => bytes.set(requestId, encodedDataLength));
    await person.enter(server.current, freshRoom());
    await person.page.waitForFunction('document.readyState === "complete"');
    await person.seesOthers(0);
    await person.page.waitForNetworkIdle({ idleTime: 500 });
    const rows = [...urls].filter(([, url]) => url.startsWith('http')).map(([id, url]) => ({ url: new URL(url).pathname.replace(/^\/assets\/[0-9a-f]+/, '/assets/…'), bytes: bytes.get(id) ?? NaN }));
    const sum = rows.reduce((total, row) => total + row.bytes, 0);
    for (const row of rows) t.diagnostic(`${String(row.bytes).padStart(7)} bytes  ${row.url}`);
    t.diagnostic(`first load: ${rows.length} requests, ${sum} bytes over the wire, headers included`);
    assert.ok(rows.length > 1 && rows.length <= REQUESTS_MAX, `${rows.length} requests`);
    assert.ok(sum > 0 && sum <= BYTES_MAX, `${sum} bytes`);

    urls.clear();
    await person.enter(server.current, freshRoom());
    await person.seesOthers(0);
    const again = [...urls.entries()].filter(([id, url]) => url.startsWith('http') && (bytes.get(id) ?? 0) > 0).length;
    t.diagnostic(`second load: ${again} requests over the wire`);
    assert.equal(again, 1, 'the second time only the page itself comes over the wire');
    await cdp.detach();
  });

  it('nothing on the page overflows: on a desktop, a phone upright and across, and a very small one', async () => {
    const other = await Person.start();
    try {
      const room = freshRoom();
      await person.enter(server.current, room);
      await other.enter(server.current, room);
      await everyoneSeesEveryone([person, other]);
      /** @type {[string, { width: number, height: number, isMobile?: boolean, hasTouch?: boolean, deviceScaleFactor?: number }][]} */
      const sizes = [['desktop', { width: 1440, height: 900 }], ['phone', { width: 390, height: 844, hasTouch: true }], ['phone-across', { width: 844, height: 390, hasTouch: true }], ['small', { width: 320, height: 480, hasTouch: true }]];
      for (const [name, viewport] of sizes) {
        await person.page.setViewport(viewport);
        await everyoneSeesEveryone([person, other]); // a change between mouse and touch loads the page anew
        await person.page.waitForSelector('#active-participant', { visible: true });
        const faults = await person.page.evaluate(() => {
          const wrong = [];
          const root = document.documentElement;
          if (root.scrollWidth > innerWidth) wrong.push(`scrolls sideways: ${root.scrollWidth} of ${innerWidth}`);
          for (const selector of ['#toggle-microphone', '#toggle-camera', '#copy-link', '#leave', '#active-participant', '#participants']) {
            const { left, top, right, bottom, width, height } = /** @type {Element} */ (document.querySelector(selector)).getBoundingClientRect();
            if (width < 24 || height < 24) wrong.push(`${selector} is ${width} x ${height}`);
            if (left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1) wrong.push(`${selector} reaches out of the page: ${left},${top} ${right},${bottom} of ${innerWidth},${innerHeight}`);
          }
          for (const selector of ['#toggle-microphone', '#toggle-camera', '#copy-link', '#leave']) {
            const button = /** @type {Element} */ (document.querySelector(selector));
            const { left, top, width, height } = button.getBoundingClientRect();
            const hit = document.elementFromPoint(left + width / 2, top + height / 2);
            if (!hit || !button.contains(hit)) wrong.push(`${selector} is covered by ${hit?.id || hit?.className}`);
          }
          return wrong;
        });
        await person.screenshot(`size-${name}`);
        assert.deepEqual(faults, [], name);
      }
    } finally {
      await other.end();
      await person.page.setViewport({ width: 960, height: 600 });
    }
  });

  it('every control has a name and can be reached by keyboard', async () => {
    await person.enter(server.current, freshRoom());
    await person.seesOthers(0);
    const unnamed = await person.page.$$eval('button, input, a', (all) => all.filter((e) => e.checkVisibility() && !(e.getAttribute('aria-label') ?? e.textContent ?? '').trim()).map((e) => e.outerHTML));
    assert.deepEqual(unnamed, []);
    const reached = new Set();
    for (let i = 0; i < 30; i++) {
      await person.page.keyboard.press('Tab');
      reached.add(await person.page.evaluate(() => document.activeElement?.id || document.activeElement?.getAttribute('data-peer-id')));
    }
    for (const id of ['me', 'toggle-microphone', 'toggle-camera', 'copy-link', 'leave']) assert.ok(reached.has(id), `${id} of ${[...reached]}`);
  });

  it('the link is copied', async () => {
    await person.browser.defaultBrowserContext().overridePermissions(/** @type {string} */ (server.current.url), ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write', 'camera', 'microphone']);
    await person.enter(server.current, freshRoom());
    await person.seesOthers(0);
    await person.click('#copy-link');
    await person.page.waitForSelector('#copy-link[data-done]');
    assert.equal(await person.page.evaluate(() => navigator.clipboard.readText()), person.page.url());
    await person.browser.defaultBrowserContext().clearPermissionOverrides();
  });

  it('an unknown address is a friendly page that leads to a call', async () => {
    await person.page.goto(`${server.current.url}/nothing-here`, { waitUntil: 'load' });
    await person.screenshot('error');
    await person.page.waitForSelector('a[href="/"]', { visible: true });
    await Promise.all([person.page.waitForNavigation({ waitUntil: 'domcontentloaded' }), person.page.click('a[href="/"]')]);
    assert.match(new URL(person.page.url()).pathname, /^\/room\/[0-9a-f-]{36}$/);
  });

  it('a full room is said in words', async () => {
    const room = freshRoom();
    const seats = await Promise.all(Array.from({ length: 12 }, () => Participant.join(server.current, room)));
    await person.enter(server.current, room);
    await person.page.waitForSelector('#curtain', { visible: true });
    assert.match(await person.page.$eval('#curtain', (e) => e.textContent ?? ''), /full/i);
    await person.screenshot('room-full');
    for (const one of seats) one.destroy();
  });

  it('somebody who joins and sends nonsense between participants breaks nothing', async () => {
    const room = freshRoom();
    const other = await Person.start();
    try {
      await person.enter(server.current, room);
      await other.enter(server.current, room);
      await everyoneSeesEveryone([person, other]);
      person.complaints.length = 0;
      const eve = await Participant.join(server.current, room);
      const targets = eve.joined.participants.map((/** @type {any} */ p) => p.peerId);
      const nonsense = [null, 1, 'x', [], {}, { description: null }, { description: { type: 'offer', sdp: 'nonsense' } }, { description: { type: 'answer', sdp: '' } }, { description: { type: 'rollback' } },
        { candidate: 7 }, { candidate: { candidate: 'nonsense', sdpMid: 'x' } }, { candidate: { candidate: 'candidate:1 1 udp 1 192.0.2.1 9 typ host', sdpMid: '0' } }, { candidate: null }, { __proto__: null, type: 'x' },
        { description: { type: 'offer', sdp: 'v=0\r\n'.repeat(1000) } }];
      for (const target of targets) for (const message of nonsense) eve.signal(target, message);
      for (const target of targets) for (let i = 0; i < 300; i++) eve.signal(target, { candidate: { candidate: `candidate:${i} 1 udp 1 192.0.2.1 9 typ host`, sdpMid: '0' } });
      await eve.leave();
      await Promise.all([person.seesOthers(1), other.seesOthers(1)]);
      await everyoneSeesEveryone([person, other]);
      assert.deepEqual(person.complaints.filter((line) => line.startsWith('uncaught')), []);
    } finally {
      await other.end();
    }
  });

  it('a name with markup in it is text', async () => {
    const room = freshRoom();
    await person.enter(server.current, room);
    await person.seesOthers(0);
    const eve = await Participant.join(server.current, room, { name: '<img src=x onerror=alert(1)><b>Eve</b>' });
    await person.seesOthers(1);
    const { text, images } = await person.page.$eval('#participants', (e) => ({ text: e.textContent ?? '', images: e.querySelectorAll('img, b').length }));
    assert.ok(text.includes('<b>Eve</b>'));
    assert.equal(images, 0);
    await eve.leave();
  });

  it('the page survives a hub that says all the invalid vectors and valid ones out of place', async () => {
    const folder = path.join(repository, 'tests/vectors');
    const said = ['invalid', 'valid'].flatMap((kind) => readdirSync(path.join(folder, kind)).map((file) => JSON.parse(readFileSync(path.join(folder, kind, file), 'utf8'))))
      .filter((v) => v.from === 'hub' && !['room-full', 'room-locked', 'hub-full', 'bad-room-id', 'bad-name', 'unauthorized'].some((code) => v.text.includes(`"${code}"`)));
    assert.ok(said.length > 20);
    const hub = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    try {
      await new Promise((resolve) => hub.once('listening', resolve));
      const { port } = /** @type {import('node:net').AddressInfo} */ (hub.address());
      let joins = 0;
      hub.on('connection', (socket) => {
        socket.on('message', (data) => {
          const { type } = JSON.parse(data.toString());
          if (type !== 'JoinRoom' || joins++ > 0) return;
          for (const { text } of said) socket.send(text);
          socket.send(Buffer.from([1, 2, 3]));
          socket.send(JSON.stringify({ type: 'RoomJoined', roomId: 'x', peerId: 'the-end', resumed: false, participants: [], iceServers: [], locked: false, limits: {} }));
          socket.send(JSON.stringify({ type: 'UserJoined', peerId: 'last', name: 'Last' }));
        });
      });
      await person.freshPage();
      person.complaints.length = 0;
      await person.page.evaluateOnNewDocument((/** @type {number} */ other) => {
        const Real = window.WebSocket;
        window.WebSocket = /** @type {any} */ (class extends Real {
          constructor() {
            super(`ws://127.0.0.1:${other}`);
          }
        });
      }, port);
      await person.page.setBypassCSP(true); // connect-src 'self' would keep the page from this hub
      await person.enter(server.current, freshRoom());
      await person.page.waitForSelector('[data-peer-id="last"]');
      assert.deepEqual(person.complaints.filter((line) => line.startsWith('uncaught')), []);
    } finally {
      for (const socket of hub.clients) socket.terminate();
      hub.close();
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
