// The hub goes away in the middle of a call, and comes back.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { startAgain, startServer } from '../lib/server.mjs';

describe('the hub goes away and comes back', () => {
  /** @type {Person[]} */
  const people = [];
  after(async () => {
    await Promise.all(people.map((person) => person.end()));
  });

  /** @param {NodeJS.Signals} signal */
  async function restartInACall(signal) {
    while (people.length < 3) people.push(await Person.start());
    const [a, b, late] = people;
    const first = await startServer();
    /** @type {import('../lib/server.mjs').Server | undefined} */
    let second;
    try {
      const room = freshRoom();
      await a.enter(first, room);
      await b.enter(first, room);
      await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
      const before = await everyoneSeesEveryone([a, b]);

      await first.stop(signal);
      await Promise.all([a, b].map((p) => p.page.waitForSelector('#status', { visible: true })));
      await a.screenshot(`hub-away-${signal.toLowerCase()}`);
      const meanwhile = await everyoneSeesEveryone([a, b]);
      for (const [i, now] of meanwhile.entries()) assert.equal(now[0].index, before[i][0].index, 'it is the same connection: media flows with no hub');
      assert.equal((await a.others()).length, 1, 'nobody vanished');

      second = await startAgain(first);
      await Promise.all([a, b].map((p) => p.page.waitForSelector('#status', { hidden: true })));
      await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
      await everyoneSeesEveryone([a, b]);

      await late.enter(second, room);
      await Promise.all([a.seesOthers(2), b.seesOthers(2), late.seesOthers(2)]);
      await everyoneSeesEveryone([a, b, late]);
      for (const person of [a, b, late]) assert.deepEqual(person.complaints.filter((line) => line.startsWith('uncaught')), []);
      for (const person of [a, b, late]) await person.page.goto('about:blank');
      await second.endsCleanly();
    } finally {
      first.child.kill('SIGKILL');
      second?.child.kill('SIGKILL');
    }
  }

  it('killed: the picture stays meanwhile, they find each other again, a third can join', () => restartInACall('SIGKILL'));

  it('stopped politely: the same', () => restartInACall('SIGTERM'));
});
