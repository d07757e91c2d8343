// Autobahn's section 6: UTF-8. The sequences are those of Markus Kuhn's decoder stress test, which that section takes too.
// A message here is JSON, so each sequence stands inside a JSON string; the whole list runs in one frame, with a fragment
// for each octet of the sequence, and in TCP chops of one octet.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CLOSE, CONTINUATION, PING, PONG, RawWebSocket, frameBytes } from '../lib/websocket.mjs';
import { fragments, octetFragments, signal, string } from './bytes.mjs';
import { section } from './harness.mjs';

const hex = (/** @type {string} */ text) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const range = (/** @type {number} */ first, /** @type {number} */ last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

const KOSME = hex('ce ba e1 bd b9 cf 83 ce bc ce b5');
const CUT_SHORT = ['c0', 'e0 80', 'f0 80 80', 'f8 80 80 80', 'fc 80 80 80 80', 'df', 'ef bf', 'f7 bf bf', 'fb bf bf bf', 'fd bf bf bf bf'];
const LONELY = [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]];
const NONCHARACTERS = ['ef bf be', 'ef bf bf'];
for (const plane of range(1, 16)) for (const last of [0xfffe, 0xffff]) NONCHARACTERS.push(Buffer.from(String.fromCodePoint(plane * 0x10000 + last)).toString('hex'));

/** Whether these are valid, and the sequences. @type {[string, string, [boolean, Buffer][]][]} */
const LIST = [
  ['6.5', 'valid text', ['68656c6c6f 24 776f726c64', '68656c6c6f c2a2 776f726c64', '68656c6c6f e282ac 776f726c64', '68656c6c6f f0a4ada2 776f726c64', KOSME.toString('hex')].map((s) => [true, hex(s)])],
  ['6.6', 'each beginning of a text', range(1, KOSME.length).map((n) => [[2, 5, 7, 9, 11].includes(n), KOSME.subarray(0, n)])],
  ['6.7', 'the first sequence of a length', ['00', 'c2 80', 'e0 a0 80', 'f0 90 80 80'].map((s) => [true, hex(s)])],
  ['6.8', 'the first sequence of 5 and 6', ['f8 88 80 80 80', 'fc 84 80 80 80 80'].map((s) => [false, hex(s)])],
  ['6.9', 'the last sequence of a length', ['7f', 'df bf', 'ef bf bf', 'f4 8f bf bf'].map((s) => [true, hex(s)])],
  ['6.10', 'the last sequence of 4, 5 and 6 beyond U+10FFFF', ['f7 bf bf bf', 'fb bf bf bf bf', 'fd bf bf bf bf bf'].map((s) => [false, hex(s)])],
  ['6.11', 'other boundaries', [[true, hex('ed 9f bf')], [true, hex('ee 80 80')], [true, hex('ef bf bd')], [true, hex('f4 8f bf bf')], [false, hex('f4 90 80 80')]]],
  ['6.12', 'unexpected continuation bytes', [...['80', 'bf', '80 bf', '80 bf 80', '80 bf 80 bf', '80 bf 80 bf 80', '80 bf 80 bf 80 bf'].map((s) => hex(s)), Buffer.from(range(0x80, 0xbf))].map((bytes) => [false, bytes])],
  ['6.13', 'lonely start bytes', LONELY.map(([first, last]) => [false, Buffer.from(range(first, last).flatMap((byte) => [byte, 0x20]))])],
  ['6.14', 'the last continuation byte missing', CUT_SHORT.map((s) => [false, hex(s)])],
  ['6.15', 'incomplete sequences in a row', [[false, hex(CUT_SHORT.join(''))]]],
  ['6.16', 'impossible bytes', ['fe', 'ff', 'fe fe ff ff'].map((s) => [false, hex(s)])],
  ['6.17', 'a slash spelled too long', ['c0 af', 'e0 80 af', 'f0 80 80 af', 'f8 80 80 80 af', 'fc 80 80 80 80 af'].map((s) => [false, hex(s)])],
  ['6.18', 'the last of what is spelled too long', ['c1 bf', 'e0 9f bf', 'f0 8f bf bf', 'f8 87 bf bf bf', 'fc 83 bf bf bf bf'].map((s) => [false, hex(s)])],
  ['6.19', 'NUL spelled too long', ['c0 80', 'e0 80 80', 'f0 80 80 80', 'f8 80 80 80 80', 'fc 80 80 80 80 80'].map((s) => [false, hex(s)])],
  ['6.20', 'single surrogates', ['ed a0 80', 'ed ad bf', 'ed ae 80', 'ed af bf', 'ed b0 80', 'ed be 80', 'ed bf bf'].map((s) => [false, hex(s)])],
  ['6.21', 'paired surrogates', ['ed a0 80 ed b0 80', 'ed a0 80 ed bf bf', 'ed ad bf ed b0 80', 'ed ad bf ed bf bf', 'ed ae 80 ed b0 80', 'ed ae 80 ed bf bf', 'ed af bf ed b0 80', 'ed af bf ed bf bf'].map((s) => [false, hex(s)])],
  ['6.22', 'noncharacters', NONCHARACTERS.map((s) => [true, hex(s)])],
  ['6.23', 'specials', ['ef bf b9', 'ef bf ba', 'ef bf bb', 'ef bf bc', 'ef bf bd', 'ef bf be', 'ef bf bf'].map((s) => [true, hex(s)])],
];

