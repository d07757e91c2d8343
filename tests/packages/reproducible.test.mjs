// Two builds of one commit are identical, however different the places they were made in.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { repository } from '../lib/server.mjs';
import { attempt, run } from './commands.mjs';

/** @type {string[]} */
const folders = [];
const digest = (/** @type {string} */ file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Another file system, where there is one: it lists folders in another order. */
const memory = attempt(['test', '-w', '/dev/shm']).status === 0 ? '/dev/shm' : tmpdir();

/**
 * Copies the tree as git knows it, and makes the package there.
 * @param {string} where @param {string} umask @param {Record<string, string>} settings
 */
function build(where, umask, settings) {
  const folder = mkdtempSync(where);
  folders.push(folder);
  run(['bash', '-c', 'git -C "$0" ls-files -z --cached --others --exclude-standard | tar -C "$0" --null --files-from=- --ignore-failed-read -c | tar -C "$1" -x --no-same-permissions',
    repository, folder]);
  const epoch = run(['git', '-C', repository, 'log', '-1', '--format=%ct']).trim();
  run(['bash', '-c', `umask ${umask} && exec taskset --cpu-list "$1" scripts/package >/dev/null 2>package.log || { cat package.log; exit 1; }`, 'bash', settings.CPUS],
    { cwd: folder, env: { PATH: process.env.PATH, SOURCE_DATE_EPOCH: epoch, ...settings } });
  return folder;
}

describe('a package', () => {
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  it('is the same from another folder, umask, locale, time zone, number of cores and file system', () => {
    const cores = Number(run(['nproc']).trim());
    const one = build(path.join(tmpdir(), 'aloha-'), '022', { LC_ALL: 'C', TZ: 'UTC', HOME: '/root', CPUS: '0' });
    const other = build(path.join(memory, 'a-much-longer-name-of-a-folder-'), '077',
      { LC_ALL: 'C.UTF-8', LANG: 'de_DE.UTF-8', TZ: 'Pacific/Auckland', HOME: '/nonexistent', USER: 'somebody', CPUS: `0-${cores - 1}` });
    assert.equal(digest(path.join(one, 'build/package/aloha')), digest(path.join(other, 'build/package/aloha')), 'the binary');
    const packages = [one, other].map((folder) => path.join(folder, 'build/package', run(['sh', '-c', 'ls build/package | grep "^aloha_.*deb$"'], { cwd: folder }).trim()));
    if (digest(packages[0]) === digest(packages[1])) return;
    const contents = packages.map((file) => run(['dpkg-deb', '--contents', file]));
    assert.equal(contents[0], contents[1], 'what is in the package');
    assert.fail('the packages differ; diffoscope tells where');
  });
});
