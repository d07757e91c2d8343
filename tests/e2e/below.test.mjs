// A call on a server that is not at the top of its host: --base-path /calls.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { UNLIMITED, serverOfSuite } from '../lib/server.mjs';

describe('a call below a base path', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--base-path', '/calls']);
  /** @type {Person[]} */
  const people = [];
  after(() => Promise.all(people.map((person) => person.end())));

  it('two see and hear each other by the link that the page shows, and a new call is one below it', async () => {
    const [a, b] = [await Person.start(), await Person.start()];
    people.push(a, b);
    await a.page.goto(`${server.current.url}/calls/`, { waitUntil: 'domcontentloaded' });
    assert.match(new URL(a.page.url()).pathname, /^\/calls\/room\/[0-9a-f-]{36}$/);
    await a.seesOthers(0);
    const link = await a.page.$eval('#link', (e) => /** @type {HTMLInputElement} */ (e).value);
    await b.page.goto(link, { waitUntil: 'domcontentloaded' });
    await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
    await everyoneSeesEveryone([a, b]);
    await a.screenshot('below-a-base-path');
    assert.deepEqual(await a.page.$$eval('a[href]', (all) => all.map((each) => new URL(/** @type {HTMLAnchorElement} */ (each).href).pathname)), ['/calls/']);
    const outside = [...a.requests, ...b.requests].map((each) => new URL(each).pathname).filter((path) => path.startsWith('/') && !path.startsWith('/calls/'));
    assert.deepEqual(outside, []);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
