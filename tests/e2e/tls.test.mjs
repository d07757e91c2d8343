// A call over https with a certificate that was made here, at an address that is not this machine's own: only a secure
// context has cameras.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person, everyoneSeesEveryone } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite, startServer } from '../lib/server.mjs';

// RFC 6761: browsers look up .test nowhere, so it is theirs to say where it is; and it is not localhost.
const NAME = 'call.test';

describe('a call over https with --tls self-signed', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--tls', 'self-signed', '--host', `${NAME},127.0.0.1`, '--redirect-port', '0']);
  /** @type {Person[]} */
  let people = [];
  const args = [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`];
  const url = (scheme = 'https', port = server.current.port) => `${scheme}://${NAME}:${port}`;
  after(async () => {
    await Promise.all(people.map((person) => person.end()));
  });

  it('the browser warns first', async () => {
    const wary = await Person.start({ args });
    await assert.rejects(wary.enter({ url: url() }, freshRoom()), /ERR_CERT_AUTHORITY_INVALID/);
    await wary.end();
  });

  it('who goes on is in a secure context, has a camera, and two see each other', async () => {
    people = [await Person.start({ args: [...args, '--ignore-certificate-errors'] }), await Person.start({ args: [...args, '--ignore-certificate-errors'] })];
    const room = freshRoom();
    for (const person of people) {
      await person.enter({ url: url() }, room);
      assert.equal(await person.page.evaluate(() => isSecureContext && location.hostname !== 'localhost' && location.protocol === 'https:'), true);
    }
    await everyoneSeesEveryone(people);
    for (const person of people) assert.deepEqual(person.complaints, []);
  });

  it('a new certificate does not touch the call', async () => {
    server.current.child.kill('SIGHUP');
    await server.current.logged('tls_reloaded');
    await everyoneSeesEveryone(people);
  });

  it('whoever types the address without the s gets there too, on both ports', async () => {
    for (const port of [server.current.port, server.current.redirectPort]) {
      await people[0].page.goto(`${url('http', port)}/room/tea`, { waitUntil: 'domcontentloaded' });
      assert.equal(people[0].page.url(), `${url()}/room/tea`);
    }
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

describe('the same address in plain', () => {
  it('is no secure context: that is what the certificate is for', async () => {
    const server = await startServer([...UNLIMITED, '--tls', 'no', '--host', `${NAME},127.0.0.1`]);
    const person = await Person.start({ args: [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`] });
    await person.enter({ url: `http://${NAME}:${server.port}` }, freshRoom());
    assert.equal(await person.page.evaluate(() => isSecureContext), false);
    await person.end();
    await server.endsCleanly();
  });
});
