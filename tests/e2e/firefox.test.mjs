// Calls between Chromium and Firefox: two implementations that have to agree on everything.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone, largePictureShows } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';

describe('a call between Chromium and Firefox', () => {
  const server = serverOfSuite({ before, after });
  /** @type {Person[]} */
  const people = [];
  /** @param {Parameters<typeof Person.start>[0]} how */
  const start = async (how) => {
    const person = await Person.start(how);
    people.push(person);
    return person;
  };
  after(async () => {
    await Promise.all(people.map((person) => person.end()));
  });

  it('Chromium was there first', async () => {
    const [chromium, firefox] = [await start({ kind: 'chromium' }), await start({ kind: 'firefox' })];
    const room = freshRoom();
    await chromium.enter(server.current, room);
    await chromium.seesOthers(0);
    await firefox.enter(server.current, room);
    const [idOfFirefox] = await chromium.seesOthers(1);
    const [idOfChromium] = await firefox.seesOthers(1);
    await everyoneSeesEveryone([chromium, firefox]);
    await largePictureShows(chromium, idOfFirefox);
    await largePictureShows(firefox, idOfChromium);
    await chromium.screenshot('chromium-firefox-in-chromium');
    await firefox.screenshot('chromium-firefox-in-firefox');
  });

  it('the states of microphone and camera are told both ways', async () => {
    const [chromium, firefox] = people;
    const [idOfFirefox] = await chromium.seesOthers(1);
    const [idOfChromium] = await firefox.seesOthers(1);
    await firefox.click('#toggle-microphone');
    await chromium.page.waitForSelector(`[data-peer-id="${idOfFirefox}"][data-muted]`);
    await chromium.click('#toggle-camera');
    await firefox.page.waitForSelector(`[data-peer-id="${idOfChromium}"][data-no-picture]`);
    await chromium.click('#toggle-camera');
    await firefox.click('#toggle-microphone');
    await chromium.page.waitForSelector(`[data-peer-id="${idOfFirefox}"]:not([data-muted])`);
    await everyoneSeesEveryone([chromium, firefox]);
  });

  it('a reload of Firefox, who then comes last', async () => {
    const [chromium, firefox] = people;
    const [before] = await chromium.seesOthers(1);
    await firefox.page.reload({ waitUntil: 'domcontentloaded' });
    await chromium.until((/** @type {string} */ id) => {
      const ids = [...document.querySelectorAll('#participants [data-peer-id]')].map((e) => e.getAttribute('data-peer-id'));
      return ids.length === 2 && !ids.includes(id);
    }, before);
    await everyoneSeesEveryone([chromium, firefox]);
  });

  it('Firefox was there first', async () => {
    const [chromium, firefox] = people;
    const room = freshRoom();
    await firefox.enter(server.current, room);
    await firefox.seesOthers(0);
    await chromium.enter(server.current, room);
    await Promise.all([chromium.seesOthers(1), firefox.seesOthers(1)]);
    await everyoneSeesEveryone([chromium, firefox]);
  });

  it('both at the same moment', async () => {
    const [chromium, firefox] = people;
    const room = freshRoom();
    await Promise.all([firefox.enter(server.current, room), chromium.enter(server.current, room)]);
    await Promise.all([chromium.seesOthers(1), firefox.seesOthers(1)]);
    await everyoneSeesEveryone([chromium, firefox]);
  });

  it('a third, Chromium, joins later; a click in Firefox makes it active', async () => {
    const [chromium, firefox] = people;
    const third = await start({ kind: 'chromium' });
    const room = freshRoom();
    await chromium.enter(server.current, room);
    await firefox.enter(server.current, room);
    await everyoneSeesEveryone([chromium, firefox]);
    await third.enter(server.current, room);
    await Promise.all([chromium.seesOthers(2), third.seesOthers(2)]);
    const ids = await firefox.seesOthers(2);
    await everyoneSeesEveryone([chromium, firefox, third]);
    for (const id of [ids[1], 'me', ids[0]]) {
      await firefox.click(`#participants [data-peer-id="${id}"]`);
      await largePictureShows(firefox, id);
    }
    await firefox.screenshot('three-in-firefox');
    await third.click('#leave');
    await Promise.all([chromium.seesOthers(1), firefox.seesOthers(1)]);
  });

  it('a killed Firefox is gone from the strip', async () => {
    const [chromium, firefox] = people;
    await firefox.kill();
    await chromium.seesOthers(0);
  });

  it('nobody asked a foreign host for anything, and no page complained', () => {
    for (const person of people) {
      const foreign = person.requests.filter((request) => !['data:', 'blob:', 'about:'].includes(new URL(request).protocol) && new URL(request).host !== server.current.host);
      assert.deepEqual(foreign, []);
      assert.deepEqual(person.complaints, []);
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
