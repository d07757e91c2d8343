/** The protocol is written down six times: for people, as JSON Schema, as AsyncAPI, as vectors, in the hub and in the page. One and the same? */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Parser } from '@asyncapi/parser';
import { definition, schema, typesOf } from '../lib/schema.mjs';
import { vectors } from '../lib/vectors.mjs';
import { load } from './client.js';

const SIDES = /** @type {const} */ ([['ClientMessage', 'client'], ['HubMessage', 'hub']]);
const VECTORS_MIN = 3;

const fileOf = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path) => readFileSync(fileOf(path), 'utf8');

/** The definition that a schema is, or refers to. */
function resolve(node) {
  if (node.$ref) return resolve(schema.$defs[node.$ref.slice('#/$defs/'.length)]);
  return node.allOf ? { ...node, ...resolve(node.allOf[0]) } : node;
}

/** The members of a message beside its type. */
const membersOf = (type) => Object.keys(schema.$defs[type].properties).filter((member) => member !== 'type');
const neededBy = (type) => schema.$defs[type].required.filter((member) => member !== 'type');

// ---- JSON Schema and AsyncAPI ----

test('the schema is JSON Schema 2020-12, and compiles in strict mode', () => {
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  for (const name of Object.keys(schema.$defs)) assert.equal(typeof definition(name), 'function', name);
});

test('each message is told by its type alone, and is open for members to come', () => {
  for (const [side] of SIDES) {
    for (const type of typesOf(side)) {
      assert.equal(schema.$defs[type].properties.type.const, type);
      assert.ok(schema.$defs[type].required.includes('type'), type);
    }
    assert.equal(new Set(typesOf(side)).size, typesOf(side).length);
  }
  assert.doesNotMatch(JSON.stringify(schema), /additionalProperties|unevaluatedProperties/);
});

const asyncapi = read('docs/asyncapi.yaml');
const parse = (text) => new Parser().parse(text, { source: fileOf('docs/asyncapi.yaml') });
const SEVERITY_WARNING = 1; // 0 is an error; 2 and 3 are advice, as that there is a newer AsyncAPI

test('the AsyncAPI description is valid', async () => {
  const { document, diagnostics } = await parse(asyncapi);
  assert.deepEqual(diagnostics.filter(({ severity }) => severity <= SEVERITY_WARNING), []);
  assert.equal(document?.version(), '3.0.0');

  const channels = document.channels().all();
  assert.deepEqual(channels.map((channel) => channel.address()), ['/ws']);
  assert.equal(channels[0].bindings().get('ws')?.value().method, 'GET');

  for (const [action, side] of [['receive', 'ClientMessage'], ['send', 'HubMessage']]) {
    const said = document.operations().all().filter((each) => each.action() === action).flatMap((each) => each.messages().all());
    assert.deepEqual(said.map((message) => message.name()), typesOf(side), action);
    for (const message of said) {
      const { properties, required } = message.payload().json();
      assert.deepEqual(Object.keys(properties), ['type', ...membersOf(message.name())], 'the payload is the definition of the schema');
      assert.deepEqual(required, ['type', ...neededBy(message.name())]);
    }
  }
});

test('the validator of AsyncAPI would see a fault', async () => {
  for (const [right, wrong] of [['address: /ws', 'address: 7'], ['/$defs/JoinRoom', '/$defs/JoinRum'], ['messages/Waiting', 'messages/Weighting']]) {
    const { document } = await parse(asyncapi.replace(right, wrong));
    assert.equal(document, undefined, wrong);
  }
});

// ---- vectors ----

/** Whether the schema takes a vector for a message of its side. */
function passes({ from, text }) {
  try {
    return definition(from === 'client' ? 'ClientMessage' : 'HubMessage')(JSON.parse(text));
  } catch {
    return false; // not JSON
  }
}

test('the schema takes every valid vector, but what a newer hub says', () => {
  for (const vector of vectors('valid')) {
    assert.ok([undefined, 'refuses'].includes(vector.schema), vector.file);
    assert.equal(passes(vector), vector.schema !== 'refuses', vector.file);
  }
});

