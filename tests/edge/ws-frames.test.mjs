// What frames do to the hub and to the others of the room: R18, R22, R25, R26. What RFC 6455 says of them byte by byte is
// checked by tests/conformance.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Participant, assertServes, freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite } from '../lib/server.mjs';
import { BINARY, CLOSE, CONTINUATION, PING, RawWebSocket, TEXT, closePayload, frameBytes } from '../lib/websocket.mjs';

const MESSAGE_MAX = 65_536;

describe('frames', () => {
  const server = serverOfSuite({ before, after }, [...UNLIMITED, '--resume-seconds', '0']); // who is gone is gone at once

  /** A raw socket and an ordinary participant in one room. */
  async function rawAndWitness() {
    const roomId = freshRoom();
    const witness = await Participant.join(server.current, roomId);
    const raw = await RawWebSocket.open(server.current);
    raw.send({ type: 'JoinRoom', roomId });
    const joined = await raw.message();
    assert.equal(joined.type, 'RoomJoined');
    await witness.receive('UserJoined');
    return {
      raw,
      witness,
      peerId: /** @type {string} */ (joined.peerId),
      async end() {
        raw.destroy();
        await witness.leave();
      },
    };
  }

  /**
   * Sends frames on a joined socket that must end it with a code. Where the code cannot be known for sure, 1006 is
   * allowed too: unread input turns the end of a TCP connection into a reset, which may overtake the close frame (F7).
   * @param {(Parameters<typeof frameBytes>[0] | Buffer)[]} frames @param {number[]} codes @param {string} what
   */
  async function ends(frames, codes, what) {
    const { raw, witness, peerId } = await rawAndWitness();
    raw.connection.write(Buffer.concat(frames.map((f) => (Buffer.isBuffer(f) ? f : frameBytes(f)))));
    const code = await raw.closed();
    const left = await witness.receive('UserLeft');
    assert.equal(left.peerId, peerId);
    await witness.hearsNothing();
    raw.destroy();
    await witness.leave();
    assert.ok(codes.includes(code), `${what}: closed ${code} where ${codes} was expected`);
  }

  it('R18, R38: whoever breaks the rules is closed, and the others hear of it once', async () => {
    await ends([{ opcode: BINARY, payload: '{"type":"LeaveRoom"}' }], [1003], 'binary');
    await ends([{ payload: Buffer.from([0xff]) }], [1007], 'no UTF-8');
    await ends([{ opcode: 3, payload: 'x' }], [1002, 1006], 'a reserved opcode');
    await ends([{ opcode: CONTINUATION, payload: 'x' }], [1002, 1006], 'a continuation of nothing');
    await ends([{ opcode: PING, payload: 'x'.repeat(126) }], [1002, 1006], 'a long ping');
  });

  it('R18: over the limit is closed 1009, and the others hear of it once', async () => {
    await ends([{ payload: 'x'.repeat(MESSAGE_MAX + 1) }], [1009, 1006], 'one byte over');
    await ends([{ payload: '{"type":"LeaveRoom"' + ' '.repeat(70_000) + '}' }], [1009, 1006], 'valid, but too long');
  });

  it('R18: the declared length is judged with its first byte, before the rest of it is there', async () => {
    for (const declared of [MESSAGE_MAX + 1, 100_000, 2 ** 31, 2 ** 32, 2 ** 32 + 10, 2 ** 40]) {
      await ends([frameBytes({ payload: 'x', declared })], [1009, 1002], `${declared} bytes declared`);
    }
    await ends([frameBytes({ payload: 'x', declared: 2n ** 63n - 1n })], [1009, 1002, 1006], 'the largest length');
    await ends([frameBytes({ payload: 'x', declared: 2n ** 63n })], [1009, 1002, 1006], 'a negative length');
    await ends([frameBytes({ payload: 'x', declared: 2n ** 64n - 1n })], [1009, 1002, 1006], 'all bits set');
  });

  it('R18: the limit is over all fragments', async () => {
    const half = 'x'.repeat(MESSAGE_MAX / 2);
    await ends([{ payload: half, fin: false }, { opcode: CONTINUATION, payload: half, fin: false }, { opcode: CONTINUATION, payload: 'x', fin: true }], [1009, 1006], 'two halves and one byte');
    await ends([{ payload: half, fin: false }, frameBytes({ opcode: CONTINUATION, payload: 'x', declared: MESSAGE_MAX / 2 + 1 })], [1009], 'a half, and more than a half declared');
    const small = Array.from({ length: 3000 }, (_, i) => ({ opcode: i === 0 ? TEXT : CONTINUATION, payload: 'x'.repeat(32), fin: false }));
    await ends(small, [1009, 1006], 'three thousand little ones');
  });

  it('R22: a hundred thousand pings are one client\'s own matter', async () => {
    const { raw, witness, end } = await rawAndWitness();
    const other = await Participant.join(server.current, freshRoom());
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frameBytes({ opcode: PING, payload: 'x'.repeat(100) })));
    const grownFrom = await server.current.rss();
    raw.connection.socket.pause(); // and it reads none of the pongs
    for (let i = 0; i < 100 && !raw.connection.ended; i++) raw.connection.write(pings);
    for (let i = 0; i < 50; i++) {
      other.signal('nobody', i);
      await other.receiveError('unknown-peer');
    }
    const grown = (await server.current.rss()) - grownFrom;
    assert.ok(grown < 32 * 1024, `resident memory grew by ${grown} KiB`);
    await other.leave();
    raw.connection.socket.resume();
    await end();
    void witness;
  });

  it('what was asked right before a close is answered before the close is', async () => {
    const { raw, witness } = await rawAndWitness();
    const questions = Array.from({ length: 20 }, () => frameBytes({ payload: '{"type":"x"}' }));
    raw.connection.write(Buffer.concat([...questions, frameBytes({ opcode: CLOSE, payload: closePayload(1000) })]));
    for (let i = 0; i < questions.length; i++) assert.equal((await raw.message()).code, 'unknown-type');
    assert.equal((await raw.next())?.opcode, CLOSE);
    await raw.connection.closed();
    raw.destroy();
    await witness.receive('UserLeft');
    await witness.leave();
  });

  it('a clean close is echoed, and the TCP connection goes', async () => {
    for (const payload of [Buffer.alloc(0), closePayload(1000), closePayload(1000, 'bye'), closePayload(1001, 'page gone'), closePayload(3000), closePayload(4999, 'x'.repeat(123))]) {
      const { raw, witness, peerId } = await rawAndWitness();
      raw.frame({ opcode: CLOSE, payload });
      const code = await raw.closed();
      raw.destroy();
      const sent = payload.length ? payload.readUInt16BE(0) : 1005;
      assert.ok([sent, 1000, 1005].includes(code), `${sent} was answered by ${code}`);
      const left = await witness.receive('UserLeft');
      assert.equal(left.peerId, peerId);
      // Only 1000 and 1001 say for sure that somebody left for good (rule 6 of the protocol).
      assert.ok(left.reason === 'left' || ![1000, 1001].includes(sent), `${sent}: ${left.reason}`);
      await witness.hearsNothing();
      await witness.leave();
    }
  });

  it('F16: what follows a client\'s own close is not heard', async () => {
    for (let i = 0; i < 60; i++) {
      const roomId = freshRoom();
      const raw = await RawWebSocket.open(server.current);
      raw.connection.write(Buffer.concat([
        frameBytes({ opcode: CLOSE, payload: closePayload(1000) }),
        frameBytes({ payload: JSON.stringify({ type: 'JoinRoom', roomId }) }),
      ]));
      await raw.closed();
      raw.destroy();
      const witness = await Participant.join(server.current, roomId);
      assert.deepEqual(witness.joined.participants, [], 'nobody joined after saying goodbye');
      await witness.hearsNothing();
      await witness.leave();
    }
  });

  it('R26: what follows the server\'s close is not heard', async () => {
    const { raw, witness, peerId } = await rawAndWitness();
    raw.connection.write(Buffer.concat([
      frameBytes({ opcode: BINARY, payload: 'x' }),
      ...Array.from({ length: 20 }, () => frameBytes({ payload: JSON.stringify({ type: 'Signal', peerId: witness.peerId, message: 'too late' }) })),
    ]));
    const code = await raw.closed();
    assert.ok([1003, 1006].includes(code), `${code}`);
    raw.destroy();
    assert.deepEqual(await witness.receive('UserLeft').then((m) => m.peerId), peerId);
    await witness.hearsNothing();
    await witness.leave();
  });

  it('R26, R38: who breaks the framing and does not answer the close is gone for the others first, and then altogether', async () => {
    for (const frame of [frameBytes({ opcode: 3, payload: 'x' }), frameBytes({ payload: 'x', rsv: 4 }), frameBytes({ opcode: CONTINUATION, payload: 'x' })]) {
      const { raw, witness, peerId } = await rawAndWitness();
      raw.connection.write(frame);
      const left = await witness.receive('UserLeft');
      assert.deepEqual([left.peerId, left.reason], [peerId, 'removed']);
      assert.equal(raw.connection.ended, false, 'the others did not have to wait for the end of its connection');
      assert.equal(await raw.closed(undefined, { answer: false }), 1002);
      raw.destroy();
      await witness.leave();
    }
  });

  it('R26: after its close the server does not wait for ever for the answer', async () => {
    const { raw, witness } = await rawAndWitness();
    raw.frame({ opcode: BINARY, payload: 'x' });
    assert.equal(await raw.closed(undefined, { answer: false }), 1003); // until the TCP connection ends
    raw.destroy();
    await witness.leave();
  });

  it('a socket that is cut is UserLeft for the others, once', async () => {
    for (let i = 0; i < 10; i++) {
      const { raw, witness, peerId } = await rawAndWitness();
      if (i % 2) raw.frame({ payload: 'half a mess', fin: false });
      raw.connection.socket.resetAndDestroy();
      const left = await witness.receive('UserLeft');
      assert.equal(left.peerId, peerId);
      await witness.hearsNothing();
      await witness.leave();
    }
  });

  it('random frames harm nothing', async () => {
    let state = 99;
    const random = (/** @type {number} */ n) => (state = (state * 1103515245 + 12345) & 0x7fffffff) % n;
    for (let i = 0; i < 150; i++) {
      const raw = await RawWebSocket.open(server.current);
      for (let n = 0; n < 6; n++) {
        raw.frame({ opcode: random(16), fin: random(4) > 0, rsv: random(10) ? 0 : random(8), masked: random(10) > 0, payload: Buffer.from(Array.from({ length: random(200) }, () => random(256))),
          declared: random(8) ? undefined : random(70_000) });
      }
      raw.connection.socket.end();
      await raw.closed();
      raw.destroy();
    }
    await assertServes(server.current);
  });

  it('ends cleanly', () => server.current.endsCleanly());
});
