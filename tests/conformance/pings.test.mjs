// Autobahn's section 2: pings and pongs.
import { PING, PONG } from '../lib/websocket.mjs';
import { fragments, signal, string } from './bytes.mjs';
import { PROTOCOL_ERROR, section } from './harness.mjs';

const BYTES = Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]);
const train = Array.from({ length: 10 }, (_, i) => Buffer.from(`payload-${i}`));

/** @param {Buffer[]} payloads */
const pings = (payloads) => payloads.map((payload) => ({ opcode: PING, payload }));

/** @type {import('./harness.mjs').Case[]} */
const cases = [
  { id: '2.1', what: 'a ping without payload', frames: () => pings([Buffer.alloc(0)]), expect: { pongs: [Buffer.alloc(0)] } },
  { id: '2.2', what: 'a ping with a small payload', frames: () => pings([Buffer.from('Hello, world!')]), expect: { pongs: [Buffer.from('Hello, world!')] } },
  { id: '2.3', what: 'a ping with a payload that is no UTF-8', frames: () => pings([BYTES]), expect: { pongs: [BYTES] } },
  { id: '2.4', what: 'a ping of 125 bytes', frames: () => pings([Buffer.alloc(125, 0xfe)]), expect: { pongs: [Buffer.alloc(125, 0xfe)] } },
  { id: '2.5', what: 'a ping of 126 bytes', frames: () => pings([Buffer.alloc(126, 0xfe)]), expect: { close: PROTOCOL_ERROR } },
  { id: '2.5a', what: 'a ping whose length is spelled in 64 bits', frames: () => [{ opcode: PING, payload: 'x', wide: true }], expect: { close: PROTOCOL_ERROR } },
  { id: '2.5b', what: 'a pong of 126 bytes', frames: () => [{ opcode: PONG, payload: Buffer.alloc(126, 0xfe) }], expect: { close: PROTOCOL_ERROR } },
  { id: '2.6', what: 'a ping of 125 bytes in chops of 1', chop: 'octets', frames: () => pings([Buffer.alloc(125, 0xfe)]), expect: { pongs: [Buffer.alloc(125, 0xfe)] } },
  { id: '2.7', what: 'an unasked pong without payload is nothing', frames: () => [{ opcode: PONG }], expect: {} },
  { id: '2.8', what: 'an unasked pong with a payload is nothing', frames: () => [{ opcode: PONG, payload: 'unsolicited pong payload' }], expect: {} },
  { id: '2.9', what: 'an unasked pong, then a ping', frames: () => [{ opcode: PONG, payload: 'unsolicited pong payload' }, { opcode: PING, payload: 'ping payload' }], expect: { pongs: [Buffer.from('ping payload')] } },
  { id: '2.10', what: 'ten pings, each when the one before was answered, in their order', frames: () => pings(train).map((ping) => [ping]), expect: { pongs: train } },
  { id: '2.10a', what: 'ten pings in one chop (section 5.5.3: only the latest need be answered)', frames: () => pings(train), expect: { pongs: train } },
  { id: '2.11', what: 'ten pings in chops of 1, each when the one before was answered', chop: 'octets', frames: () => pings(train).map((ping) => [ping]), expect: { pongs: train } },
  {
    id: '2.12a',
    what: 'a ping between any two fragments is answered before the message is whole',
    frames: (to) => {
      const parts = fragments(signal(to, string('in five pieces')), [10, 20, 30, 40]);
      return parts.flatMap((part, i) => (i < 4 ? [[part, { opcode: PING, payload: `between ${i}` }]] : [[part]]));
    },
    expect: { pongs: [0, 1, 2, 3].map((i) => Buffer.from(`between ${i}`)), echo: [string('in five pieces')] },
  },
  {
    id: '2.12b',
    what: 'a pong between two fragments is nothing',
    frames: (to) => {
      const [first, second] = fragments(signal(to, string('in two pieces')), [50]);
      return [first, { opcode: PONG, payload: 'x' }, second];
    },
    expect: { echo: [string('in two pieces')] },
  },
];
for (const size of [1, 2, 7, 64, 123, 124]) {
  const payload = Buffer.from(Array.from({ length: size }, (_, i) => i));
  cases.push({ id: `2.13.${size}`, what: `a ping of ${size} bytes`, frames: () => pings([payload]), expect: { pongs: [payload] } });
}

section('2', 'pings and pongs', cases);
