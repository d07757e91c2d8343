/** The description of the operator's plane. What a server says is held to it by tests/edge; the paths, by tests/unit/test_operator.c. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import SwaggerParser from '@apidevtools/swagger-parser';
import yaml from 'js-yaml';
import { assertDescribed, openapi, openapiFile } from '../lib/openapi.mjs';

const text = readFileSync(openapiFile, 'utf8');
const answer = (status, body, headers = { 'content-type': 'application/json' }) =>
  ({ status, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), header: (name) => headers[name] });

test('the OpenAPI description is valid', () => {
  assert.equal(openapi.openapi, '3.1.0');
  const ids = Object.values(openapi.paths).flatMap((path) => Object.values(path)).map((operation) => operation.operationId).filter(Boolean);
  assert.equal(new Set(ids).size, ids.length);
});

test('the validator of OpenAPI would see a fault', async () => {
  for (const [right, wrong] of [['operationId: getHealth', 'operationID: getHealth'], ['schemas/Rooms', 'schemas/Rums'], ['in: query', 'in: nowhere'], ['required: true\n        description', 'required: false\n        description'], ['scheme: bearer', 'skeme: bearer']]) {
    assert.ok(text.includes(right), right);
    await assert.rejects(SwaggerParser.validate(/** @type {any} */ (yaml.load(text.replace(right, wrong)))), wrong);
  }
});

test('an answer that is not described would be seen', () => {
  const room = { number: 1, peers: 1, away: 0, knocking: 0, locked: false, ageSeconds: 0 };
  assertDescribed('GET', '/api/v1/rooms?ids=no', answer(200, { total: 1, rooms: [room] }));
  assertDescribed('GET', '/nowhere', answer(404, { code: 'not-found', message: 'x' }));
  for (const [method, target, bad] of /** @type {[string, string, any][]} */ ([
    ['GET', '/api/v1/rooms', answer(200, { total: 1, rooms: [{ ...room, more: 1 }] })],
    ['GET', '/api/v1/rooms', answer(200, { total: -1, rooms: [] })],
    ['GET', '/api/v1/rooms', answer(200, { rooms: [] })],
    ['GET', '/nowhere', answer(200, {})],
    ['GET', '/nowhere', answer(404, { code: 'no-such-code', message: 'x' })],
    ['GET', '/api/v1/status', answer(401, { code: 'unauthorized', message: 'x' })],
    ['GET', '/healthz', answer(200, 'fine\n', { 'content-type': 'text/plain' })],
  ])) assert.throws(() => assertDescribed(method, target, bad), `${method} ${target} ${bad.body}`);
});
