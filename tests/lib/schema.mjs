// docs/protocol.schema.json as functions: what a message of the protocol looks like.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

/** @typedef {'ClientMessage' | 'HubMessage'} Side */

export const schema = JSON.parse(readFileSync(new URL('../../docs/protocol.schema.json', import.meta.url), 'utf8'));

const ajv = new Ajv2020({ strict: true });
ajv.addSchema(schema, 'open');
ajv.addSchema(closed(schema), 'closed');

/** The same, and no object has a member without a definition. @param {any} node @returns {any} */
function closed(node) {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(closed);
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value)]));
  return copy.type === 'object' && copy.properties ? { ...copy, additionalProperties: false } : copy;
}

/** The types that a side says, in the order of the schema. @param {Side} side @returns {string[]} */
export const typesOf = (side) => schema.$defs[side].oneOf.map((/** @type {{ $ref: string }} */ { $ref }) => $ref.slice('#/$defs/'.length));

/** A definition as a function that tells whether a value keeps to it. @param {string} name @param {'open' | 'closed'} [how] */
export const definition = (name, how = 'open') => /** @type {import('ajv').ValidateFunction} */ (ajv.getSchema(`${how}#/$defs/${name}`));

const hubTypes = new Set(typesOf('HubMessage'));

/**
 * What is wrong with a message that this hub sent, in words; undefined for nothing. Stricter than the schema, which
 * leaves room for newer hubs: what this one says stands there, to the last member.
 * @param {any} message
 */
export function faultOfHub(message) {
  if (!hubTypes.has(message?.type)) return `the hub says no ${JSON.stringify(message?.type)}`;
  const validate = definition(message.type, 'closed');
  return validate(message) ? undefined : ajv.errorsText(validate.errors, { dataVar: message.type });
}
