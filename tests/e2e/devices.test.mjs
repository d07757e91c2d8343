// No camera, no permission, no sound without a gesture: the call goes on, and the page says what is the matter.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';
import { within } from '../lib/wait.mjs';

const nothingFrom = (/** @type {number} */ who) => (/** @type {number} */ i) => (i === who ? { video: false, audio: false } : {});
const notice = (/** @type {Person} */ person) => person.page.waitForSelector('#notice', { visible: true }).then((e) => e?.evaluate((n) => n.textContent ?? ''));

describe('devices', () => {
  const server = serverOfSuite({ before, after });
  /** @type {Person} */
  let host;
  before(async () => {
    host = await Person.start();
  });
  after(() => host?.end());

  /** Someone of this kind meets an ordinary participant. @param {Parameters<typeof Person.start>[0]} how @param {(guest: Person, room: string) => Promise<void>} work */
  async function meet(how, work) {
    const guest = await Person.start(how);
    try {
      const room = freshRoom();
      await host.enter(server.current, room);
      await guest.enter(server.current, room);
      await Promise.all([host.seesOthers(1), guest.seesOthers(1)]);
      await work(guest, room);
    } finally {
      await guest.end();
    }
  }

  it('without a camera and a microphone one joins, sees and hears; the page says what is missing', async () => {
    await meet({ devices: false }, async (guest) => {
      await everyoneSeesEveryone([host, guest], { sends: nothingFrom(1) });
      assert.match((await notice(guest)) ?? '', /camera|microphone/i);
      const [idOfGuest] = await host.others();
      await host.page.waitForSelector(`[data-peer-id="${idOfGuest}"][data-no-picture]`);
      assert.deepEqual(guest.complaints, []);
      await guest.screenshot('no-devices');
      await host.screenshot('other-without-devices');
    });
  });

  it('two without devices are in one room without an error', async () => {
    const [a, b] = await Promise.all([Person.start({ devices: false }), Person.start({ devices: false })]);
    try {
      const room = freshRoom();
      await a.enter(server.current, room);
      await b.enter(server.current, room);
      await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
      await Promise.all([a, b].map((p) => p.until('probe.sample().then((all) => all.length === 1)')));
      assert.deepEqual([...a.complaints, ...b.complaints], []);
    } finally {
      await Promise.all([a.end(), b.end()]);
    }
  });

  it('who refuses the permission joins, sees and hears, is told in words, and can try again', async () => {
    await meet({ permission: 'denied' }, async (guest) => {
      await everyoneSeesEveryone([host, guest], { sends: nothingFrom(1) });
      const text = await notice(guest);
      assert.match(text ?? '', /allow|permission/i);
      assert.doesNotMatch(text ?? '', /NotAllowedError|DOMException/, 'words that a person understands');
      await guest.screenshot('permission-denied');
      assert.deepEqual(guest.complaints, []);

      await guest.browser.defaultBrowserContext().overridePermissions(/** @type {string} */ (server.current.url), ['camera', 'microphone']);
      await guest.click('#notice .action');
      await everyoneSeesEveryone([host, guest]);
      await guest.page.waitForSelector('#notice', { hidden: true });
      await guest.page.waitForSelector('[data-peer-id="me"]:not([data-no-picture]):not([data-muted])');
    });
  });

  it('where sound wants a gesture, the page asks for one, and then it sounds', async () => {
    const guest = await Person.start({ devices: false, autoplay: false });
    try {
      const room = freshRoom();
      await host.enter(server.current, room);
      await guest.enter(server.current, room);
      await host.seesOthers(1);
      const asks = `new Promise((resolve) => {
        const look = () => (document.getElementById('hear')?.checkVisibility() ? resolve(true) : setTimeout(look, 50));
        look();
      })`;
      assert.equal(await within(guest.evaluateWithoutGesture(asks), 'the page to ask for a gesture', 60_000), true);
      const arrives = `new Promise((resolve) => {
        const look = async () => {
          const [flow] = await probe.sample();
          if (flow?.packetsReceived > 0) resolve(flow);
          else setTimeout(look, 50);
        };
        look();
      })`;
      const waiting = await within(guest.evaluateWithoutGesture(arrives), 'sound to arrive', 60_000);
      assert.equal(waiting.isAudible, false, 'it waits for the gesture');
      await guest.screenshot('sound-wants-a-gesture');
      await guest.click('#hear');
      await everyoneSeesEveryone([host, guest], { sends: nothingFrom(1) });
      await guest.page.waitForSelector('#hear', { hidden: true });
      assert.deepEqual(guest.complaints, []);
    } finally {
      await guest.end();
    }
  });

  it('a camera that goes away in the call leaves the call standing', async () => {
    await meet({}, async (guest) => {
      await everyoneSeesEveryone([host, guest]);
      await guest.page.evaluate(() => {
        const video = /** @type {HTMLVideoElement} */ (document.querySelector('[data-peer-id="me"] video'));
        for (const track of /** @type {MediaStream} */ (video.srcObject).getVideoTracks()) {
          track.stop();
          track.dispatchEvent(new Event('ended')); // as when somebody pulls the plug
        }
      });
      // There is another one (the browser's fake camera is not really gone): the page takes it by itself.
      await everyoneSeesEveryone([host, guest]);
      assert.deepEqual(guest.complaints, []);
    });
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
