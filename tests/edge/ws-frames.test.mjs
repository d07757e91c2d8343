// Frames: RFC 6455 sections 5 to 7, R18, R22, R25 and R26. In the shape of Autobahn's sections 1 to 7.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Participant, assertServes, freshRoom } from '../lib/participant.mjs';
import { UNLIMITED, serverOfSuite } from '../lib/server.mjs';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, RawWebSocket, TEXT, closePayload, frameBytes } from '../lib/websocket.mjs';

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

  /** Text of exactly this many bytes that is a Signal. @param {string} to @param {number} size */
  function signalOfSize(to, size) {
    const head = `{"type":"Signal","peerId":"${to}","message":"`;
    return `${head}${'s'.repeat(size - head.length - 2)}"}`;
  }

  it('messages of every size that changes the header, up to the limit', async () => {
    const { raw, witness, peerId, end } = await rawAndWitness();
    for (const size of [200, 1000, 4096, 16_383, 16_384, 65_535, MESSAGE_MAX]) {
      const text = signalOfSize(witness.peerId, size);
      assert.equal(Buffer.byteLength(text), size);
      raw.frame({ payload: text });
      const signal = await witness.receive('Signal');
      assert.equal(signal.peerId, peerId);
      assert.deepEqual(signal.message, JSON.parse(text).message, `${size} bytes`);
    }
    for (const payload of ['{}', '{"type":"x"}', '{"type":"x"' + ' '.repeat(110) + '}', '{"type":"x"' + ' '.repeat(114) + '}', '{"type":"x"' + ' '.repeat(115) + '}']) {
      raw.frame({ payload });
      assert.equal((await raw.message()).type, 'Error', `${payload.length} bytes`);
    }
    await end();
  });

  it('a length may be spelled wider than it needs (sections 5.2 says it must not): taken or refused, nothing else', async () => {
    const { raw, end } = await rawAndWitness();
    raw.frame({ payload: '{"type":"x"}', wide: true });
    const frame = await raw.next();
    assert.ok(!frame || frame.opcode === TEXT || frame.opcode === CLOSE);
    await end();
  });

  it('an empty message is bad, and not the end', async () => {
    const { raw, end } = await rawAndWitness();
    raw.frame({ payload: '' });
    assert.equal((await raw.message()).code, 'bad-message');
    raw.frame({ payload: '', fin: false });
    raw.frame({ opcode: CONTINUATION, payload: '' });
    assert.equal((await raw.message()).code, 'bad-message');
    raw.send({ type: 'Marker' });
    assert.equal((await raw.message()).code, 'unknown-type');
    await end();
  });

  it('a message in fragments is one message, with pings between them answered at once', async () => {
    const { raw, witness, peerId, end } = await rawAndWitness();
    const text = `{"type":"Signal","peerId":"${witness.peerId}","message":"caf\u00e9 \u20ac \u{1f33a}"}`;
    const bytes = Buffer.from(text);
    for (const pieces of [2, 3, 7, bytes.length]) {
      for (let i = 0; i < pieces; i++) {
        const part = bytes.subarray(Math.floor((i * bytes.length) / pieces), Math.floor(((i + 1) * bytes.length) / pieces));
        raw.frame({ opcode: i === 0 ? TEXT : CONTINUATION, payload: part, fin: i === pieces - 1 });
        if (pieces < 10 && i < pieces - 1) {
          raw.frame({ opcode: PING, payload: `between ${i}` });
          const pong = await raw.next();
          assert.equal(pong?.opcode, PONG);
          assert.equal(pong?.payload.toString(), `between ${i}`);
        }
      }
      assert.deepEqual(await witness.receive('Signal'), { type: 'Signal', peerId, message: 'caf\u00e9 \u20ac \u{1f33a}' }, `${pieces} fragments`);
    }
    await end();
  });

  it('empty fragments are fragments', async () => {
    const { raw, witness, end } = await rawAndWitness();
    const bytes = Buffer.from(`{"type":"Signal","peerId":"${witness.peerId}","message":1}`);
    raw.frame({ payload: '', fin: false });
    raw.frame({ opcode: CONTINUATION, payload: '', fin: false });
    raw.frame({ opcode: CONTINUATION, payload: bytes, fin: false });
    raw.frame({ opcode: CONTINUATION, payload: '' });
    assert.equal((await witness.receive('Signal')).message, 1);
    await end();
  });

  it('frames byte by byte', async () => {
    const { raw, witness, end } = await rawAndWitness();
    const bytes = Buffer.concat([
      frameBytes({ payload: `{"type":"Signal","peerId":"${witness.peerId}",`, fin: false }),
      frameBytes({ opcode: PING, payload: 'p' }),
      frameBytes({ opcode: CONTINUATION, payload: '"message":"slow"}' }),
    ]);
    for (const byte of bytes) {
      raw.connection.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await witness.receive('Signal')).message, 'slow');
    await end();
  });

  it('many frames in one packet, in their order', async () => {
    const { raw, witness, end } = await rawAndWitness();
    raw.connection.write(Buffer.concat(Array.from({ length: 200 }, (_, i) => frameBytes({ payload: `{"type":"Signal","peerId":"${witness.peerId}","message":${i}}` }))));
    for (let i = 0; i < 200; i++) assert.equal((await witness.receive('Signal')).message, i);
    await end();
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

  it('R18: exactly the limit in fragments is a message', async () => {
    const { raw, witness, end } = await rawAndWitness();
    const bytes = Buffer.from(signalOfSize(witness.peerId, MESSAGE_MAX));
    for (let at = 0; at < bytes.length; at += 8192) raw.frame({ opcode: at === 0 ? TEXT : CONTINUATION, payload: bytes.subarray(at, at + 8192), fin: at + 8192 >= bytes.length });
    assert.equal((await witness.receive('Signal')).message.length, JSON.parse(bytes.toString()).message.length);
    await end();
  });

  it('R18: after a long message the next begins at nothing', async () => {
    const { raw, witness, end } = await rawAndWitness();
    for (let i = 0; i < 3; i++) {
      raw.frame({ payload: signalOfSize(witness.peerId, 60_000) });
      await witness.receive('Signal');
    }
    await end();
  });

  it('R18: binary is closed 1003', async () => {
    await ends([{ opcode: BINARY, payload: '{"type":"LeaveRoom"}' }], [1003], 'binary');
    await ends([{ opcode: BINARY, payload: '' }], [1003], 'empty binary');
    await ends([{ opcode: BINARY, payload: 'x', fin: false }], [1003], 'the first fragment of a binary message');
  });

  it('R18: what is not UTF-8 is closed 1007', async () => {
    const head = Buffer.from('{"type":"x","y":"');
    const tail = Buffer.from('"}');
    const bad = { 'a lone continuation byte': [0x80], 'a cut sequence': [0xc3], 'a slash spelled too long': [0xc0, 0xaf], 'a surrogate': [0xed, 0xa0, 0x80], 'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
      'five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80], 'FE': [0xfe], 'FF': [0xff], 'three bytes spelled as four': [0xf0, 0x82, 0x82, 0xac], 'latin1': [0xe9, 0x20] };
    for (const [what, bytes] of Object.entries(bad)) {
      await ends([{ payload: Buffer.concat([head, Buffer.from(bytes), tail]) }], [1007], what);
    }
    await ends([{ payload: Buffer.from([0xff]) }], [1007], 'one byte');
    await ends([{ payload: Buffer.concat([head, Buffer.from([0xe2, 0x82])]), fin: false }, { opcode: CONTINUATION, payload: tail }], [1007], 'a sequence cut by a fragment and not continued');
    await ends([{ payload: Buffer.concat([head, Buffer.from([0xe2, 0x82])]) }], [1007], 'a sequence cut by the end');
  });

  it('R18: reserved bits and opcodes are closed 1002', async () => {
    for (const rsv of [1, 2, 4, 7]) await ends([{ payload: '{"type":"LeaveRoom"}', rsv }], [1002, 1006], `reserved bits ${rsv}`);
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) await ends([{ opcode, payload: 'x' }], [1002, 1006], `opcode ${opcode}`);
  });

  it('R18: fragments out of order are closed 1002', async () => {
    await ends([{ opcode: CONTINUATION, payload: '{"type":"LeaveRoom"}' }], [1002, 1006], 'a continuation of nothing');
    await ends([{ opcode: CONTINUATION, payload: 'x', fin: false }], [1002, 1006], 'a continuation of nothing, to be continued');
    await ends([{ payload: '{"type":', fin: false }, { payload: '{"type":"LeaveRoom"}' }], [1002, 1006], 'a new message inside a message');
    await ends([{ payload: '{"type":"x"}' }, { opcode: CONTINUATION, payload: 'y' }], [1002, 1006], 'a continuation after the end');
  });

  it('R18: control frames are short and whole, or closed 1002', async () => {
    await ends([{ opcode: PING, payload: 'x'.repeat(126) }], [1002, 1006], 'a ping of 126 bytes');
    await ends([{ opcode: PONG, payload: 'x'.repeat(126) }], [1002, 1006], 'a pong of 126 bytes');
    await ends([{ opcode: CLOSE, payload: closePayload(1000, 'x'.repeat(124)) }], [1002, 1006], 'a close of 126 bytes');
    await ends([{ opcode: PING, payload: 'x', fin: false }], [1002, 1006], 'half a ping');
    await ends([{ opcode: CLOSE, payload: closePayload(1000), fin: false }], [1002, 1006], 'half a close');
  });

  it('F2, known deviation of libwebsockets 4.1.6: an unmasked frame is taken (RFC 6455 section 5.1 wants 1002); it reaches nobody but as the message it spells', async () => {
    const { raw, witness, end } = await rawAndWitness();
    raw.frame({ payload: `{"type":"Signal","peerId":"${witness.peerId}","message":"unmasked"}`, masked: false });
    const outcome = await Promise.race([
      witness.receiveRaw().then(({ object }) => object),
      raw.closed(),
    ]);
    if (typeof outcome === 'number') assert.ok([1002, 1006].includes(outcome), 'the packaged library got the fix: this test can become strict');
    else if (outcome.type === 'Signal') assert.equal(outcome.message, 'unmasked');
    else assert.equal(outcome.type, 'UserLeft');
    await end();
  });

  it('a ping is answered with its own bytes', async () => {
    const { raw, end } = await rawAndWitness();
    for (const payload of [Buffer.alloc(0), Buffer.from('hello'), Buffer.from([0, 255, 128, 10]), Buffer.alloc(125, 7)]) {
      raw.frame({ opcode: PING, payload });
      const pong = await raw.next();
      assert.equal(pong?.opcode, PONG);
      assert.deepEqual(pong?.payload, payload);
    }
    await end();
  });

  it('a pong that nobody asked for is nothing', async () => {
    const { raw, end } = await rawAndWitness();
    raw.frame({ opcode: PONG, payload: 'unasked' });
    raw.frame({ opcode: PONG });
    raw.send({ type: 'Marker' });
    assert.equal((await raw.message()).code, 'unknown-type');
    await end();
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

  it('RFC 6455 section 7.4, known deviation of libwebsockets 4.1.6: a close of one byte, a reason that is not UTF-8 and a code beyond 4999 are echoed, not answered 1002 or 1007; each is the end all the same', async () => {
    for (const payload of [Buffer.from([3]), closePayload(1000, Buffer.from([0xff, 0xfe])), closePayload(5000), closePayload(65_535)]) {
      const { raw, witness, peerId } = await rawAndWitness();
      raw.frame({ opcode: CLOSE, payload });
      const answer = await raw.next();
      assert.ok(!answer || answer.opcode === CLOSE);
      assert.equal((await witness.receive('UserLeft')).peerId, peerId);
      await raw.connection.closed();
      raw.destroy();
      await witness.leave();
    }
  });

  it('a close of a code that must not be sent is the end all the same, and is not echoed', async () => {
    for (const code of [0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999]) {
      const { raw, witness } = await rawAndWitness();
      raw.frame({ opcode: CLOSE, payload: closePayload(code) });
      const answer = await raw.closed();
      assert.ok(![1004, 1005, 1006, 1015].includes(raw.closeCode ?? 0), `${answer} must not be on the wire`);
      await witness.receive('UserLeft');
      raw.destroy();
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
