// A locked room: who comes waits, and those inside open or do not.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { Participant, freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite, startAgain, startServer } from '../lib/server.mjs';

// Without touch: a change of that would load the page anew.
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const SMALL = { width: 320, height: 480 };

describe('a locked room', () => {
  const server = serverOfSuite({ before, after });
  /** @type {Person} */ let inside;
  /** @type {Person} */ let outside;
  /** @type {Participant} locks the room, and is a person without a browser */
  let porter;
  const room = freshRoom();
  before(async () => {
    [inside, outside] = [await Person.start({ viewport: DESKTOP }), await Person.start({ viewport: PHONE })];
  });
  after(async () => {
    await Promise.all([inside?.end(), outside?.end()]);
  });

  /** Everything that can be pressed lies within the page, is large enough, and nothing covers it. @param {Person} person @param {string[]} selectors */
  async function fits(person, selectors) {
    const faults = await person.page.evaluate((all) => {
      const wrong = [];
      if (document.documentElement.scrollWidth > innerWidth) wrong.push('scrolls sideways');
      for (const selector of all) {
        const element = /** @type {Element} */ (document.querySelector(selector));
        const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
        if (width < 24 || height < 24) wrong.push(`${selector} is ${width} x ${height}`);
        if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) wrong.push(`${selector} reaches out of the page`);
        const hit = document.elementFromPoint(left + width / 2, top + height / 2);
        if (!hit || !element.contains(hit)) wrong.push(`${selector} is covered by ${hit?.id || hit?.className}`);
      }
      return wrong;
    }, selectors);
    assert.deepEqual(faults, []);
  }

  /** @param {Person} person @param {string} name */
  async function picture(person, name) {
    await person.until(() => document.getAnimations().every(({ playState }) => playState === 'finished'));
    await person.screenshot(name);
  }

  it('who comes is told that it is locked and that somebody has been asked, and sees oneself', async () => {
    await inside.enter(server.current, room);
    await inside.seesOthers(0);
    porter = await Participant.join(server.current, room, { name: 'Kaimana' });
    porter.send({ type: 'LockRoom', locked: true });
    await inside.until('probe.heard().some((m) => m.type === "RoomLocked" && m.locked)');
    await outside.enter(server.current, room);
    await outside.page.waitForSelector('#waiting', { visible: true });
    await outside.seesOthers(0);
    await outside.until('document.querySelector("#active-participant").videoWidth > 0');
    const words = await outside.page.evaluate(() => ['waiting', 'announcer'].map((id) => document.getElementById(id)?.textContent ?? ''));
    for (const text of words) assert.match(text, /locked.*asked/s);
    assert.equal(await outside.page.$eval('#invite', (e) => e.checkVisibility()), false);
    await fits(outside, ['#waiting', '#leave', '#toggle-microphone']);
    await picture(outside, 'waiting-phone');
  });

  it('those inside are asked, without being disturbed', async () => {
    await inside.page.waitForSelector('.knock', { visible: true });
    assert.match(await inside.page.$eval('#announcer', (e) => e.textContent ?? ''), /Somebody wants to come in/);
    assert.equal(await inside.page.evaluate(() => document.activeElement?.closest('.knock')), null, 'the focus stays where it was');
    const guest = await Participant.connect(server.current);
    guest.send({ type: 'JoinRoom', roomId: room, name: '<b>Pua</b> of the far-away and very long name, to be broken' });
    await inside.until(() => document.querySelectorAll('.knock').length === 2);
    const [, second] = await inside.page.$$eval('.knock', (all) => all.map((e) => [e.textContent ?? '', e.querySelectorAll('b').length]));
    assert.match(String(second[0]), /<b>Pua<\/b>/, 'a name is text');
    assert.equal(second[1], 0);
    for (const [name, viewport] of /** @type {const} */ ([['desktop', DESKTOP], ['phone', PHONE], ['small', SMALL]])) {
      await inside.page.setViewport(viewport);
      await picture(inside, `knock-${name}`);
      await inside.page.waitForSelector('.knock', { visible: true });
      await fits(inside, ['.knock .admit', '.knock .deny', '#leave']);
    }
    await inside.page.setViewport(DESKTOP);
    guest.destroy(); // withdraws: the prompt goes by itself
    await inside.until(() => document.querySelectorAll('.knock').length === 1);
  });

  it('sent away, one may ask again', async () => {
    await inside.click('.knock .deny');
    await inside.page.waitForSelector('.knock', { hidden: true });
    await outside.page.waitForSelector('#curtain', { visible: true });
    assert.match(await outside.page.$eval('#curtain', (e) => e.textContent ?? ''), /Nobody let you in.*Ask again/s);
    await picture(outside, 'not-let-in-phone');
    await outside.click('#curtain .action');
    await outside.page.waitForSelector('#waiting', { visible: true });
    await inside.page.waitForSelector('.knock', { visible: true });
  });

  it('who leaves instead of waiting is asked for no more', async () => {
    await outside.click('#leave');
    await inside.page.waitForSelector('.knock', { hidden: true });
    await outside.click('#curtain .action');
    await inside.page.waitForSelector('.knock', { visible: true });
  });

  it('the keyboard will do: let in, one sees and hears, and is seen and heard', async () => {
    await outside.page.setViewport(DESKTOP);
    await outside.page.waitForSelector('#waiting', { visible: true });
    await outside.until('document.querySelector("#active-participant").videoWidth > 0');
    await picture(outside, 'waiting-desktop');
    await inside.page.focus('.knock .admit');
    await inside.page.keyboard.press('Enter');
    await Promise.all([inside.seesOthers(2), outside.seesOthers(2)]);
    await outside.page.waitForSelector('#waiting', { hidden: true });
    await inside.page.waitForSelector('.knock', { hidden: true });
    assert.equal(await inside.page.evaluate(() => document.activeElement?.getAttribute('data-peer-id')), 'me', 'the focus is not lost with the button');
    await everyoneSeesEveryone([inside, outside]);
  });

  it('no page complained', () => {
    for (const person of [inside, outside]) assert.deepEqual(person.complaints, []);
  });

  it('ends cleanly', async () => {
    porter.destroy();
    await server.current.endsCleanly();
  });

  it('a room is locked again after a restart of the hub that knows nothing of it', async () => {
    const first = await startServer();
    /** @type {import('../lib/server.mjs').Server | undefined} */
    let second;
    try {
      const other = freshRoom();
      await inside.enter(first, other);
      await inside.seesOthers(0);
      const locker = await Participant.join(first, other);
      locker.send({ type: 'LockRoom', locked: true });
      await inside.until('probe.heard().some((m) => m.type === "RoomLocked" && m.locked)');
      await locker.leave();
      await inside.seesOthers(0);
      await first.stop('SIGKILL');
      second = await startAgain(first, UNLIMITED);
      await inside.until('probe.heard().filter((m) => m.type === "RoomLocked" && m.locked).length === 2');
      await outside.enter(second, other);
      await outside.page.waitForSelector('#waiting', { visible: true });
      await inside.click('.knock .admit');
      await everyoneSeesEveryone([inside, outside]);
      await Promise.all([inside, outside].map((person) => person.page.goto('about:blank')));
      await second.endsCleanly();
    } finally {
      first.child.kill('SIGKILL');
      second?.child.kill('SIGKILL');
    }
  });
});
