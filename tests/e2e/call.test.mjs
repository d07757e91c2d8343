// A call between Chromium and Chromium: it comes about, it grows, it shrinks.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone, largePictureShows } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';

describe('a call between Chromium and Chromium', () => {
  const server = serverOfSuite({ before, after });
  /** @type {Person[]} */
  let people = [];

  /** This many browsers, each with an empty page. They are kept from test to test: a start costs more than a page. @param {number} count */
  async function browsers(count) {
    while (people.length < count) people.push(await Person.start());
    return people.slice(0, count);
  }

  afterEach(async () => {
    // Whatever became of the pages, the next test gets fresh ones.
    const usable = [];
    for (const person of people) {
      if (!person.browser.connected) continue;
      const pages = await person.browser.pages();
      await person.freshPage();
      await Promise.all(pages.map((page) => page.close().catch(() => {})));
      person.complaints = [];
      person.requests = [];
      usable.push(person);
    }
    people = usable;
  });

  after(async () => {
    await Promise.all(people.map((person) => person.end()));
  });

  it('/ leads to a room, and alone one sees oneself large, mirrored in the strip only, and the invitation', async () => {
    const [a] = await browsers(1);
    await a.page.goto(`${server.current.url}/`, { waitUntil: 'domcontentloaded' });
    assert.match(new URL(a.page.url()).pathname, /^\/room\/[0-9a-f-]{36}$/);
    await a.seesOthers(0);
    await a.until(() => {
      const video = /** @type {HTMLVideoElement | null} */ (document.querySelector('[data-peer-id="me"] video'));
      return video && video.videoWidth > 0 && video.currentTime > 0 && video.muted && !video.paused;
    });
    const transforms = await a.page.evaluate(() => ['[data-peer-id="me"] video', '#active-participant'].map((s) => {
      const style = getComputedStyle(/** @type {Element} */ (document.querySelector(s)));
      return `${style.transform} ${style.scale}`;
    }));
    assert.match(transforms[0], /-1/, 'mirrored in the strip');
    assert.doesNotMatch(transforms[1], /-1/, 'not mirrored in the large picture');
    await largePictureShows(a, 'me');
    assert.equal(await a.page.$eval('#invite', (e) => e.checkVisibility()), true);
    await a.screenshot('alone');
    const page = a.page.url();
    assert.equal(await a.page.$eval('#link', (e) => /** @type {HTMLInputElement} */ (e).value), page, 'the link is the address of the room');
  });

  it('two see and hear each other', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    await a.enter(server.current, room);
    await a.seesOthers(0);
    await b.enter(server.current, room);
    const [[idOfB], [idOfA]] = [await a.seesOthers(1), await b.seesOthers(1)];
    assert.notEqual(idOfA, idOfB);
    await everyoneSeesEveryone([a, b]);
    await largePictureShows(a, idOfB);
    await largePictureShows(b, idOfA);
    assert.equal(await a.page.$eval('#invite', (e) => e.checkVisibility()), false, 'nobody needs to be invited any more');
    await Promise.all([a.screenshot('two-first'), b.screenshot('two-second')]);
  });

  it('two who open the page at the same moment see and hear each other', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    await Promise.all([a.enter(server.current, room), b.enter(server.current, room)]);
    await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
    await everyoneSeesEveryone([a, b]);
  });

  it('three; the third joins later, and the first two go on', async () => {
    const [a, b, c] = await browsers(3);
    const room = freshRoom();
    await a.enter(server.current, room);
    await b.enter(server.current, room);
    await everyoneSeesEveryone([a, b]);
    const before = await a.sample();
    await c.enter(server.current, room);
    await Promise.all([a.seesOthers(2), b.seesOthers(2), c.seesOthers(2)]);
    const [after] = await everyoneSeesEveryone([a, b, c]);
    assert.ok(after.some((/** @type {any} */ r) => r.index === before[0].index && r.framesDecoded > before[0].framesDecoded), 'the first connection is still the same, and flows');
    await Promise.all([a.screenshot('three-first'), c.screenshot('three-last')]);
  });

  it('a click on a strip video makes it active, for oneself only, and it stays so', async () => {
    const [a, b, c] = await browsers(3);
    const room = freshRoom();
    for (const person of [a, b, c]) await person.enter(server.current, room);
    const ids = await a.seesOthers(2);
    await everyoneSeesEveryone([a, b, c]);
    const before = await b.active();
    for (const id of [...ids, 'me', ids[0]]) {
      await a.click(`#participants [data-peer-id="${id}"] video`);
      await largePictureShows(a, id);
    }
    await a.screenshot('chosen');
    assert.equal((await b.active()).peerId, before.peerId, 'what others look at is their own matter');

    // The chosen one leaves: the picture falls to somebody who is there.
    const chosen = ids[0];
    const leaver = (await Promise.all([b, c].map(async (p) => ({ p, sees: await p.others() })))).find(({ sees }) => !sees.includes(chosen));
    assert.ok(leaver);
    await leaver.p.click('#leave');
    await a.seesOthers(1);
    await largePictureShows(a, ids[1]);
  });

  it('the strip can be used by keyboard', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    const [other] = await a.seesOthers(1);
    await everyoneSeesEveryone([a, b]);
    await a.page.focus('#participants [data-peer-id="me"]');
    await a.page.keyboard.press('Enter');
    await largePictureShows(a, 'me');
    await a.page.focus(`#participants [data-peer-id="${other}"]`);
    await a.page.keyboard.press('Space');
    await largePictureShows(a, other);
  });

  it('leaving by the button removes the strip item, frees camera and microphone, and one can come back', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    await everyoneSeesEveryone([a, b]);
    await b.page.evaluate(() => {
      const video = /** @type {HTMLVideoElement} */ (document.querySelector('[data-peer-id="me"] video'));
      Object.assign(window, { ownTracks: /** @type {MediaStream} */ (video.srcObject).getTracks() });
    });
    await b.click('#leave');
    await a.seesOthers(0);
    await largePictureShows(a, 'me');
    await b.until(() => /** @type {any} */ (window).ownTracks.every((/** @type {MediaStreamTrack} */ t) => t.readyState === 'ended'));
    await b.until('probe.open() === 0');
    await b.screenshot('left');
    await b.click('#curtain .action');
    await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
    await everyoneSeesEveryone([a, b]);
  });

  it('a closed tab removes the strip item', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    await everyoneSeesEveryone([a, b]);
    await b.freshPage(); // so that the browser stays when its only tab goes
    await (await b.browser.pages()).find((page) => page.url().includes(room))?.close();
    await a.seesOthers(0);
  });

  it('going to another page removes the strip item, and going back is a new beginning', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    await everyoneSeesEveryone([a, b]);
    await b.page.goto('about:blank');
    await a.seesOthers(0);
    await b.page.goBack({ waitUntil: 'domcontentloaded' });
    await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
    await everyoneSeesEveryone([a, b]);
  });

  it('a killed browser removes the strip item', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    await everyoneSeesEveryone([a, b]);
    await b.kill();
    await a.seesOthers(0);
  });

  it('a reload gives one item again, not two, and the call goes on', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    const [before] = await a.seesOthers(1);
    await everyoneSeesEveryone([a, b]);
    for (let i = 0; i < 2; i++) {
      await b.page.reload({ waitUntil: 'domcontentloaded' });
      await a.until((/** @type {string} */ id) => {
        const ids = [...document.querySelectorAll('#participants [data-peer-id]')].map((e) => e.getAttribute('data-peer-id'));
        return ids.length === 2 && !ids.includes(id);
      }, before);
      await everyoneSeesEveryone([a, b]);
    }
  });

  it('two rooms at once do not mix', async () => {
    const [a, b, c] = await browsers(3);
    const [one, two] = [freshRoom(), freshRoom()];
    await a.enter(server.current, one);
    await b.enter(server.current, one);
    await c.enter(server.current, two);
    await everyoneSeesEveryone([a, b]);
    await c.seesOthers(0);
    assert.equal((await c.sample()).length, 0, 'nobody is connected to the one in the other room');
    assert.equal((await a.others()).length, 1);
    assert.equal((await b.others()).length, 1);
  });

  it('mute and camera: the others are shown it, and it is so', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    for (const person of [a, b]) await person.enter(server.current, room);
    const [idOfB] = await a.seesOthers(1);
    await everyoneSeesEveryone([a, b]);

    await b.click('#toggle-microphone');
    assert.equal(await b.page.$eval('#toggle-microphone', (e) => e.getAttribute('aria-pressed')), 'false');
    await a.page.waitForSelector(`[data-peer-id="${idOfB}"][data-muted]`);
    await b.page.waitForSelector('[data-peer-id="me"][data-muted]');
    assert.equal(await b.page.evaluate(() => {
      const video = /** @type {HTMLVideoElement} */ (document.querySelector('[data-peer-id="me"] video'));
      return /** @type {MediaStream} */ (video.srcObject).getAudioTracks().every((t) => !t.enabled);
    }), true, 'silence is sent');
    await a.screenshot('other-muted');
    await b.click('#toggle-microphone');
    await a.page.waitForSelector(`[data-peer-id="${idOfB}"]:not([data-muted])`);

    await b.click('#toggle-camera');
    await a.page.waitForSelector(`[data-peer-id="${idOfB}"][data-no-picture]`);
    await a.page.waitForSelector('#active-participant', { hidden: true });
    await everyoneSeesEveryone([a, b], { sends: (i) => (i === 1 ? { video: false } : {}) });
    await a.screenshot('other-camera-off');
    await b.click('#toggle-camera');
    await a.page.waitForSelector(`[data-peer-id="${idOfB}"]:not([data-no-picture])`);
    await everyoneSeesEveryone([a, b]);
    await largePictureShows(a, idOfB);
  });

  it('who joins someone that is muted sees it', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    await b.enter(server.current, room);
    await b.page.waitForSelector('[data-peer-id="me"]:not([data-muted])');
    await b.click('#toggle-microphone');
    await b.click('#toggle-camera');
    await a.enter(server.current, room);
    const [idOfB] = await a.seesOthers(1);
    await a.page.waitForSelector(`[data-peer-id="${idOfB}"][data-muted][data-no-picture]`);
    await everyoneSeesEveryone([a, b], { sends: (i) => (i === 1 ? { video: false } : {}) });
    await b.click('#toggle-camera');
    await b.click('#toggle-microphone');
    await a.page.waitForSelector(`[data-peer-id="${idOfB}"]:not([data-muted]):not([data-no-picture])`);
    await everyoneSeesEveryone([a, b]);
  });

  it('a whole call asks no foreign host for anything, and no page complains', async () => {
    const [a, b] = await browsers(2);
    const room = freshRoom();
    await a.page.goto(`${server.current.url}/`, { waitUntil: 'domcontentloaded' });
    const url = a.page.url();
    await b.page.goto(url, { waitUntil: 'domcontentloaded' });
    await everyoneSeesEveryone([a, b]);
    await a.click('#toggle-camera');
    await a.click('#toggle-camera');
    await everyoneSeesEveryone([a, b]);
    await b.click('#leave');
    await a.seesOthers(0);
    for (const person of [a, b]) {
      assert.ok(person.requests.length > 0);
      const foreign = person.requests.filter((request) => !['data:', 'blob:', 'about:'].includes(new URL(request).protocol) && new URL(request).host !== server.current.host);
      assert.deepEqual(foreign, []);
      assert.deepEqual(person.complaints, []);
    }
    void room;
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
