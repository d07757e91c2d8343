// docs/openapi.yaml as functions: whether an answer of the operator's plane is one that stands there.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import SwaggerParser from '@apidevtools/swagger-parser';
import { Ajv2020 } from 'ajv/dist/2020.js';

export const openapiFile = fileURLToPath(new URL('../../docs/openapi.yaml', import.meta.url));

/** @type {any} the description, with every reference resolved; that it is valid has been checked on the way */
export const openapi = await SwaggerParser.validate(openapiFile);

const ajv = new Ajv2020({ strict: true, strictTypes: false, formats: { uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ } });

/** The same schema, and no object has a member without a definition: stricter than for clients, who pass over what is new. @param {any} node @returns {any} */
function closed(node) {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(closed);
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value)]));
  return copy.type === 'object' ? { ...copy, additionalProperties: false } : copy;
}

/** @type {WeakMap<object, import('ajv').ValidateFunction>} */
const compiled = new WeakMap();

/** @param {object} schema */
function validatorOf(schema) {
  const validate = compiled.get(schema) ?? ajv.compile(closed(schema));
  compiled.set(schema, validate);
  return validate;
}

/** The path of the description that a target is one of, and undefined for none. @param {string} target */
function templateOf(target) {
  const path = target.split('?')[0];
  return Object.keys(openapi.paths).find((template) => new RegExp(`^${template.replaceAll('.', '\\.').replace('{id}', '[^/]+')}$`).test(path));
}

/**
 * Fails the test when an answer is not what the description says of it. What is not described, a path or a method that is
 * not there, is answered as every refusal is.
 * @param {string} method
 * @param {string} target
 * @param {{ status: number, header: (name: string) => string | undefined, body: Buffer }} answer
 */
export function assertDescribed(method, target, answer) {
  const where = `${method} ${target}: ${answer.status} ${answer.body.toString().slice(0, 300)}`;
  const template = templateOf(target);
  const operation = template && openapi.paths[template][method === 'HEAD' ? 'get' : method.toLowerCase()];
  const refused = openapi.components.responses.Refused;
  const described = operation ? operation.responses[answer.status] ?? operation.responses.default : refused;
  assert.ok(described !== refused || answer.status >= 400, where);
  for (const [name, statusOf] of Object.entries({ 'www-authenticate': 401, 'retry-after': 429, allow: 405 })) {
    assert.equal(answer.header(name) !== undefined, answer.status === statusOf, `${name} of ${where}`);
  }
  const type = (answer.header('content-type') ?? '').split(';')[0];
  assert.ok(described.content[type], `${type} of ${where}`);
  if (method === 'HEAD') return;
  const validate = validatorOf(described.content[type].schema);
  const text = answer.body.toString();
  assert.ok(validate(type === 'application/json' ? JSON.parse(text) : text), `${ajv.errorsText(validate.errors)} in ${where}`);
}
