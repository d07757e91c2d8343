// Autobahn's section 7: the closing handshake.
import { CLOSE, CONTINUATION, PING, closePayload } from '../lib/websocket.mjs';
import { fragments, signal, string, stringForSize } from './bytes.mjs';
import { PROTOCOL_ERROR, section } from './harness.mjs';

const hello = string('Hello, world!');
const goodbye = { opcode: CLOSE, payload: closePayload(1000) };
const close = (/** @type {number} */ code, reason = /** @type {string | Buffer} */ ('')) => [{ opcode: CLOSE, payload: closePayload(code, reason) }];

/** Codes that may be sent: RFC 6455 section 7.4.1, and those that were registered with IANA later. */
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const VALID_SINCE = [1012, 1013, 1014];
const INVALID = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
const INVALID_OURS = [1, 1015, 1017];

/** @type {import('./harness.mjs').Case[]} */
const cases = [
  { id: '7.1.1', what: 'a message, then a close', frames: (to) => [{ payload: signal(to, hello) }, goodbye], expect: { echo: [hello], close: 1000 } },
  { id: '7.1.2', what: 'two closes', frames: () => [goodbye, goodbye], expect: { close: 1000 } },
  { id: '7.1.3', what: 'a close, then a ping, which is not answered any more', frames: () => [goodbye, { opcode: PING }], expect: { close: 1000 } },
  { id: '7.1.3a', what: 'the same, a chop each', chop: 'frames', frames: () => [goodbye, { opcode: PING }], expect: { close: [1000, 1006] } },
  { id: '7.1.4', what: 'a close, then a message, which is not delivered any more', frames: (to) => [goodbye, { payload: signal(to, hello) }], expect: { close: 1000 } },
  { id: '7.1.4a', what: 'a close, then a message of bad UTF-8 and a binary one: the first word counts', frames: () => [goodbye, { payload: Buffer.from([0xff]) }, { opcode: 2, payload: 'x' }], expect: { close: 1000 } },
  { id: '7.1.5', what: 'a first fragment, a close, the last fragment', frames: (to) => {
    const [first, second] = fragments(signal(to, hello), [60]);
    return [first, goodbye, second];
  }, expect: { close: 1000 } },
  { id: '7.1.6', what: 'the longest message, a close, a ping', frames: (to) => [{ payload: signal(to, stringForSize(65_536)) }, goodbye, { opcode: PING }], expect: { echo: [stringForSize(65_536)], close: 1000 } },
  { id: '7.1.7a', what: 'a close in chops of 1', chop: 'octets', frames: () => close(1000, 'bye'), expect: { close: 1000 } },
  { id: '7.1.8a', what: 'a close behind a fragment of nothing is too late', frames: () => [{ opcode: CONTINUATION, payload: 'x' }, goodbye], expect: { close: PROTOCOL_ERROR } },
  { id: '7.3.1', what: 'a close without payload', frames: () => [{ opcode: CLOSE }], expect: { close: [1000, 1005] } },
  { id: '7.3.2', what: 'a close of one byte', frames: () => [{ opcode: CLOSE, payload: 'a' }], expect: { close: PROTOCOL_ERROR } },
  { id: '7.3.3', what: 'a close with a code', frames: () => close(1000), expect: { close: 1000 } },
  { id: '7.3.4', what: 'a close with a code and a reason', frames: () => close(1000, 'Hello World!'), expect: { close: 1000 } },
  { id: '7.3.5', what: 'a close with a reason of 123 bytes', frames: () => close(1000, '*'.repeat(123)), expect: { close: 1000 } },
  { id: '7.3.6', what: 'a close with a reason of 124 bytes', frames: () => close(1000, '*'.repeat(124)), expect: { close: PROTOCOL_ERROR } },
  { id: '7.5.1', what: 'a close whose reason is not UTF-8', frames: () => close(1000, Buffer.from('ceba e1bdb9 cf83 cebc ceb5 eda080 656469746564'.replaceAll(' ', ''), 'hex')), expect: { close: [1007, ...PROTOCOL_ERROR] } },
  { id: '7.5.2a', what: 'a close whose reason ends inside a character', frames: () => close(1000, Buffer.from([0xe2, 0x82])), expect: { close: [1007, ...PROTOCOL_ERROR] } },
  { id: '7.5.3a', what: 'a close whose reason has characters of every length', frames: () => close(1000, 'a\u00b5\u20ac\u{1f33a}'), expect: { close: 1000 } },
  { id: '7.13.1', what: 'a close with code 5000, of which RFC 6455 says nothing', frames: () => close(5000), expect: { close: [5000, 1000, ...PROTOCOL_ERROR] } },
  { id: '7.13.2', what: 'a close with code 65535', frames: () => close(65_535), expect: { close: [65_535, 1000, ...PROTOCOL_ERROR] } },
];
for (const [i, code] of VALID.entries()) cases.push({ id: `7.7.${i + 1}`, what: `a close with code ${code}, which may be sent`, frames: () => close(code), expect: { close: [code, 1000] } });
for (const [i, code] of VALID_SINCE.entries()) cases.push({ id: `7.7.${VALID.length + 1 + i}a`, what: `a close with code ${code}, which IANA has registered since`, frames: () => close(code), expect: { close: [code, 1000, ...PROTOCOL_ERROR] } });
for (const [i, code] of INVALID.entries()) cases.push({ id: `7.9.${i + 1}`, what: `a close with code ${code}, which must not be sent`, frames: () => close(code), expect: { close: PROTOCOL_ERROR } });
for (const [i, code] of INVALID_OURS.entries()) cases.push({ id: `7.9.${INVALID.length + 1 + i}a`, what: `a close with code ${code}, which must not be sent`, frames: () => close(code), expect: { close: PROTOCOL_ERROR } });

section('7', 'close handling', cases);
