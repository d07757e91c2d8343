// What a real call leaves in the log: nothing that tells who called whom, from where, and how (R69).
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { assertTellsNothing } from '../lib/privacy.mjs';
import { UNLIMITED, startServer } from '../lib/server.mjs';

describe('the log of a call', () => {
  it('R69: names no room, nobody, no address and nothing of what the browsers say to each other, not even at the debug level', async () => {
    const server = await startServer([...UNLIMITED, '--log-level', 'debug']);
    const people = await Promise.all([Person.start(), Person.start()]);
    try {
      const room = freshRoom();
      for (const person of people) await person.enter(server, room);
      for (const person of people) await person.seesOthers(1);
      await everyoneSeesEveryone(people);
      const heard = (await Promise.all(people.map((person) => person.heard('RoomJoined')))).flat();
      const tokens = heard.map((/** @type {any} */ message) => message.resumeToken);
      const peers = heard.map((/** @type {any} */ message) => message.peerId);
      assert.equal(tokens.filter((token) => typeof token === 'string' && token.length > 40).length, 2, 'what is looked for was there');
      await Promise.all(people.map((person) => person.end()));
      await server.endsCleanly();
      assert.ok(server.log.some((line) => line.event === 'room_opened'));
      assert.ok(assertTellsNothing(server.stderr, { never: [room, ...tokens], atInfo: peers }) > 10);
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});
