// The protocol's rules, seen from outside: docs/protocol.md, "Rules that hold always".
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Participant, UUID_V4, assertServes, freshRoom, roomOf } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';
import { RawWebSocket } from '../lib/websocket.mjs';

describe('rooms', () => {
  const server = serverOfSuite({ before, after });

  it('RoomJoined says all that its reader needs', async () => {
    const roomId = freshRoom();
    const first = await Participant.join(server.current, roomId, { name: 'Mele' });
    assert.deepEqual(Object.keys(first.joined).filter((k) => k !== 'resumeToken').sort(),
      ['iceServers', 'limits', 'locked', 'participants', 'peerId', 'resumed', 'roomId', 'type']);
    assert.equal(first.joined.roomId, roomId);
    assert.match(first.joined.peerId, UUID_V4);
    assert.equal(first.joined.resumed, false);
    assert.equal(first.joined.locked, false);
    assert.deepEqual(first.joined.participants, []);
    assert.ok(Array.isArray(first.joined.iceServers));
    const { limits } = first.joined;
    for (const name of ['maxMessageBytes', 'maxParticipants', 'heartbeatSeconds', 'resumeSeconds']) assert.ok(Number.isInteger(limits[name]), name);
    assert.equal(limits.maxMessageBytes, 65_536);
    assert.equal(limits.maxParticipants, 12);

    const second = await Participant.join(server.current, roomId);
    const [entry, ...others] = second.joined.participants;
    assert.deepEqual(others, []);
    assert.deepEqual(entry, { peerId: first.peerId, name: 'Mele' });
    const told = await first.receive('UserJoined');
    assert.equal(told.peerId, second.peerId);
    assert.ok(!told.name, 'who gave no name has none');
    await Promise.all([first.leave(), second.leave()]);
  });

  it('names arrive trimmed, in one form, and otherwise exactly', async () => {
    const roomId = freshRoom();
    const witness = await Participant.join(server.current, roomId);
    for (const [said, expected] of [['  Mele  ', 'Mele'], ['Rene\u0301', 'Ren\u00e9'], ['\u1112\u1161\u11ab'.repeat(64), '\ud55c'.repeat(64)], ['\u2764\ufe0f', '\u2764\ufe0f'], ['K\u0101lau', 'K\u0101lau'], ['<b>&"\'</b>', '<b>&"\'</b>'], ['a\\b/c', 'a\\b/c'], ['\u{1f33a}'.repeat(64), '\u{1f33a}'.repeat(64)], ['{"type":"UserLeft"}', '{"type":"UserLeft"}']]) {
      const one = await Participant.join(server.current, roomId, { name: said });
      assert.equal((await witness.receive('UserJoined')).name, expected);
      const later = await Participant.join(server.current, roomId);
      await witness.receive('UserJoined');
      assert.equal(later.joined.participants.find((/** @type {any} */ p) => p.peerId === one.peerId).name, expected);
      await one.leave();
      await witness.receive('UserLeft');
      await later.leave();
      await witness.receive('UserLeft');
    }
    await witness.leave();
  });

  it('hello reaches the others and nobody else, byte for byte', async () => {
    const roomId = freshRoom();
    const witness = await Participant.join(server.current, roomId);
    const stranger = await Participant.join(server.current, freshRoom());
    for (const hello of ['{ "a" : [ 1,2 ] }', '1e400', '"x\\u00e9\\/"', 'null', '123456789012345678901234567890', `"${'h'.repeat(8190)}"`]) {
      const one = await Participant.connect(server.current);
      one.send(`{"type":"JoinRoom","roomId":"${roomId}","hello":${hello}}`);
      const joined = await one.receive('RoomJoined');
      assert.ok(!('hello' in joined));
      const { text, object } = await witness.receiveRaw();
      assert.equal(object.type, 'UserJoined');
      assert.equal(object.peerId, joined.peerId);
      assert.ok(text.includes(`"hello":${hello}`) || text.includes(`"hello": ${hello}`), text.slice(0, 300));
      await one.leave();
      await witness.receive('UserLeft');
    }
    await stranger.hearsNothing();
    await Promise.all([witness.leave(), stranger.leave()]);
  });

  it('rule 1, R29: a Signal crosses no room; unknown, foreign, departed, own and room ids all sound the same', async () => {
    const here = await roomOf(server.current, 2);
    const there = await roomOf(server.current, 2);
    const departed = await Participant.join(server.current, here.roomId);
    for (const one of here) await one.receive('UserJoined');
    const { peerId: departedId } = departed;
    await departed.leave();
    for (const one of here) await one.receive('UserLeft');

    const [a] = here;
    const answers = new Set();
    const targets = [there[0].peerId, there[1].peerId, there.roomId, here.roomId, departedId, a.peerId, randomUUID(), 'me', '', '*', here[1].peerId.toUpperCase(), here[1].peerId + ' ', ` ${here[1].peerId}`,
      here[1].peerId.slice(0, -1), here[1].peerId + 'x', `{${here[1].peerId}}`];
    for (const target of targets) {
      a.signal(target, 'for whom');
      const error = await a.receiveError('unknown-peer');
      if ('peerId' in error) assert.equal(error.peerId, target);
      answers.add(error.message);
    }
    assert.equal(answers.size, 1, 'one text for all of them');
    a.send({ type: 'Signal', peerId: here[1].peerId + '\0', message: 1 });
    assert.ok(['unknown-peer', 'bad-message'].includes((await a.receive('Error')).code), 'no C string cuts an id');
    a.signal('p'.repeat(2000), 1);
    assert.ok(['unknown-peer', 'bad-message'].includes((await a.receive('Error')).code), 'an id without end');
    for (const one of [here[1], ...there]) await one.hearsNothing();
    await Promise.all([here.end(), there.end()]);
  });

  it('rule 2: ten thousand signals arrive once and in their order', async () => {
    const room = await roomOf(server.current, 3);
    const [a, b, c] = room;
    const count = 10_000;
    const reading = (async () => {
      for (let i = 0; i < count; i++) {
        const signal = await b.receive('Signal');
        assert.equal(signal.peerId, a.peerId);
        assert.equal(signal.message, i);
      }
    })();
    for (let i = 0; i < count; i++) {
      a.signal(b.peerId, i);
      // A window, so that the reader is no slow consumer: the bound of its queue is another test's matter.
      if (i % 100 === 99) await b.changes.until(() => b.received > i - 100, 'the reader to follow');
    }
    await reading;
    await b.hearsNothing();
    await c.hearsNothing();
    await a.hearsNothing();
    await room.end();
  });

  it('rule 2: two senders at once each keep their own order', async () => {
    const room = await roomOf(server.current, 3);
    const [a, b, c] = room;
    for (let i = 0; i < 100; i++) {
      a.signal(c.peerId, i);
      b.signal(c.peerId, i);
    }
    const next = new Map([[a.peerId, 0], [b.peerId, 0]]);
    for (let i = 0; i < 200; i++) {
      const { peerId, message } = await c.receive('Signal');
      assert.equal(message, next.get(peerId));
      next.set(peerId, message + 1);
    }
    await room.end();
  });

  it('rule 3, R27, R30: nobody chooses an id, and nobody speaks for another', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    const forged = { type: 'Signal', peerId: b.peerId, message: { x: 1 }, from: b.peerId, sender: b.peerId, fromPeerId: b.peerId, name: 'Eve', roomId: 'other', __proto__x: 1, code: 'x', reason: 'left' };
    a.send(forged);
    assert.deepEqual(await b.receive('Signal'), { type: 'Signal', peerId: a.peerId, message: { x: 1 } });

    const wanted = randomUUID();
    const eve = await Participant.connect(server.current);
    const joined = await eve.join(room.roomId, { peerId: wanted, id: wanted, resumed: true });
    assert.notEqual(joined.peerId, wanted);
    assert.equal(joined.resumed, false);
    for (const one of room) assert.equal((await one.receive('UserJoined')).peerId, joined.peerId);
    await eve.leave();
    await room.end();
  });

  it('R27: ids are never used twice', async () => {
    const seen = new Set();
    const roomId = freshRoom();
    const one = await Participant.connect(server.current);
    for (let i = 0; i < 200; i++) {
      const { peerId } = await one.join(roomId);
      assert.match(peerId, UUID_V4);
      assert.ok(!seen.has(peerId));
      seen.add(peerId);
      one.send({ type: 'LeaveRoom' });
    }
    await one.leave();
  });

  it('rule 4: what is relayed is byte for byte what was sent', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    const values = [' { "a" : [ 1 , 2 ] ,\t"b":\r\n{ } } ', '"\\u0041\\/\\ud83c\\udf3a\u00e9\u{1f33a}"', '-0.0e-00', '[1.0,1.00,1e0,1E+2]', '9'.repeat(3000), '0.' + '1'.repeat(3000), '1e400', '-1e-400',
      '{"a":1,"a":2,"__proto__":{"x":1}}', '{"type":"Error","code":"x"}', '"},\\"type\\":\\"Error\\""', '"\u2028\u2029"', '"\u007f\u0080\uffff\u{10ffff}"', `"${'\\\\'.repeat(2000)}"`, `"${'\u{1f33a}'.repeat(5000)}"`];
    for (const value of values) {
      a.send(`{"type":"Signal","peerId":"${b.peerId}","message":${value}}`);
      const { text, object } = await b.receiveRaw();
      assert.equal(object.type, 'Signal', text.slice(0, 200));
      assert.ok(text.includes(`"message":${value.trim()}`) || text.includes(`"message":${value}`), `${value.slice(0, 60)} became ${text.slice(0, 200)}`);
      assert.equal(object.peerId, a.peerId);
    }
    await room.end();
  });

  it('rule 4, R34: what is valid to some and not to others is relayed byte for byte, or refused', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    for (const value of ['"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '{"\\u0000":1}', `[${'1,'.repeat(600)}1]`]) {
      a.send(`{"type":"Signal","peerId":"${b.peerId}","message":${value}}`);
      a.signal(b.peerId, 'next');
      const { text, object } = await b.receiveRaw();
      if (object.message === 'next') await a.receiveError('bad-message');
      else {
        assert.ok(text.includes(`"message":${value}`), text.slice(0, 200));
        assert.equal((await b.receive('Signal')).message, 'next');
      }
    }
    await room.end();
  });

  it('rule 5: of two who join at once, each hears of the other exactly once', async () => {
    for (let round = 0; round < 10; round++) {
      const roomId = freshRoom();
      const all = await Promise.all(Array.from({ length: 8 }, () => Participant.connect(server.current)));
      for (const one of all) one.send({ type: 'JoinRoom', roomId });
      const known = [];
      for (const one of all) {
        const joined = await one.receive('RoomJoined');
        one.peerId = joined.peerId;
        const others = new Set(joined.participants.map((/** @type {any} */ p) => p.peerId));
        assert.equal(others.size, joined.participants.length);
        while (others.size < all.length - 1) {
          const { peerId } = await one.receive('UserJoined');
          assert.ok(!others.has(peerId), 'nobody is told twice');
          others.add(peerId);
        }
        known.push(others);
      }
      for (const [i, others] of known.entries()) {
        assert.deepEqual([...others].sort(), all.filter((_, j) => j !== i).map((one) => one.peerId).sort());
        await all[i].hearsNothing();
      }
      for (const one of all) one.destroy();
    }
  });

  it('rule 5: whoever is told that somebody joined can signal him at once', async () => {
    const roomId = freshRoom();
    const old = await Participant.join(server.current, roomId);
    for (let i = 0; i < 20; i++) {
      const fresh = await Participant.connect(server.current);
      fresh.send({ type: 'JoinRoom', roomId });
      const { peerId } = await old.receive('UserJoined');
      old.signal(peerId, i);
      const joined = await fresh.receive('RoomJoined');
      assert.equal(joined.peerId, peerId);
      assert.equal((await fresh.receive('Signal')).message, i, 'RoomJoined comes before the first signal');
      await fresh.leave();
      await old.receive('UserLeft');
    }
    await old.leave();
  });

  it('R31: a second JoinRoom changes nothing', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    for (const roomId of [room.roomId, freshRoom()]) {
      a.send({ type: 'JoinRoom', roomId });
      await a.receiveError('already-in-room');
    }
    await b.hearsNothing();
    b.signal(a.peerId, 'still you');
    assert.equal((await a.receive('Signal')).message, 'still you');
    await room.end();
  });

  it('R31: two JoinRooms in one packet are one join', async () => {
    const raw = await RawWebSocket.open(server.current);
    const roomId = freshRoom();
    raw.send({ type: 'JoinRoom', roomId }).send({ type: 'JoinRoom', roomId });
    assert.equal((await raw.message()).type, 'RoomJoined');
    assert.equal((await raw.message()).code, 'already-in-room');
    const other = await Participant.join(server.current, roomId);
    assert.equal(other.joined.participants.length, 1);
    raw.destroy();
    await other.leave();
  });

  it('R29: before a join, a Signal is not-in-room, whatever its destination', async () => {
    const room = await roomOf(server.current, 1);
    const outside = await Participant.connect(server.current);
    for (const target of [room[0].peerId, randomUUID()]) {
      outside.signal(target, 'let me in');
      await outside.receiveError('not-in-room');
    }
    await room[0].hearsNothing();
    await outside.leave();
    await room.end();
  });

  it('LeaveRoom outside of a room is not-in-room', async () => {
    const one = await Participant.connect(server.current);
    one.send({ type: 'LeaveRoom' });
    await one.receiveError('not-in-room');
    await one.join(freshRoom());
    await one.leave();
  });

  it('LeaveRoom leaves, and the same socket joins again as somebody new', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    const before = a.peerId;
    a.send({ type: 'LeaveRoom' });
    assert.deepEqual(await b.receive('UserLeft'), { type: 'UserLeft', peerId: before, reason: 'left' });
    await a.hearsNothing();
    a.signal(b.peerId, 'from outside');
    await a.receiveError('not-in-room');
    b.signal(before, 'to outside');
    await b.receiveError('unknown-peer');

    const again = await a.join(room.roomId, { name: 'again' });
    assert.notEqual(again.peerId, before);
    assert.deepEqual(again.participants.map((/** @type {any} */ p) => p.peerId), [b.peerId]);
    const told = await b.receive('UserJoined');
    assert.equal(told.peerId, again.peerId);
    assert.equal(told.name, 'again');
    b.signal(before, 'to the old one');
    await b.receiveError('unknown-peer');
    b.signal(again.peerId, 'to the new one');
    assert.equal((await a.receive('Signal')).message, 'to the new one');

    a.send({ type: 'LeaveRoom' });
    await b.receive('UserLeft');
    const other = freshRoom();
    await a.join(other);
    await b.hearsNothing();
    a.signal(b.peerId, 'into the old room');
    await a.receiveError('unknown-peer');
    await room.end();
  });

  it('a hundred times in and out leaves nobody behind', async () => {
    const roomId = freshRoom();
    const witness = await Participant.join(server.current, roomId);
    const one = await Participant.connect(server.current);
    for (let i = 0; i < 100; i++) {
      const { peerId } = await one.join(roomId);
      one.send({ type: 'LeaveRoom' });
      assert.equal((await witness.receive('UserJoined')).peerId, peerId);
      assert.equal((await witness.receive('UserLeft')).peerId, peerId);
    }
    const late = await Participant.join(server.current, roomId);
    assert.deepEqual(late.joined.participants.map((/** @type {any} */ p) => p.peerId), [witness.peerId]);
    await Promise.all([one.leave(), late.leave(), witness.leave()]);
  });

  it('R38: UserLeft comes exactly once, however somebody goes', async () => {
    /** @type {[string, (p: Participant) => unknown][]} */
    const ways = [
      ['LeaveRoom', (p) => p.send({ type: 'LeaveRoom' })],
      ['LeaveRoom twice', (p) => (p.send({ type: 'LeaveRoom' }), p.send({ type: 'LeaveRoom' }))],
      ['LeaveRoom, then close', (p) => (p.send({ type: 'LeaveRoom' }), p.socket.close(1000))],
      ['close 1000', (p) => p.socket.close(1000)],
      ['close 1001', (p) => p.socket.close(1001)],
      ['close without a code', (p) => p.socket.close()],
      ['LeaveRoom, then a cut', (p) => (p.send({ type: 'LeaveRoom' }), p.socket.terminate())],
      ['a signal, then close', (p) => (p.signal(randomUUID(), 1), p.socket.close(1000))],
    ];
    for (const [what, go] of ways) {
      const room = await roomOf(server.current, 3);
      const [a, ...others] = room;
      go(a);
      for (const one of others) {
        assert.deepEqual(await one.receive('UserLeft'), { type: 'UserLeft', peerId: a.peerId, reason: 'left' }, what);
        await one.hearsNothing();
      }
      await room.end();
    }
  });

  it('R38: all who leave at once are each told to those who stay', async () => {
    const room = await roomOf(server.current, 6);
    const [stays, ...gone] = room;
    for (const [i, one] of gone.entries()) (i % 2 ? one.socket.close(1000) : one.send({ type: 'LeaveRoom' }));
    const left = [];
    for (let i = 0; i < gone.length; i++) left.push((await stays.receive('UserLeft')).peerId);
    assert.deepEqual(left.sort(), gone.map((one) => one.peerId).sort());
    await stays.hearsNothing();
    await room.end();
  });

  it('rule 8: unknown types and unknown members close nothing', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    for (let i = 0; i < 40; i++) {
      a.send({ type: `Unknown${i}`, peerId: b.peerId, message: 1 });
      await a.receiveError('unknown-type');
    }
    a.send({ type: 'Signal', peerId: b.peerId, message: 1, hello: 'x', more: { a: [1] } });
    await b.receive('Signal');
    await room.end();
  });

  it('ten bad messages are closed 1008, nine are not, and the others hear of it once', async () => {
    const room = await roomOf(server.current, 2);
    const [a, b] = room;
    for (let i = 0; i < 9; i++) {
      a.send(i % 2 ? 'not json' : '{"type":7}');
      await a.receiveError('bad-message');
    }
    a.signal(b.peerId, 'still here');
    assert.equal((await b.receive('Signal')).message, 'still here');
    a.send('[]');
    assert.equal(await a.closed(), 1008);
    assert.equal((await b.receive('UserLeft')).peerId, a.peerId);
    await b.hearsNothing();
    await room.end();
  });

  it('bad names, rooms and peers are no bad messages: they never add up to a close', async () => {
    const one = await Participant.connect(server.current);
    for (let i = 0; i < 15; i++) {
      one.send({ type: 'JoinRoom', roomId: 'a/b' });
      await one.receiveError('bad-room-id');
      one.send({ type: 'JoinRoom', roomId: 'tea', name: 'a\u202eb' });
      await one.receiveError('bad-name');
    }
    await one.join(freshRoom());
    for (let i = 0; i < 30; i++) {
      one.signal(randomUUID(), 1);
      await one.receiveError('unknown-peer');
    }
    await one.leave();
  });

  it('a wrong resume token is its own error or is not looked at, and the join may be repeated without it', async () => {
    const one = await Participant.connect(server.current);
    const roomId = freshRoom();
    one.send({ type: 'JoinRoom', roomId, resumeToken: 'forged' });
    const answer = await one.receive('Error').catch(() => undefined);
    if (answer) {
      assert.equal(answer.code, 'bad-resume-token');
      const joined = await one.join(roomId);
      assert.equal(joined.resumed, false);
    }
    await one.leave();
  });

  it('R32: the thirteenth finds the room full, stays connected, and gets in when a seat is free', async () => {
    const room = await roomOf(server.current, 12);
    const late = await Participant.connect(server.current);
    late.send({ type: 'JoinRoom', roomId: room.roomId });
    await late.receiveError('room-full');
    for (const one of room) await one.hearsNothing();
    const elsewhere = await late.join(freshRoom());
    assert.deepEqual(elsewhere.participants, []);
    late.send({ type: 'LeaveRoom' });
    await room[3].leave();
    for (const [i, one] of room.entries()) if (i !== 3) assert.equal((await one.receive('UserLeft')).peerId, room[3].peerId);
    const joined = await late.join(room.roomId);
    assert.equal(joined.participants.length, 11);
    for (const [i, one] of room.entries()) if (i !== 3) await one.receive('UserJoined');
    late.destroy();
    await room.end();
  });

  it('R28: room ids are compared exactly', async () => {
    const id = `Case-${randomUUID().slice(0, 8)}`;
    const one = await Participant.join(server.current, id);
    for (const other of [id.toLowerCase(), id.toUpperCase(), id + '.', id.slice(0, -1)]) {
      const two = await Participant.join(server.current, other);
      assert.deepEqual(two.joined.participants, [], other);
      await two.leave();
    }
    await one.hearsNothing();
    await one.leave();
  });

  it('R37: joining does not show whether a room existed', async () => {
    const roomId = freshRoom();
    const first = await Participant.join(server.current, roomId);
    await first.leave();
    const again = await Participant.join(server.current, roomId);
    const never = await Participant.join(server.current, freshRoom());
    const plain = (/** @type {any} */ { roomId: _, peerId: __, resumeToken: ___, ...rest }) => rest;
    assert.deepEqual(plain(again.joined), plain(never.joined));
    await Promise.all([again.leave(), never.leave()]);
  });

  it('two hundred rooms at once do not mix', async () => {
    const rooms = await Promise.all(Array.from({ length: 200 }, () => roomOf(server.current, 2)));
    for (const [i, [a, b]] of rooms.entries()) a.signal(b.peerId, i);
    for (const [i, [, b]] of rooms.entries()) assert.equal((await b.receive('Signal')).message, i);
    await Promise.all(rooms.map((room) => room.end()));
    await assertServes(server.current);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
