// Autobahn's section 5: fragmentation.
import { CLOSE, CONTINUATION, PING, PONG, TEXT, closePayload } from '../lib/websocket.mjs';
import { fragments, octetFragments, signal, string } from './bytes.mjs';
import { PROTOCOL_ERROR, section } from './harness.mjs';

const hello = string('Hello, fragmented world!');
const whole = (/** @type {string} */ to) => ({ payload: signal(to, hello) });
const two = (/** @type {string} */ to) => fragments(signal(to, hello), [60]);
const CHOPS = /** @type {const} */ (['whole', 'frames', 'octets']);

/** @type {import('./harness.mjs').Case[]} */
const cases = [
  { id: '5.1', what: 'a ping in two fragments', frames: () => [{ opcode: PING, payload: 'frag', fin: false }, { opcode: CONTINUATION, payload: 'ment' }], expect: { close: PROTOCOL_ERROR } },
  { id: '5.2', what: 'a pong in two fragments', frames: () => [{ opcode: PONG, payload: 'frag', fin: false }, { opcode: CONTINUATION, payload: 'ment' }], expect: { close: PROTOCOL_ERROR } },
  { id: '5.2a', what: 'a close in two fragments', frames: () => [{ opcode: CLOSE, payload: closePayload(1000), fin: false }, { opcode: CONTINUATION, payload: 'bye' }], expect: { close: PROTOCOL_ERROR } },
];
for (const [i, chop] of CHOPS.entries()) {
  const how = ['in one chop', 'a chop each', 'in chops of 1'][i];
  cases.push(
    { id: `5.${[4, 3, 5][i]}`, what: `a text message in two fragments, ${how}`, chop, frames: two, expect: { echo: [hello] } },
    { id: `5.${6 + i}`, what: `a text message in two fragments, a ping between them, ${how}`, chop, frames: (to) => [two(to)[0], { opcode: PING, payload: 'ping payload' }, two(to)[1]], expect: { echo: [hello], pongs: [Buffer.from('ping payload')] } },
    { id: `5.${9 + i}`, what: `a last fragment of nothing, then a whole message, ${how}`, chop, frames: (to) => [{ opcode: CONTINUATION, payload: 'non-continuation payload' }, whole(to)], expect: { close: PROTOCOL_ERROR } },
    { id: `5.${12 + i}`, what: `a fragment of nothing that is not the last, then a whole message, ${how}`, chop, frames: (to) => [{ opcode: CONTINUATION, payload: 'non-continuation payload', fin: false }, whole(to)], expect: { close: PROTOCOL_ERROR } },
  );
}
cases.push(
  { id: '5.15', what: 'a message in two fragments, a fragment of nothing, a whole message', frames: (to) => [...two(to), { opcode: CONTINUATION, payload: 'fragment', fin: false }, whole(to)], expect: { echo: [hello], close: PROTOCOL_ERROR } },
  { id: '5.15a', what: 'a message in two fragments, a last fragment of nothing, a whole message', frames: (to) => [...two(to), { opcode: CONTINUATION, payload: 'fragment' }, whole(to)], expect: { echo: [hello], close: PROTOCOL_ERROR } },
  { id: '5.16', what: 'twice: a fragment of nothing that is not the last, then a message in two fragments', frames: (to) => [0, 1].flatMap(() => [{ opcode: CONTINUATION, payload: 'fragment1', fin: false }, ...two(to)]), expect: { close: PROTOCOL_ERROR } },
  { id: '5.17', what: 'twice: a last fragment of nothing, then a message in two fragments', frames: (to) => [0, 1].flatMap(() => [{ opcode: CONTINUATION, payload: 'fragment1' }, ...two(to)]), expect: { close: PROTOCOL_ERROR } },
  { id: '5.18', what: 'two fragments that both say text', frames: (to) => two(to).map((part) => ({ ...part, opcode: TEXT })), expect: { close: PROTOCOL_ERROR } },
  { id: '5.18a', what: 'a whole message inside a fragmented one', frames: (to) => [two(to)[0], whole(to), two(to)[1]], expect: { close: PROTOCOL_ERROR } },
  { id: '5.18b', what: 'a binary frame inside a fragmented text', frames: (to) => [two(to)[0], { opcode: 2, payload: 'x' }, two(to)[1]], expect: { close: [...PROTOCOL_ERROR, 1003] } },
  { id: '5.19', what: 'five fragments; the ping behind the second is answered before the third is sent', ...withPings() },
  { id: '5.20', what: 'the same, a chop each', chop: 'frames', ...withPings() },
  { id: '5.20a', what: 'the same, in chops of 1', chop: 'octets', ...withPings() },
  { id: '5.21a', what: 'a fragment for each octet', frames: (to) => octetFragments(signal(to, hello)), expect: { echo: [hello] } },
  { id: '5.21b', what: 'a fragment for each octet, in chops of 1', chop: 'octets', frames: (to) => octetFragments(signal(to, hello)), expect: { echo: [hello] } },
  { id: '5.21c', what: 'a fragment for each octet, in chops of 3', chop: 3, frames: (to) => octetFragments(signal(to, hello)), expect: { echo: [hello] } },
  { id: '5.22a', what: 'empty fragments before, within and behind', frames: (to) => {
    const [first, second] = two(to);
    const nothing = { opcode: CONTINUATION, payload: '', fin: false };
    return [{ payload: '', fin: false }, nothing, { ...first, opcode: CONTINUATION }, nothing, nothing, { ...second, fin: false }, { opcode: CONTINUATION, payload: '' }];
  }, expect: { echo: [hello] } },
  { id: '5.23a', what: 'a close inside a fragmented message ends it', frames: (to) => [two(to)[0], { opcode: CLOSE, payload: closePayload(1000) }], expect: { close: 1000 } },
  { id: '5.24a', what: 'fragmented and whole messages by turns', frames: (to) => [0, 1, 2].flatMap(() => [...two(to), whole(to)]), expect: { echo: Array(6).fill(hello) } },
);

/** @returns {Pick<import('./harness.mjs').Case, 'frames' | 'expect'>} */
function withPings() {
  return {
    frames: (to) => {
      const [one, second, third, fourth, fifth] = fragments(signal(to, hello), [20, 40, 60, 80]);
      return [[one, second, { opcode: PING, payload: 'pongme 1!' }], [third, fourth, { opcode: PING, payload: 'pongme 2!' }, fifth]];
    },
    expect: { echo: [hello], pongs: [Buffer.from('pongme 1!'), Buffer.from('pongme 2!')] },
  };
}

section('5', 'fragmentation', cases);
