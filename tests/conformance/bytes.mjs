// What the cases are made of: Signals as bytes, and the fragments that they are cut into.
import assert from 'node:assert/strict';
import { TEXT } from '../lib/websocket.mjs';

/** @typedef {Parameters<typeof import('../lib/websocket.mjs').frameBytes>[0]} FrameOf */

/** A Signal as its bytes. @param {string} to @param {string | Buffer} value  any JSON value, or what is to be taken for one */
export const signal = (to, value) => Buffer.concat([Buffer.from(`{"type":"Signal","peerId":"${to}","message":`), Buffer.from(value), Buffer.from('}')]);

/** A JSON string of these characters, as bytes: nothing is escaped. @param {string | Buffer} characters */
export const string = (characters) => Buffer.concat([Buffer.from('"'), Buffer.from(characters), Buffer.from('"')]);

/** The string that makes a Signal of exactly this many bytes. @param {number} size */
export function stringForSize(size) {
  const envelope = signal('x'.repeat(36), '""').length;
  assert.ok(size >= envelope, `no Signal is as short as ${size} bytes`);
  return string('*'.repeat(size - envelope));
}

/** One text message cut into fragments behind these offsets. @param {Buffer} bytes @param {number[]} at @returns {FrameOf[]} */
export function fragments(bytes, at) {
  const ends = [...at, bytes.length];
  return ends.map((end, i) => ({ opcode: i === 0 ? TEXT : 0, payload: bytes.subarray(i === 0 ? 0 : ends[i - 1], end), fin: i === ends.length - 1 }));
}

/** One text message in a fragment for each octet. @param {Buffer} bytes */
export const octetFragments = (bytes) => fragments(bytes, Array.from({ length: bytes.length - 1 }, (_, i) => i + 1));