const text = Buffer.from('Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!');
const brokenText = Buffer.concat([KOSME, hex('ed a0 80'), Buffer.from('edited')]);

/** Octet by octet where the sequence is, and whole before and behind it. @param {string} to @param {Buffer} bytes */
function octetFragmentsOf(to, bytes) {
  const whole = signal(to, string(bytes));
  const start = whole.length - bytes.length - 2;
  return fragments(whole, range(start, start + bytes.length));
}

/** @type {import('./harness.mjs').Case[]} */
const cases = [
  { id: '6.1.1', what: 'no text at all is valid, but no message of ours', frames: () => [{ payload: '' }], expect: { answers: ['bad-message'] } },
  { id: '6.1.2', what: 'three empty fragments', frames: () => fragments(Buffer.alloc(0), [0, 0]), expect: { answers: ['bad-message'] } },
  { id: '6.1.3', what: 'three fragments, the first and the last empty', frames: (to) => fragments(signal(to, '1'), [0, signal(to, '1').length]), expect: { echo: [Buffer.from('1')] } },
  { id: '6.2.1', what: 'valid text in one frame', frames: (to) => [{ payload: signal(to, string(text)) }], expect: { echo: [string(text)] } },
  { id: '6.2.2', what: 'valid text in two fragments, cut between two characters', frames: (to) => fragments(signal(to, string(text)), [signal(to, string(text)).indexOf(hex('c39f'))]), expect: { echo: [string(text)] } },
  { id: '6.2.3', what: 'valid text, a fragment for each octet', frames: (to) => octetFragments(signal(to, string(text))), expect: { echo: [string(text)] } },
  { id: '6.2.4', what: 'valid Greek, a fragment for each octet', frames: (to) => octetFragments(signal(to, string(KOSME))), expect: { echo: [string(KOSME)] } },
  { id: '6.2.5a', what: 'valid text, fragments and chops of one octet', chop: 'octets', frames: (to) => octetFragments(signal(to, string(text))), expect: { echo: [string(text)] } },
  { id: '6.3.1', what: 'invalid text in one frame', frames: (to) => [{ payload: signal(to, string(brokenText)) }], expect: { close: 1007 } },
  { id: '6.3.2', what: 'invalid text, a fragment for each octet', frames: (to) => octetFragments(signal(to, string(brokenText))), expect: { close: [1007, 1006] } },
  { id: '6.3.3a', what: 'a byte order mark before a message is valid UTF-8, but no message of ours', frames: (to) => [{ payload: Buffer.concat([hex('ef bb bf'), signal(to, '1')]) }], expect: { answers: ['bad-message'] } },
  { id: '6.3.4a', what: 'invalid text where no JSON could be', frames: () => [{ payload: hex('ff') }], expect: { close: 1007 } },
  { id: '6.3.5a', what: 'invalid text in an unknown member', frames: () => [{ payload: Buffer.concat([Buffer.from('{"type":"LeaveRoom","'), hex('c0 af'), Buffer.from('":1}')]) }], expect: { close: 1007 } },
  { id: '6.3.6a', what: 'a valid message, an invalid one, a valid one', frames: (to) => [{ payload: signal(to, '1') }, { payload: signal(to, string(brokenText)) }, { payload: signal(to, '2') }], expect: { echo: [Buffer.from('1')], close: [1007, 1006] } },
];
for (const [id, what, sequences] of LIST) {
  for (const [i, [valid, bytes]] of sequences.entries()) {
    const name = `${what}: ${bytes.length > 16 ? `${bytes.length} bytes` : bytes.toString('hex')}`;
    // JSON itself forbids a control character in a string: valid UTF-8, which is judged first, but no message.
    const control = bytes.some((byte) => byte < 0x20);
    /** @type {import('./harness.mjs').Expectation} */
    const expect = !valid ? { close: [1007, 1006] } : control ? { answers: ['bad-message'] } : { echo: [string(bytes)] };
    cases.push(
      { id: `${id}.${i + 1}`, what: name, frames: (to) => [{ payload: signal(to, string(bytes)) }], expect: valid ? expect : { close: 1007 } },
      { id: `${id}.${i + 1}a`, what: `${name}, a fragment for each octet`, frames: (to) => octetFragmentsOf(to, bytes), expect },
      { id: `${id}.${i + 1}b`, what: `${name}, in chops of 1`, chop: 'octets', frames: (to) => [{ payload: signal(to, string(bytes)) }], expect },
    );
  }
}

