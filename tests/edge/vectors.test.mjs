// The vectors of tests/vectors, said to the running hub. The C tests and the page's tests read the same files.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Participant, UUID_V4, freshRoom, roomOf } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';
import { vectors } from '../lib/vectors.mjs';

describe('the vectors themselves', () => {
  it('each says what it is about, who sends it, and what is expected', () => {
    for (const kind of /** @type {const} */ (['valid', 'invalid'])) {
      const all = vectors(kind);
      assert.ok(all.length > 50, `${kind}: ${all.length}`);
      assert.equal(new Set(all.map((v) => v.from + v.text)).size, all.length, 'no vector is there twice');
      for (const v of all) {
        assert.match(v.file, /^[a-z0-9-]+\.json$/);
        assert.ok(v.about.length > 3, v.file);
        assert.ok(v.from === 'client' || v.from === 'hub', v.file);
        assert.equal(typeof v.text, 'string', v.file);
        assert.ok([undefined, kind === 'valid' ? 'refuses' : 'passes'].includes(v.schema), v.file);
        if (kind === 'invalid') assert.match(v.error ?? '', /^[a-z-]+$/, v.file);
        else assert.equal(JSON.parse(v.text).type, v.type, v.file);
      }
    }
  });
});

describe('the hub reads the vectors', () => {
  const server = serverOfSuite({ before, after });

  it('every valid JoinRoom joins', async (t) => {
    for (const v of vectors('valid').filter((v) => v.from === 'client' && v.type === 'JoinRoom')) {
      await t.test(`${v.file}: ${v.about}`, async () => {
        const said = JSON.parse(v.text);
        const witness = await Participant.join(server.current, said.roomId);
        const one = await Participant.connect(server.current);
        one.send(v.text);
        const joined = await one.receive('RoomJoined');
        assert.equal(joined.roomId, said.roomId);
        assert.match(joined.peerId, UUID_V4);
        assert.notEqual(joined.peerId, said.peerId, 'nobody chooses his own id');
        const told = await witness.receive('UserJoined');
        /** @type {Record<string, unknown>} */
        const expected = { type: 'UserJoined', peerId: joined.peerId };
        const name = said.name?.trim().normalize('NFC');
        if (name) expected.name = name;
        if ('hello' in said) expected.hello = said.hello;
        if (told.name === '') delete told.name; // no name, told as an empty one, is no name
        assert.deepEqual(told, expected);
        await Promise.all([one.leave(), witness.leave()]);
      });
    }
  });

  it('every valid Signal arrives byte for byte', async (t) => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    for (const v of vectors('valid').filter((v) => v.from === 'client' && v.type === 'Signal')) {
      await t.test(`${v.file}: ${v.about}`, async () => {
        a.send(v.text.replaceAll(JSON.parse(v.text).peerId, b.peerId));
        const { text, object } = await b.receiveRaw();
        assert.equal(object.type, 'Signal', text);
        assert.equal(object.peerId, a.peerId);
        assert.deepEqual(Object.keys(object).sort(), ['message', 'peerId', 'type']);
        assert.deepEqual(object.message, JSON.parse(v.text).message);
        assert.ok(text.includes(rawMessage(v.text)), `not as it was spelled: ${text}`);
      });
    }
    await room.end();
  });

  it('every valid LeaveRoom leaves', async (t) => {
    for (const v of vectors('valid').filter((v) => v.from === 'client' && v.type === 'LeaveRoom')) {
      await t.test(`${v.file}: ${v.about}`, async () => {
        const room = await roomOf(server.current, 2);
        const [a, b] = room;
        a.send(v.text);
        assert.deepEqual(await b.receive('UserLeft'), { type: 'UserLeft', peerId: a.peerId, reason: 'left' });
        await room.end();
      });
    }
  });

  it('every other valid message of a member gets its answer', async (t) => {
    const answers = {
      LockRoom: { type: 'RoomLocked' },
      Admit: { type: 'Error', code: 'unknown-peer' }, // nobody knocks
      Deny: { type: 'Error', code: 'unknown-peer' },
      RefreshIceServers: { type: 'IceServers' },
    };
    for (const v of vectors('valid').filter((v) => v.from === 'client' && v.type && v.type in answers)) {
      await t.test(`${v.file}: ${v.about}`, async () => {
        const one = await Participant.join(server.current, freshRoom());
        one.send(v.text);
        const { object } = await one.receiveRaw();
        const wanted = answers[/** @type {keyof answers} */ (v.type)];
        assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((member) => [member, object[member]])), wanted);
        await one.hearsNothing();
        await one.leave();
      });
    }
  });

  it('every invalid message gets its error, changes nothing and closes nothing', async (t) => {
    for (const v of vectors('invalid').filter((v) => v.from === 'client')) {
      await t.test(`${v.file}: ${v.about}`, async () => {
        const roomId = freshRoom();
        const witness = await Participant.join(server.current, roomId);
        const one = await Participant.connect(server.current);
        const isJoin = v.type === 'JoinRoom';
        if (!isJoin) {
          await one.join(roomId);
          await witness.receive('UserJoined');
        }
        one.send(v.text);
        one.send({ type: 'Marker' });
        const error = await one.receiveError(/** @type {string} */ (v.error));
        await one.receiveError('unknown-type'); // the marker's: the message before it had one answer, not two
        assert.deepEqual(Object.keys(error).filter((k) => !['type', 'code', 'message', 'peerId', 'retryAfterMs'].includes(k)), [], 'an error has no other members');
        assert.ok(!('peerId' in error), 'only unknown-peer names a peer');
        if (isJoin) {
          await one.join(roomId); // still outside, and the socket still good
          await witness.receive('UserJoined');
        }
        one.signal(witness.peerId, 'still here');
        assert.equal((await witness.receive('Signal')).message, 'still here');
        await Promise.all([one.leave(), witness.leave()]);
      });
    }
  });

  it('the text of an error never repeats what was sent', async () => {
    const one = await Participant.connect(server.current);
    for (const text of ['{"type":"Zq9x<b>"}', '{"type":"JoinRoom","roomId":"Zq9x<b>"}', '{"type":"JoinRoom","roomId":"tea","name":"Zq9x\\u202e<b>"}', 'Zq9x<b>', '{"type":"Signal","peerId":7,"message":"Zq9x<b>"}']) {
      one.send(text);
      const { text: answer } = await one.receiveRaw();
      assert.doesNotMatch(answer, /Zq9x|<b>/);
    }
    await one.leave();
  });

  it('ends cleanly', () => server.current.endsCleanly());
});

/** The bytes of `message` as they are spelled, without the white space around them. @param {string} text */
function rawMessage(text) {
  const start = /"(?:message|m\\u0065ssage)"\s*:\s*/.exec(text);
  assert.ok(start);
  const from = start.index + start[0].length;
  // The longest prefix that is valid JSON on its own and is followed by the envelope's comma or brace.
  for (let to = text.length; to > from; to--) {
    if (!/^\s*[,}]/.test(text.slice(to))) continue;
    try {
      JSON.parse(text.slice(from, to));
      return text.slice(from, to).trim();
    } catch {
      // not here
    }
  }
  throw new Error('no message');
}
