// Loads a room's page and makes two signal through its WebSocket: node talk.mjs HOST:PORT
// For the tests that need somebody in another network namespace.
import assert from 'node:assert/strict';
import { assertServes } from '../lib/participant.mjs';

const host = process.argv[2];
const page = await fetch(`http://${host}/room/tea`);
assert.equal(page.status, 200);
assert.match(await page.text(), /<html/);
await assertServes({ host });
