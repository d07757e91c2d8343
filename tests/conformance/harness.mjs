// How a conformance case runs. The server echoes nothing, so two raw sockets share a room: what one sends as a Signal, in
// the frames of the case, the other receives, and that is the echo, compared byte for byte. Both sockets are ours down to
// the last bit, and every wait is for an event: that nothing more comes is shown by a question whose answer must come behind it.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { after, before, describe, it } from 'node:test';
import { freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';
import { CLOSE, PING, PONG, RawWebSocket, TEXT, frameBytes } from '../lib/websocket.mjs';
import { signal } from './bytes.mjs';
import { DEVIATIONS } from './deviations.mjs';

/** @typedef {import('./bytes.mjs').FrameOf} FrameOf */
/**
 * How the bytes of the frames are cut into writes: all in one, a write a frame, a write an octet, or so many octets each.
 * @typedef {'whole' | 'frames' | 'octets' | number} Chop
 */
/**
 * @typedef {object} Expectation
 * @property {Buffer[]} [echo]     the JSON values that reach the other peer, in this order
 * @property {string[]} [answers]  the error codes that the sender gets, in this order
 * @property {Buffer[]} [pongs]    what its pings are answered with, in this order
 * @property {number | 'malformed' | 'open' | number[]} [close]  the code of the server's close frame; 1005: a close frame without a
 *   code; 1006: the connection is dropped without one, which RFC 6455 section 7.1.7 allows where it fails; malformed: a close frame that
 *   section 5.5.1 does not allow; open: it goes on
 */
/**
 * @typedef {object} Case
 * @property {string} id    as in the Autobahn testsuite where that has the case; a letter behind it where it is our own
 * @property {string} what
 * @property {Chop} [chop]
 * @property {(to: string) => FrameOf[] | FrameOf[][]} frames  to: the other's peerId. An array of arrays is sent step by
 *   step: the next when the pings of the one before have been answered
 * @property {Expectation} expect  what RFC 6455 wants; DEVIATIONS says where the server does something else
 */

/** The connection fails for what RFC 6455 does not allow: with the code, or dropped without a word (section 7.1.7). */
export const PROTOCOL_ERROR = [1002, 1006];

/** Two peers of one room. @param {{ port?: number, host?: string }} server */
async function pair(server) {
  const roomId = freshRoom();
  const [sender, receiver] = await Promise.all([RawWebSocket.open(server), RawWebSocket.open(server)]);
  const ids = [];
  for (const one of [receiver, sender]) {
    one.send({ type: 'JoinRoom', roomId });
    const joined = await one.message();
    assert.equal(joined.type, 'RoomJoined');
    ids.push(/** @type {string} */ (joined.peerId));
  }
  assert.equal((await receiver.message()).type, 'UserJoined');
  return { sender, receiver, receiverId: ids[0], senderId: ids[1] };
}

/** @param {RawWebSocket} socket @param {FrameOf[]} frames @param {Chop} chop */
async function send(socket, frames, chop) {
  const all = frames.map((frame) => frameBytes(frame));
  const bytes = Buffer.concat(all);
  const size = chop === 'octets' ? 1 : chop === 'whole' ? bytes.length : chop;
  const pieces = size === 'frames' ? all : Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  for (const piece of pieces) {
    if (socket.connection.ended) return;
    await new Promise((resolve) => socket.connection.socket.write(piece, resolve)); // it has left for the kernel: no later one joins it
  }
}

/** What became of the sender: pongs and errors as they come, and the end, if it comes. */
class Outcome {
  pongs = /** @type {Buffer[]} */ ([]);
  answers = /** @type {string[]} */ ([]);
  close = /** @type {number | 'malformed' | 'open'} */ ('open');

  /**
   * Reads until `enough`, or to the end. @param {RawWebSocket} socket @param {() => boolean} enough
   */
  async read(socket, enough) {
    while (!enough() && this.close === 'open') {
      const frame = await socket.next();
      if (!frame) {
        this.close = 1006;
      } else if (frame.opcode === PONG) {
        this.pongs.push(Buffer.from(frame.payload));
      } else if (frame.opcode === CLOSE) {
        this.close = closeOf(frame);
        if (!socket.connection.ended) socket.frame({ opcode: CLOSE, payload: frame.payload.subarray(0, 2) });
      } else {
        assert.ok(frame.opcode === TEXT && frame.fin && frame.rsv === 0, `a whole text frame, not opcode ${frame.opcode}`);
        const message = JSON.parse(frame.payload.toString());
        assert.equal(message.type, 'Error', frame.payload.toString());
        this.answers.push(message.code);
      }
    }
  }
}

/** What a close frame says: its code, or what is wrong with it. @param {import('../lib/websocket.mjs').Frame} frame */
function closeOf({ fin, rsv, payload }) {
  assert.ok(fin && rsv === 0 && payload.length <= 125, 'a close frame is short and whole');
  if (payload.length === 0) return 1005;
  if (payload.length === 1 || !isUtf8(payload.subarray(2))) return 'malformed';
  return payload.readUInt16BE(0);
}

const MARKER = 'unknown-type';
const LAST_PING = 'the end of the case';

/** @param {{ port?: number, host?: string }} server @param {Case} theCase @param {Expectation} expect */
async function run(server, theCase, expect) {
  const { sender, receiver, receiverId, senderId } = await pair(server);
  try {
    const outcome = new Outcome();
    const list = theCase.frames(receiverId);
    const steps = /** @type {FrameOf[][]} */ (Array.isArray(list[0]) ? list : [list]);
    let pings = 0;
    for (const [i, frames] of steps.entries()) {
      await send(sender, frames, theCase.chop ?? 'whole');
      pings += frames.filter((frame) => frame.opcode === PING).length;
      if (i < steps.length - 1) await outcome.read(sender, () => outcome.pongs.length >= pings);
    }

    // The sender's end: either it is closed, or questions have their answers behind everything else: a message behind the
    // messages, and then, for pongs and messages have no order between them, a ping behind the pings.
    const closes = expect.close ?? 'open';
    if (closes === 'open') {
      sender.send({ type: 'Marker' });
      await outcome.read(sender, () => outcome.answers.at(-1) === MARKER);
      sender.frame({ opcode: PING, payload: LAST_PING });
      await outcome.read(sender, () => outcome.pongs.at(-1)?.toString() === LAST_PING);
      assert.equal(outcome.close, 'open', 'the connection goes on');
      assert.equal(outcome.answers.pop(), MARKER);
      outcome.pongs.pop();
      sender.frame({ payload: signal(receiverId, '"end"') });
    } else {
      await outcome.read(sender, () => false);
      const allowed = Array.isArray(closes) ? closes : [closes];
      assert.ok(allowed.some((code) => code === outcome.close), `closed ${outcome.close} where ${allowed.join(' or ')} was expected`);
    }
    assert.deepEqual(outcome.pongs.map(String), (expect.pongs ?? []).map(String), 'the pongs');
    for (const [i, pong] of outcome.pongs.entries()) assert.ok(pong.equals(/** @type {Buffer[]} */ (expect.pongs)[i]), 'a pong has the ping\'s own bytes');
    assert.deepEqual(outcome.answers, expect.answers ?? [], 'the answers');

    // The receiver's: the echo, byte for byte, and nothing else.
    receiver.send({ type: 'Marker' });
    const echo = [];
    for (;;) {
      const frame = await receiver.next();
      assert.ok(frame && frame.opcode === TEXT && frame.fin && frame.rsv === 0, 'the other peer goes on and gets whole text frames');
      const text = frame.payload.toString();
      if (text.startsWith('{"type":"UserLeft"')) continue; // at once, or later, when its seat is kept for a while
      if (text.startsWith('{"type":"Error"')) {
        assert.equal(JSON.parse(text).code, MARKER);
        if (closes !== 'open') break;
      } else {
        const head = Buffer.from(`{"type":"Signal","peerId":"${senderId}","message":`);
        assert.ok(frame.payload.subarray(0, head.length).equals(head), text.slice(0, 200));
        const value = frame.payload.subarray(head.length, -1);
        if (closes === 'open' && value.toString() === '"end"') break;
        echo.push(Buffer.from(value));
      }
    }
    assert.equal(echo.length, (expect.echo ?? []).length, `the echo: ${echo.map((e) => e.toString('latin1').slice(0, 60))}`);
    for (const [i, value] of echo.entries()) assert.ok(value.equals(/** @type {Buffer[]} */ (expect.echo)[i]), `echo ${i} is byte for byte what was sent`);
  } finally {
    sender.destroy();
    receiver.destroy();
  }
}

/**
 * A section of the check as a suite of node's: every case is a test, and a summary is printed at its end.
 * @param {string} number @param {string} title @param {Case[]} cases @param {(server: { current: any }) => void} [more]
 */
export function section(number, title, cases, more) {
  describe(`${number} ${title}`, () => {
    const server = serverOfSuite({ before, after });
    let asWanted = 0;
    let deviating = 0;

    for (const theCase of cases) {
      const deviation = DEVIATIONS[theCase.id];
      it(`${theCase.id} ${theCase.what}${deviation ? ` (known deviation: ${deviation.why})` : ''}`, async () => {
        if (!deviation) {
          await run(server.current, theCase, theCase.expect);
          asWanted++;
          return;
        }
        try {
          await run(server.current, theCase, { ...theCase.expect, ...deviation.expect });
          deviating++;
        } catch (error) {
          // Perhaps it is as it should be by now. Then the row has to go.
          const mended = await run(server.current, theCase, theCase.expect).then(() => true, () => false);
          if (mended) assert.fail(`${theCase.id} does what RFC 6455 wants by now: take its row out of deviations.mjs`);
          throw error;
        }
      });
    }

    more?.(server);

    it('no id is there twice, and no deviation is without its case', () => {
      const ids = cases.map(({ id }) => id);
      assert.deepEqual(ids.filter((id, i) => ids.indexOf(id) !== i), []);
      const mine = Object.keys(DEVIATIONS).filter((id) => number.split(', ').includes(id.split('.')[0]));
      assert.deepEqual(mine.filter((id) => !ids.includes(id)), []);
    });

    it('ends cleanly', () => server.current.endsCleanly());

    after(() => {
      const failed = cases.length - asWanted - deviating;
      console.log(`section ${number}: ${cases.length} cases, ${asWanted} as RFC 6455 wants, ${deviating} known deviations, ${failed} failed`);
    });
  });
}
