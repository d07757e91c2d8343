// Runs other programs for the tests of packaging/, and says what they said when they fail.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { repository } from '../lib/server.mjs';

/** Where the tests keep what is worth keeping between two runs. */
export const cache = path.join(repository, 'build/packages-test');
mkdirSync(cache, { recursive: true });

export const packaging = path.join(repository, 'packaging');

/** The build that the package is made of, see scripts/package. */
export const packageBuild = path.join(repository, 'build/package');

/**
 * Runs a program to its end.
 * @param {string[]} command
 * @param {import('node:child_process').SpawnSyncOptions} [how]
 */
export function attempt([file, ...args], how = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...how });
  return { status, signal, stdout: String(stdout ?? ''), stderr: `${stderr ?? ''}${error ?? ''}` };
}

/**
 * Runs a program that has to succeed; returns what it wrote to its standard output.
 * @param {string[]} command
 * @param {import('node:child_process').SpawnSyncOptions} [how]
 */
export function run(command, how) {
  const { status, signal, stdout, stderr } = attempt(command, how);
  assert.equal(status, 0, `${command.join(' ')}: ${signal ?? status}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
  return stdout;
}

/** @param {string} name */
export function isInstalled(name) {
  return attempt(['sh', '-c', `command -v ${name}`]).status === 0;
}

/** The Debian package that scripts/package has made. */
export function debianPackage() {
  const found = readdirSync(packageBuild)
    .filter((name) => /^aloha_.*-1_\w+\.deb$/.test(name))
    .map((name) => path.join(packageBuild, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  assert.ok(found.length > 0, 'no package to test: run scripts/package');
  return found[0];
}
