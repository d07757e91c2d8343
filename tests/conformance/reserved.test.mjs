// Autobahn's sections 3 and 4: reserved bits and reserved opcodes.
import { BINARY, CLOSE, CONTINUATION, PING, PONG, closePayload } from '../lib/websocket.mjs';
import { signal, string } from './bytes.mjs';
import { PROTOCOL_ERROR, section } from './harness.mjs';

const hello = string('Hello, world!');
const ping = { opcode: PING, payload: 'too late' };

/** @type {import('./harness.mjs').Case[]} */
const cases = [
  { id: '3.1', what: 'a text message with reserved bits 1', frames: (to) => [{ payload: signal(to, hello), rsv: 1 }], expect: { close: PROTOCOL_ERROR } },
  { id: '3.2', what: 'a message, one with reserved bits 2, a ping', frames: (to) => [{ payload: signal(to, hello) }, { payload: signal(to, hello), rsv: 2 }, ping], expect: { echo: [hello], close: PROTOCOL_ERROR } },
  { id: '3.3', what: 'a message, one with reserved bits 3, a ping, a chop each', chop: 'frames', frames: (to) => [{ payload: signal(to, hello) }, { payload: signal(to, hello), rsv: 3 }, ping], expect: { echo: [hello], close: PROTOCOL_ERROR } },
  { id: '3.4', what: 'a message, one with reserved bits 4, a ping, in chops of 1', chop: 'octets', frames: (to) => [{ payload: signal(to, hello) }, { payload: signal(to, hello), rsv: 4 }, ping], expect: { echo: [hello], close: PROTOCOL_ERROR } },
  { id: '3.5', what: 'a binary message with reserved bits 5', frames: () => [{ opcode: BINARY, payload: Buffer.from([0, 255, 254, 253]), rsv: 5 }], expect: { close: PROTOCOL_ERROR } },
  { id: '3.6', what: 'a ping with reserved bits 6', frames: () => [{ opcode: PING, payload: 'Hello, world!', rsv: 6 }], expect: { close: PROTOCOL_ERROR } },
  { id: '3.7', what: 'a close with reserved bits 7', frames: () => [{ opcode: CLOSE, payload: closePayload(1000), rsv: 7 }], expect: { close: PROTOCOL_ERROR } },
  { id: '3.8a', what: 'a pong with reserved bits 1', frames: () => [{ opcode: PONG, payload: 'x', rsv: 1 }], expect: { close: PROTOCOL_ERROR } },
  { id: '3.8b', what: 'a continuation with reserved bits 4 (what compression would set)', frames: (to) => [{ payload: signal(to, hello).subarray(0, 9), fin: false }, { opcode: CONTINUATION, payload: signal(to, hello).subarray(9), rsv: 4 }], expect: { close: PROTOCOL_ERROR } },
];

for (const [group, first] of /** @type {[string, number][]} */ ([['4.1', 3], ['4.2', 11]])) {
  const kind = first < 8 ? 'data' : 'control';
  cases.push(
    { id: `${group}.1`, what: `reserved ${kind} opcode ${first}`, frames: () => [{ opcode: first }], expect: { close: PROTOCOL_ERROR } },
    { id: `${group}.2`, what: `reserved ${kind} opcode ${first + 1} with a payload`, frames: () => [{ opcode: first + 1, payload: 'reserved opcode payload' }], expect: { close: PROTOCOL_ERROR } },
    { id: `${group}.3`, what: `a message, reserved ${kind} opcode ${first + 2}, a ping`, frames: (to) => [{ payload: signal(to, hello) }, { opcode: first + 2 }, ping], expect: { echo: [hello], close: PROTOCOL_ERROR } },
    { id: `${group}.4`, what: `a message, reserved ${kind} opcode ${first + 3} with a payload, a ping, a chop each`, chop: 'frames', frames: (to) => [{ payload: signal(to, hello) }, { opcode: first + 3, payload: 'reserved opcode payload' }, ping], expect: { echo: [hello], close: PROTOCOL_ERROR } },
    { id: `${group}.5`, what: `a message, reserved ${kind} opcode ${first + 4} with a payload, a ping, in chops of 1`, chop: 'octets', frames: (to) => [{ payload: signal(to, hello) }, { opcode: first + 4, payload: 'reserved opcode payload' }, ping], expect: { echo: [hello], close: PROTOCOL_ERROR } },
  );
}
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  const bytes = (/** @type {string} */ to) => signal(to, hello);
  cases.push(
    { id: `4.3.${opcode}`, what: `opcode ${opcode}, then a message, which is not heard any more`, frames: (to) => [{ opcode, payload: 'x' }, { payload: bytes(to) }], expect: { close: PROTOCOL_ERROR } },
    { id: `4.4.${opcode}`, what: `opcode ${opcode} inside a fragmented message`, frames: (to) => [{ payload: bytes(to).subarray(0, 20), fin: false }, { opcode, payload: 'x' }, { opcode: CONTINUATION, payload: bytes(to).subarray(20) }], expect: { close: PROTOCOL_ERROR } },
  );
}

section('3, 4', 'reserved bits and opcodes', cases);
