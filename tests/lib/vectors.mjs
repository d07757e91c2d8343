// The messages of tests/vectors.
import { readFileSync, readdirSync } from 'node:fs';

/**
 * @typedef {{ file: string, about: string, from: 'client' | 'hub', text: string, type?: string, error?: string,
 *             schema?: 'passes' | 'refuses' }} Vector  see tests/README.md
 */

/** @param {'valid' | 'invalid'} kind @returns {Vector[]} */
export function vectors(kind) {
  const folder = new URL(`../vectors/${kind}/`, import.meta.url);
  return readdirSync(folder).filter((file) => file.endsWith('.json')).sort().map((file) => ({ file, ...JSON.parse(readFileSync(new URL(file, folder), 'utf8')) }));
}
