// The hub goes away in the middle of a call and comes back, or the way to it does. A call needs neither.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { Participant, freshRoom } from '../lib/participant.mjs';
import { Wire } from '../lib/proxy.mjs';
import { UNLIMITED, startAgain, startServer } from '../lib/server.mjs';
import { pause } from '../lib/wait.mjs';

/** @typedef {import('../lib/server.mjs').Server} Server */

/** @type {Map<string, Person>} */
const people = new Map();

/** Browsers with empty pages, one for each name, kept from test to test. A name that begins with Firefox is one. @param {...string} names */
async function browsers(...names) {
  const chosen = [];
  for (const name of names) {
    const known = people.get(name);
    const person = known ?? await Person.start({ kind: name.startsWith('Firefox') ? 'firefox' : 'chromium' });
    if (known) {
      const pages = await known.browser.pages();
      await known.freshPage();
      await Promise.all(pages.map((page) => page.close().catch(() => {})));
      known.complaints = [];
    }
    people.set(name, person);
    chosen.push(person);
  }
  return chosen;
}

after(async () => {
  await Promise.all([...people.values()].map((person) => person.end()));
});

/**
 * Looks once a second whether sound comes in at each of them: more packets than before. Two looks without one are silence;
 * a single one may be the fault of a busy machine.
 * @param {Person[]} watched
 */
function watchSound(watched) {
  let goesOn = true;
  const done = (async () => {
    /** @type {number[]} */
    let before = watched.map(() => -1);
    let silent = watched.map(() => 0);
    let seconds = 0;
    while (goesOn) {
      const now = (await Promise.all(watched.map((person) => person.sample()))).map((flows) => flows.reduce((sum, flow) => sum + flow.packetsReceived, 0));
      silent = silent.map((count, i) => (now[i] > before[i] ? 0 : count + 1));
      assert.ok(Math.max(...silent) < 2, `second ${seconds}: the sound stands still: ${before}..${now} packets`);
      before = now;
      seconds += 1;
      await pause(1000);
    }
    return seconds;
  })();
  done.catch(() => {}); // looked at in end()
  return {
    end() {
      goesOn = false;
      return done;
    },
  };
}

/** Waits until each of them has been let in this often. @param {Person[]} all @param {number} times */
function joinedTimes(all, times) {
  return Promise.all(all.map((person) => person.until((/** @type {number} */ n) => /** @type {any} */ (window).probe.heard().filter((/** @type {any} */ m) => m.type === 'RoomJoined').length >= n, times)));
}

/** What went wrong in a page, without Firefox's word that nobody listens at the hub's address. @param {Person} person */
const faultsOf = (person) => person.complaints.filter((line) => line.startsWith('uncaught') && !/can’t establish a connection|was interrupted/.test(line));

/** No connection was anything but on its way up, and no tile went. @param {Person[]} all */
async function nothingHappenedTo(all) {
  for (const person of all) {
    assert.deepEqual((await person.states()).filter((state) => !['connecting', 'connected'].includes(state)), []);
    assert.deepEqual(await person.vanished(), []);
    assert.deepEqual(faultsOf(person), []);
  }
}