test('the schema refuses every invalid vector, but those whose fault no schema can see', () => {
  for (const vector of vectors('invalid')) {
    assert.ok([undefined, 'passes'].includes(vector.schema), vector.file);
    assert.equal(passes(vector), vector.schema === 'passes', vector.file);
  }
});

test('where the schema lets a fault pass, it is a repeated member, a size, a token that nobody made, or the marks of a composed letter', () => {
  for (const { file, schema: mark } of vectors('invalid')) {
    if (mark) assert.match(file, /^(duplicate-|depth-|members-513|join-room-hello-too-long|join-room-resume-token-forged|join-room-name-marks-on-a-composed-letter)/);
  }
});

for (const [side, from] of SIDES) {
  for (const type of typesOf(side)) {
    test(`${type} of the ${from} has at least ${VECTORS_MIN} valid and ${VECTORS_MIN} invalid vectors`, () => {
      for (const kind of /** @type {const} */ (['valid', 'invalid'])) {
        const count = vectors(kind).filter((vector) => vector.from === from && vector.type === type).length;
        assert.ok(count >= VECTORS_MIN, `${kind}: ${count}`);
      }
    });
  }
}

test('the valid vectors have every member, and do without every one that may be absent', () => {
  for (const [side, from] of SIDES) {
    for (const type of typesOf(side)) {
      const objects = vectors('valid').filter((vector) => vector.from === from && vector.type === type).map(({ text }) => JSON.parse(text));
      for (const member of membersOf(type)) {
        // No vector can hold a token that is valid: a hub has to make it.
        if (type !== 'JoinRoom' || member !== 'resumeToken') assert.ok(objects.some((object) => member in object), `no valid ${type} with ${member}`);
        if (!neededBy(type).includes(member)) assert.ok(objects.some((object) => !(member in object)), `no valid ${type} without ${member}`);
      }
    }
  }
});

test('every error has a vector, and so has every reason to leave', () => {
  const said = vectors('valid').filter(({ from }) => from === 'hub').map(({ text }) => JSON.parse(text));
  for (const code of schema.$defs.errorCode.enum) assert.ok(said.some((message) => message.code === code), code);
  for (const reason of schema.$defs.UserLeft.properties.reason.enum) assert.ok(said.some((message) => message.reason === reason), reason);
});

// ---- the hub's tables ----

/** The rows of a table of the hub's, each a list of what stands between the commas. */
function tableOf(header, name) {
  const start = new RegExp(`#define ${name}\\(X\\)(.*\\\\\\n)+.*\\n`);
  const [text] = start.exec(read(header)) ?? assert.fail(`${name} is not in ${header}`);
  const rows = text.replaceAll('\\\n', ' ').split(/\bX\((?=[A-Za-z])/).slice(1);
  return rows.map((row) => row.replace(/\)\s*$/, '').match(/"[^"]*"|[^,"]+/g).map((cell) => cell.trim().replace(/^"|"$/g, '')).filter(Boolean));
}

test('what clients say is the table of the hub: types, members, and what each must be', () => {
  const wireOf = new Map(tableOf('include/aloha/message.h', 'MEMBER_TABLE').map(([name, wire, kind]) => [name, { wire, kind }]));
  const named = (cell) => [...cell.matchAll(/HAS\((\w+)\)/g)].map(([, name]) => wireOf.get(name));
  const rows = tableOf('include/aloha/message.h', 'MESSAGE_TABLE');

  assert.deepEqual(rows.map(([, type]) => type), typesOf('ClientMessage'));
  for (const [, type, required, optional] of rows) {
    assert.deepEqual(neededBy(type).sort(), named(required).map(({ wire }) => wire).sort(), type);
    assert.deepEqual(membersOf(type).sort(), [...named(required), ...named(optional)].map(({ wire }) => wire).sort(), type);
    for (const { wire, kind } of [...named(required), ...named(optional)]) {
      const wanted = { MEMBER_STRING: 'string', MEMBER_BOOLEAN: 'boolean', MEMBER_ANY: undefined };
      assert.ok(kind in wanted, kind);
      assert.equal(resolve(schema.$defs[type].properties[wire]).type, wanted[kind], `${type}.${wire}`);
    }
  }
});