// 6.4: how soon. RFC 6455 section 8.1 wants the connection to fail, and not before what. Autobahn calls a server that waits
// for the end of the message not strict; so does the summary here. What no server may do is to deliver it, or go on.
/** @type {[string, string, Buffer, Buffer, Buffer][]} */
const FAIL_FAST = [
  ['6.4.1', 'the invalid character is in the second of three fragments', KOSME, hex('f4 90 80 80'), Buffer.from('edited')],
  ['6.4.2', 'the first octet that cannot be is the second fragment', Buffer.concat([KOSME, hex('f4')]), hex('90'), Buffer.concat([hex('80 80'), Buffer.from('edited')])],
  ['6.4.5a', 'the second fragment does not continue the character of the first', Buffer.concat([KOSME, hex('e2 82')]), Buffer.from('x'), Buffer.from('edited')],
];

section('6', 'UTF-8', cases, (server) => {
  for (const [id, what, first, second, third] of FAIL_FAST) {
    it(`${id} ${what}`, async (t) => {
      const raw = await RawWebSocket.open(server.current);
      const head = Buffer.from('{"type":"Signal","message":"');
      raw.frame({ payload: Buffer.concat([head, first]), fin: false });
      raw.frame({ opcode: PING, payload: 'one' });
      assert.equal((await raw.next())?.opcode, PONG, 'half a character is not wrong yet');
      raw.frame({ opcode: CONTINUATION, payload: second, fin: false });
      raw.frame({ opcode: PING, payload: 'two' });
      const frame = await raw.next();
      let code;
      if (frame?.opcode === PONG) {
        raw.frame({ opcode: CONTINUATION, payload: Buffer.concat([third, Buffer.from('"}')]) });
        code = await raw.closed();
      } else {
        code = frame?.opcode === CLOSE ? frame.payload.readUInt16BE(0) : 1006;
      }
      raw.destroy();
      t.diagnostic(`${id}: ${frame?.opcode === PONG ? 'fails with the end of the message' : 'fails at once'}`);
      assert.ok([1007, 1006].includes(code), `closed ${code}`);
    });
  }

  for (const [id, what, ...parts] of [['6.4.3', 'as 6.4.1, one frame in three chops', ...FAIL_FAST[0].slice(2)], ['6.4.4', 'as 6.4.2, one frame in three chops', ...FAIL_FAST[1].slice(2)]]) {
    it(`${id} ${what}`, async () => {
      const raw = await RawWebSocket.open(server.current);
      const contents = /** @type {Buffer[]} */ (parts);
      const bytes = frameBytes({ payload: Buffer.concat([Buffer.from('{"type":"Signal","message":"'), ...contents, Buffer.from('"}')]) });
      const cut = bytes.length - 2 - contents[2].length;
      for (const piece of [bytes.subarray(0, cut - contents[1].length), bytes.subarray(cut - contents[1].length, cut), bytes.subarray(cut)]) {
        await new Promise((resolve) => raw.connection.socket.write(piece, resolve));
      }
      const code = await raw.closed();
      raw.destroy();
      assert.ok([1007, 1006].includes(code), `closed ${code}`);
    });
  }
});
