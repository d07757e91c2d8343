/**
 * The modules of the page, for node.
 *
 * public/ has no package.json, for all in it is served; and without one node before 20.19 takes
 * a .js file for CommonJS. So the tests import a copy that has one.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const copy = mkdtempSync(join(tmpdir(), 'aloha-js-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
cpSync(fileURLToPath(new URL('../../public/js', import.meta.url)), copy, { recursive: true });
writeFileSync(join(copy, 'package.json'), '{ "type": "module" }\n');

/** @param {string} name of a file in public/js */
export const load = (name) => import(pathToFileURL(join(copy, name)).href);