const errors = tableOf('include/aloha/err.h', 'ERR_TABLE');
const closes = tableOf('include/aloha/err.h', 'CLOSE_TABLE');

test('the codes of errors are those of the table', () => {
  assert.deepEqual(schema.$defs.errorCode.enum, [...new Set(errors.map(([, wire]) => wire))]);
});

test('a resume token is as long as the hub makes it', () => {
  const [, size] = /TOKEN_SIZE = (\d+)/.exec(read('include/aloha/token.h')) ?? assert.fail('no TOKEN_SIZE');
  assert.ok(schema.$defs.resumeToken.pattern.endsWith(`{${size}}$`));
});

test('the limits that a client is told are those of the table', () => {
  const told = tableOf('include/aloha/limits.h', 'LIMIT_TABLE').map(([, , member]) => member).filter((member) => /^[a-z]+[A-Z]/.test(member));
  assert.ok(told.length > 4);
  assert.deepEqual(Object.keys(schema.$defs.limits.properties), told);
});

test('what the page understands is what the hub says: types, members, and which may be absent', async () => {
  const { FORMS } = await load('signaling.js');
  assert.deepEqual(Object.keys(FORMS).sort(), typesOf('HubMessage').sort());
  for (const [type, form] of Object.entries(FORMS)) {
    assert.deepEqual(Object.keys(form).sort(), membersOf(type).sort(), type);
    const needed = Object.keys(form).filter((member) => !form[member](undefined));
    assert.deepEqual(needed.sort(), neededBy(type).sort(), type);
  }
});

// ---- the page for people ----

const page = read('docs/protocol.md');

/** What stands under a heading of the page. */
function section(title) {
  const [, behind] = page.split(`\n## ${title}\n`);
  return (behind ?? assert.fail(`no section "${title}"`)).split('\n## ')[0];
}

/** The rows of the tables in a text, without their heads, each a list of its cells. */
function rowsOf(text) {
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  const rows = lines.filter((line, i) => !line.startsWith('| ---') && !lines[i + 1]?.startsWith('| ---'));
  return rows.map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
}
const unquote = (cell) => cell.replace(/^`|`$/g, '');

for (const [side, title] of [['ClientMessage', 'Client to hub'], ['HubMessage', 'Hub to client']]) {
  test(`the page has every message of "${title}" and all its members, and no others`, () => {
    const rows = rowsOf(section(title));
    assert.deepEqual(rows.map(([type]) => unquote(type)), typesOf(side));
    for (const [type, members] of rows) {
      for (const member of membersOf(unquote(type))) assert.ok(members.includes(`\`${member}\``), `${type}: ${member}`);
    }
  });
}

test('the page names what is inside of participants', () => {
  const inside = Object.keys(schema.$defs.participant.properties);
  assert.ok(section('Hub to client').includes(`\`{${inside.join(', ')}}\``));
});

test('the page has every limit of RoomJoined, and no other', () => {
  const [, place] = /<!-- limits -->\n([^]*?)<!-- \/limits -->/.exec(page) ?? assert.fail('no place for the limits');
  assert.deepEqual(rowsOf(place).map(([member]) => unquote(member)).filter(Boolean).sort(), Object.keys(schema.$defs.limits.properties).sort());
});

test('the page has every error and every close code', () => {
  assert.deepEqual(rowsOf(section('Errors')).map(([code]) => unquote(code)), schema.$defs.errorCode.enum);
  assert.deepEqual(rowsOf(section('Close codes')).map(([code]) => code), closes.map(([, code]) => code));
});

test('the rules that hold always are eight: other pages and the tests count on their numbers', () => {
  assert.deepEqual(section('Rules that hold always').match(/^\d+\. /gm), ['1. ', '2. ', '3. ', '4. ', '5. ', '6. ', '7. ', '8. ']);
});
