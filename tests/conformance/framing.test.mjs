// Autobahn's section 1, the sizes of messages, and its section 10, the library's own way to cut them.
import { BINARY, TEXT } from '../lib/websocket.mjs';
import { fragments, signal, string, stringForSize } from './bytes.mjs';
import { section } from './harness.mjs';

const MESSAGE_MAX = 65_536;

/** @type {import('./harness.mjs').Case[]} */
const cases = [];

// Text. A Signal has some 80 bytes at least, so where Autobahn sends less we send what is no message, and it is answered.
for (const [id, size] of /** @type {[string, number][]} */ ([['1.1.2', 125], ['1.1.3', 126], ['1.1.4', 127], ['1.1.5', 128], ['1.1.6', 65_535], ['1.1.7', MESSAGE_MAX], ['1.1.7a', 200], ['1.1.7b', 4096], ['1.1.7c', 16_383], ['1.1.7d', 16_384], ['1.1.7e', 32_768]])) {
  const value = stringForSize(size);
  cases.push({ id, what: `a text message of ${size} bytes`, frames: (to) => [{ payload: signal(to, value) }], expect: { echo: [value] } });
}
cases.push(
  { id: '1.1.1', what: 'a text message of 0 bytes is no message of ours', frames: () => [{ payload: '' }], expect: { answers: ['bad-message'] } },
  { id: '1.1.1a', what: 'text messages of 1, 2 and 3 bytes', frames: () => ['x', '{}', '{ }'].map((payload) => ({ payload })), expect: { answers: ['bad-message', 'bad-message', 'bad-message'] } },
  { id: '1.1.8', what: 'a text message of 65,536 bytes in chops of 997', chop: 997, frames: (to) => [{ payload: signal(to, stringForSize(MESSAGE_MAX)) }], expect: { echo: [stringForSize(MESSAGE_MAX)] } },
  { id: '1.1.8a', what: 'a text message of 65,535 bytes in chops of 1', chop: 'octets', frames: (to) => [{ payload: signal(to, stringForSize(65_535)) }], expect: { echo: [stringForSize(65_535)] } },
  { id: '1.1.8b', what: 'a text message of 128 bytes in chops of 1', chop: 'octets', frames: (to) => [{ payload: signal(to, stringForSize(128)) }], expect: { echo: [stringForSize(128)] } },
  { id: '1.1.9a', what: 'a text message of one byte more than maxMessageBytes', frames: (to) => [{ payload: signal(to, stringForSize(MESSAGE_MAX + 1)) }], expect: { close: [1009, 1006] } },
  { id: '1.1.9b', what: 'a length that only 64 bits can say', frames: () => [{ payload: 'x', declared: 2n ** 40n }], expect: { close: [1009] } },
  { id: '1.1.9c', what: 'a length with its highest bit set, which section 5.2 forbids', frames: () => [{ payload: 'x', declared: 2n ** 63n }], expect: { close: [1002, 1009, 1006] } },
  { id: '1.1.10a', what: 'a hundred messages in one chop', frames: (to) => Array.from({ length: 100 }, (_, i) => ({ payload: signal(to, String(i)) })), expect: { echo: Array.from({ length: 100 }, (_, i) => Buffer.from(String(i))) } },
  { id: '1.1.10b', what: 'twenty messages in chops of 7', chop: 7, frames: (to) => Array.from({ length: 20 }, (_, i) => ({ payload: signal(to, String(i)) })), expect: { echo: Array.from({ length: 20 }, (_, i) => Buffer.from(String(i))) } },
  { id: '1.1.10c', what: 'three messages of 60,000 bytes: after a long one the next begins at nothing', frames: (to) => [1, 2, 3].map(() => ({ payload: signal(to, stringForSize(60_000)) })), expect: { echo: Array(3).fill(stringForSize(60_000)) } },
  { id: '1.1.11a', what: 'a length of 16 bits where 7 would do (section 5.2: the minimal number MUST be used)', frames: (to) => [{ payload: signal(to, '1'), wide: true }], expect: { close: [1002, 1006] } },
  { id: '1.1.12a', what: 'a frame that is not masked (section 5.1: MUST close)', frames: (to) => [{ payload: signal(to, '"plain"'), masked: false }], expect: { close: [1002, 1006] } },
);

// Binary is nothing that this server understands, of whatever length.
for (const [id, size] of /** @type {[string, number][]} */ ([['1.2.1', 0], ['1.2.2', 125], ['1.2.3', 126], ['1.2.4', 127], ['1.2.5', 128], ['1.2.6', 65_535], ['1.2.7', MESSAGE_MAX]])) {
  cases.push({ id, what: `a binary message of ${size} bytes`, frames: () => [{ opcode: BINARY, payload: Buffer.alloc(size, 0xfe) }], expect: { close: [1003] } });
}
cases.push(
  { id: '1.2.8', what: 'a binary message of 65,536 bytes in chops of 997', chop: 997, frames: () => [{ opcode: BINARY, payload: Buffer.alloc(MESSAGE_MAX, 0xfe) }], expect: { close: [1003, 1006] } },
  { id: '1.2.9a', what: 'a binary message whose bytes are a Signal', frames: (to) => [{ opcode: BINARY, payload: signal(to, '1') }], expect: { close: [1003] } },
  { id: '1.2.9b', what: 'the first fragment of a binary message', frames: (to) => [{ opcode: BINARY, payload: signal(to, '1'), fin: false }], expect: { close: [1003] } },
);

for (const [id, size] of /** @type {[string, number][]} */ ([['10.1.1', 1300], ['10.1.1a', 1], ['10.1.1b', 125], ['10.1.1c', 126], ['10.1.1d', 8192], ['10.1.1e', 65_535]])) {
  const total = size === 1 ? 500 : MESSAGE_MAX;
  const value = stringForSize(total);
  cases.push({
    id,
    what: `a text message of ${total} bytes in fragments of ${size}`,
    frames: (to) => fragments(signal(to, value), Array.from({ length: Math.ceil(total / size) - 1 }, (_, i) => (i + 1) * size)),
    expect: { echo: [value] },
  });
}
cases.push({
  id: '10.1.2a',
  what: 'a message of 65,536 bytes in fragments of 1,300, in chops of 1,000, with a short message behind it',
  chop: 1000,
  frames: (to) => [...fragments(signal(to, stringForSize(MESSAGE_MAX)), Array.from({ length: 50 }, (_, i) => (i + 1) * 1300)), { opcode: TEXT, payload: signal(to, string('after')) }],
  expect: { echo: [stringForSize(MESSAGE_MAX), string('after')] },
});

section('1, 10', 'framing', cases);