describe('the hub goes away in a call and comes back', () => {
  /**
   * @param {import('node:test').TestContext} t
   * @param {{ names?: string[], args?: string[], endHub: (hub: Server) => Promise<unknown> }} how
   */
  async function restartInACall(t, { names = ['a', 'b'], args = [], endHub }) {
    const [a, b, late] = await browsers(...names, 'late');
    const first = await startServer([...UNLIMITED, ...args]);
    /** @type {Server | undefined} */
    let second;
    try {
      const room = freshRoom();
      await a.enter(first, room);
      await joinedTimes([a], 1);
      await b.enter(first, room);
      const [[idOfB], [idOfA]] = [await a.seesOthers(1), await b.seesOthers(1)];
      const before = await everyoneSeesEveryone([a, b]);
      const sound = watchSound([a, b]);

      await endHub(first);
      assert.equal(first.sanitizerReport, '');
      await Promise.all([a, b].map((person) => person.page.waitForSelector('#status', { visible: true })));
      await a.screenshot(`hub-away-${names.join('-')}`);
      await pause(5000); // so long it takes to start a machine's service again; that nothing happens meanwhile is the test
      second = await startAgain(first);
      const up = Date.now();
      await joinedTimes([a, b], 2);
      t.diagnostic(`all were back ${Date.now() - up} ms after the hub`);
      for (const [person, id] of /** @type {const} */ ([[a, idOfA], [b, idOfB]])) {
        const joins = await person.heard('RoomJoined');
        assert.deepEqual(joins.map(({ peerId, resumed }) => [peerId, resumed]), [[id, false], [id, true]], 'the old seat');
        await person.page.waitForSelector('#status', { hidden: true });
      }

      const lateFrom = Date.now();
      await late.enter(second, room);
      await Promise.all([a.seesOthers(2), b.seesOthers(2), late.seesOthers(2)]);
      const now = await everyoneSeesEveryone([a, b, late]);
      t.diagnostic(`a third saw and heard both, and both him, within ${Date.now() - lateFrom} ms`);
      assert.deepEqual((await late.others()).sort(), [idOfA, idOfB].sort());
      for (const i of [0, 1]) assert.ok(now[i].some((/** @type {any} */ flow) => flow.index === before[i][0].index), 'the first connection is still the same');
      t.diagnostic(`sound was looked at for ${await sound.end()} s`);
      for (const person of [a, b]) assert.deepEqual((await person.heard('UserLeft', 'UserJoined')).map(({ type }) => type), person === a ? ['UserJoined', 'UserJoined'] : ['UserJoined']);
      await nothingHappenedTo([a, b]);
      await Promise.all([a, b, late].map((person) => person.page.goto('about:blank')));
      await second.endsCleanly();
    } finally {
      first.child.kill('SIGKILL');
      second?.child.kill('SIGKILL');
    }
  }

  it('killed: sound and picture go on, everybody has the old seat again, a third can join', (t) => restartInACall(t, { endHub: (hub) => hub.stop('SIGKILL') }));

  it('the same between Chromium and Firefox', (t) => restartInACall(t, { names: ['a', 'Firefox'], endHub: (hub) => hub.stop('SIGKILL') }));

  it('drained: everybody is told when to come back, one after the other, and the rest is the same', (t) => restartInACall(t, {
    args: ['--drain-grace', '4'],
    endHub: async (hub) => {
      const told = Promise.all([people.get('a'), people.get('b')].map((person) => person?.until('probe.heard().some((m) => m.type === "Reconnect")')));
      assert.deepEqual(await hub.stop('SIGTERM'), { code: 0, signal: null });
      await told;
      const moments = await Promise.all(['a', 'b'].map(async (name) => (await people.get(name)?.heard('Reconnect'))?.map(({ afterMs }) => afterMs)));
      assert.deepEqual(moments.flat().sort((one, other) => one - other), [0, 2000]);
    },
  }));

  it('drained at once: a close that comes before the named moment does no harm', (t) => restartInACall(t, { args: ['--drain-grace', '0'], endHub: (hub) => hub.stop('SIGTERM') }));

  it('who comes to the new hub before those of the old call are back sees and hears them, and they him', async () => {
    const [a, b, early] = await browsers('a', 'b', 'late');
    const first = await startServer();
    const wire = await Wire.to(first);
    /** @type {Server | undefined} */
    let second;
    try {
      const room = freshRoom();
      for (const person of [a, b]) await person.enter(wire, room);
      await everyoneSeesEveryone([a, b]);
      const ids = [...await b.others(), ...await a.others()];
      wire.cut();
      await first.stop('SIGKILL');
      second = await startAgain(first);
      await early.enter(second, room);
      await early.seesOthers(0);
      wire.mend();
      await Promise.all([a, b, early].map((person) => person.seesOthers(2)));
      await everyoneSeesEveryone([a, b, early]);
      assert.deepEqual((await early.others()).sort(), ids.sort(), 'the old seats');
      assert.deepEqual((await early.heard('UserJoined', 'UserLeft')).map(({ type }) => type), ['UserJoined', 'UserJoined']);
      for (const person of [a, b]) assert.deepEqual((await person.heard()).filter(({ type }) => type === 'UserLeft'), []);
      await nothingHappenedTo([a, b]);
      await Promise.all([a, b, early].map((person) => person.page.goto('about:blank')));
      await second.endsCleanly();
    } finally {
      wire.end();
      first.child.kill('SIGKILL');
      second?.child.kill('SIGKILL');
    }
  });

  it('who hangs up while the hub is away is gone when it is back, and no earlier connection suffers', async () => {
    const [a, b, c] = await browsers('a', 'b', 'late');
    const first = await startServer();
    /** @type {Server | undefined} */
    let second;
    try {
      const room = freshRoom();
      for (const person of [a, b, c]) await person.enter(first, room);
      await everyoneSeesEveryone([a, b, c]);
      const [idOfB, idOfC] = await Promise.all([b, c].map(async (person) => (await person.heard('RoomJoined'))[0].peerId));
      await first.stop('SIGKILL');
      await c.page.goto('about:blank');
      second = await startAgain(first);
      await joinedTimes([a, b], 2);
      await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
      assert.deepEqual(await a.others(), [idOfB]);
      assert.deepEqual(await a.vanished(), [idOfC]);
      await everyoneSeesEveryone([a, b]);
      await Promise.all([a, b].map((person) => person.page.goto('about:blank')));
      await second.endsCleanly();
    } finally {
      first.child.kill('SIGKILL');
      second?.child.kill('SIGKILL');
    }
  });
});

