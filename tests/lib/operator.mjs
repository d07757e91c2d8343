// Someone who asks the operator's plane, byte by byte. Every answer is held to docs/openapi.yaml.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exchangeToEnd } from './http.mjs';
import { assertDescribed } from './openapi.mjs';
import { giveToServer } from './user.mjs';

/** A token as an operator would make one, in a file that only its owner can read. */
export function makeToken() {
  const directory = mkdtempSync(path.join(tmpdir(), 'aloha-token-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'ops-token');
  const token = randomBytes(32).toString('hex');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  giveToServer(directory, file);
  return { token, file, directory };
}

/**
 * The bytes of a request.
 * @param {string} method
 * @param {string} target
 * @param {{ token?: string, host?: string, body?: unknown, headers?: Record<string, string> }} [how]
 *   body: a string is sent as it is, anything else as JSON
 */
export function operatorRequest(method, target, { token, host = 'localhost', body, headers = {} } = {}) {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`];
  if (token !== undefined) lines.push(`Authorization: Bearer ${token}`);
  // One character, one byte, as it will be sent.
  const text = body === undefined ? '' : typeof body === 'string' ? body : Buffer.from(JSON.stringify(body)).toString('latin1');
  const has = (/** @type {string} */ name) => Object.keys(headers).some((given) => given.toLowerCase() === name);
  if (!['GET', 'HEAD'].includes(method) && !has('content-type')) lines.push('Content-Type: application/json');
  if (text && !has('content-length')) lines.push(`Content-Length: ${text.length}`);
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return `${lines.join('\r\n')}\r\n\r\n${text}`;
}

/**
 * One request and its only answer.
 * @param {{ opsPort?: number }} server
 * @param {string} method
 * @param {string} target
 * @param {Parameters<typeof operatorRequest>[2]} [how]
 */
export async function askOperator(server, method, target, how = {}) {
  const all = await exchangeToEnd(/** @type {number} */ (server.opsPort), operatorRequest(method, target, how), { check: false, method });
  assert.equal(all.length, 1, `one answer to ${method} ${target}`);
  const [answer] = all;
  assertDescribed(method, target, answer);
  assert.match(answer.header('connection') ?? '', /close/i);
  assert.match(answer.header('cache-control') ?? '', /no-store/);
  assert.equal(answer.header('access-control-allow-origin'), undefined);
  const isJson = answer.header('content-type') === 'application/json' && answer.body.length > 0;
  return { ...answer, json: isJson ? JSON.parse(answer.body.toString()) : undefined, text: answer.body.toString() };
}
