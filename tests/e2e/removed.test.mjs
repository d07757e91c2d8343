// What people see when an operator removes somebody, or ends a room.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { metricsBecome, metricsOf } from '../lib/metrics.mjs';
import { askOperator, makeToken } from '../lib/operator.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';

describe('removed by an operator', () => {
  const { token, file } = makeToken();
  const server = serverOfSuite({ before, after }, ['--ops-token-file', file]);
  /** @type {Person} */ let a;
  /** @type {Person} */ let b;
  const room = freshRoom();
  before(async () => {
    [a, b] = [await Person.start(), await Person.start()];
  });
  after(async () => {
    await Promise.all([a?.end(), b?.end()]);
  });

  /** @param {string} target */
  async function remove(target) {
    const { status } = await askOperator(server.current, 'DELETE', target, { token });
    assert.equal(status, 200);
  }

  /**
   * The page says why, its call is over, its camera is off, and it does not come back by itself: a page that waits for
   * its next try makes it at once when the network is said to be back.
   * @param {Person} person
   */
  async function isOut(person) {
    await person.page.waitForSelector('#curtain', { visible: true });
    assert.match(await person.page.$eval('#curtain', (e) => e.textContent ?? ''), /You were removed.*looks after this server.*Try again/s);
    assert.equal(await person.page.$$eval('#participants [data-peer-id]', (tiles) => tiles.length), 0, 'not even oneself');
    assert.equal(await person.page.evaluate('probe.open()'), 0, 'media has ended as well');
    const opened = 'aloha_http_responses_total{stage="websocket",code="101"}';
    const before = (await metricsOf(server.current)).value(opened);
    await person.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await person.page.evaluate(() => fetch(location.href, { cache: 'no-store' })); // behind whatever that has sent
    assert.equal((await metricsOf(server.current)).value(opened), before, 'no further WebSocket');
  }

  it('R64: who was removed is told so and stays out; the others see them go at once', async () => {
    await a.enter(server.current, room);
    await a.seesOthers(0);
    await b.enter(server.current, room);
    const [[idOfB]] = [await a.seesOthers(1), await b.seesOthers(1)];
    await everyoneSeesEveryone([a, b]);
    await remove(`/api/v1/peers/${idOfB}`);
    await a.seesOthers(0);
    const left = (await a.heard('UserLeft')).map(({ peerId, reason }) => [peerId, reason]);
    assert.deepEqual(left, [[idOfB, 'removed']], 'once');
    await isOut(b);
    await b.screenshot('removed');
    await metricsBecome(server.current, { aloha_websockets: 1, aloha_peers: 1, aloha_seats_held: 0 });
  });

  it('who tries again comes as somebody new', async () => {
    await b.click('#curtain .action');
    await Promise.all([a.seesOthers(1), b.seesOthers(1)]);
    await everyoneSeesEveryone([a, b]);
  });

  it('a closed room ends for everybody, and whoever comes afresh finds it empty', async () => {
    await remove(`/api/v1/rooms/${room}`);
    await Promise.all([isOut(a), isOut(b)]);
    await metricsBecome(server.current, { aloha_websockets: 0, aloha_rooms: 0, aloha_peers: 0 });
    await a.click('#curtain .action');
    await a.seesOthers(0);
    await metricsBecome(server.current, { aloha_websockets: 1, aloha_rooms: 1, aloha_peers: 1 });
  });

  it('nothing on the pages complains', () => {
    for (const person of [a, b]) assert.deepEqual(person.complaints, []);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