describe('the way to the hub is cut in a call', () => {
  /**
   * @param {string[]} args
   * @param {(made: { a: Person, b: Person, wire: Wire, witness: Participant, idOfA: string, idOfB: string }) => Promise<void>} test
   */
  async function cutInACall(args, test) {
    const [a, b] = await browsers('a', 'b');
    const hub = await startServer([...UNLIMITED, ...args]);
    const wire = await Wire.to(hub);
    try {
      const room = freshRoom();
      const witness = await Participant.join(hub, room); // sees what the hub tells, and has no picture
      await a.enter(wire, room);
      await b.enter(hub, room);
      await Promise.all([a.seesOthers(2), b.seesOthers(2)]);
      await everyoneSeesEveryone([a, b]);
      const [{ peerId: idOfA }] = await a.heard('RoomJoined');
      const [{ peerId: idOfB }] = await b.heard('RoomJoined');
      await test({ a, b, wire, witness, idOfA, idOfB });
      for (const person of [a, b]) assert.deepEqual(faultsOf(person), []);
      await Promise.all([a, b].map((person) => person.page.goto('about:blank')));
      witness.destroy();
      await hub.endsCleanly();
    } finally {
      wire.end();
      hub.child.kill('SIGKILL');
    }
  }

  it('for ten seconds: nobody is told, and what was said meanwhile arrives in order', () => cutInACall([], async ({ a, b, wire, witness, idOfA }) => {
    const sound = watchSound([a, b]);
    const before = await witness.changes.until(() => witness.queue.length, 'what has been said so far');
    wire.cut();
    await a.page.waitForSelector('#status', { visible: true });
    for (let n = 1; n <= 20; n++) witness.signal(idOfA, { n });
    await pause(10_000);
    wire.mend();
    await joinedTimes([a], 2);
    await a.until('probe.heard().some((m) => m.message?.n === 20)');
    const heard = await a.heard();
    const from = heard.findLastIndex(({ type }) => type === 'RoomJoined');
    assert.deepEqual([heard[from].peerId, heard[from].resumed], [idOfA, true]);
    assert.deepEqual(heard.slice(from).map(({ message }) => message?.n).filter(Boolean), Array.from({ length: 20 }, (_, i) => i + 1));
    await everyoneSeesEveryone([a, b]);
    await sound.end();
    assert.deepEqual(await b.heard('UserLeft'), []);
    assert.deepEqual(witness.queue.slice(before).map(({ object }) => object.type).filter((type) => type !== 'Signal'), []);
    assert.deepEqual([...await a.vanished(), ...await b.vanished()], []);
    const now = await b.sample();
    assert.ok(now.some((flow) => flow.peerId === idOfA));
  }));

  it('for longer than the seat is kept: one left, one joined, and the call goes on', () => cutInACall(['--resume-seconds', '2'], async ({ a, b, wire, idOfA, idOfB }) => {
    const told = (await b.heard('UserLeft', 'UserJoined')).length;
    wire.cut();
    await b.until('probe.heard().some((m) => m.type === "UserLeft")');
    await b.seesOthers(1);
    wire.mend();
    await joinedTimes([a], 2);
    await Promise.all([a.seesOthers(2), b.seesOthers(2)]);
    await everyoneSeesEveryone([a, b]);
    const [, { peerId, resumed }] = await a.heard('RoomJoined');
    assert.notEqual(peerId, idOfA);
    assert.equal(resumed, false);
    assert.ok((await a.others()).includes(idOfB));
    assert.deepEqual((await b.heard('UserLeft', 'UserJoined')).slice(told).map((m) => [m.type, m.peerId, m.reason]), [['UserLeft', idOfA, 'timeout'], ['UserJoined', peerId, undefined]]);
  }));
});
