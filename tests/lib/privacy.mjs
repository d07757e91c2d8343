// What must never stand in a log, looked for in a whole run of one.
import assert from 'node:assert/strict';

/** What no level tells: what calls are described by, and who may come back. */
const CONTENTS = /a=candidate|candidate:\d|v=0\b|ice-(?:ufrag|pwd)|\bfingerprint\b|a=group|m=audio|RTP\/SAVPF|"sdp"|resumeToken/i;

/** An address with all its parts; 127.0.0.1 and :: are the server's own, and 0 at the end is a network's. */
const ADDRESS = /(?<![\w.])(?!127\.0\.0\.1\b)(?!\d+\.\d+\.\d+\.0\/24)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/;

/**
 * @param {string} log  all that was written
 * @param {object} secrets
 * @param {string[]} secrets.never  what stands at no level: names, room ids, tokens, what was said
 * @param {string[]} [secrets.atInfo]  what the debug level may have
 * @returns {number} how many lines there are
 */
export function assertTellsNothing(log, { never, atInfo = [] }) {
  const lines = log.split('\n').filter((line) => line !== '');
  for (const line of lines) {
    const level = /level=(\w+)|"level":"(\w+)"/.exec(line);
    const isDebug = (level?.[1] ?? level?.[2]) === 'debug';
    assert.doesNotMatch(line, CONTENTS);
    for (const secret of isDebug ? never : [...never, ...atInfo]) assert.ok(!line.includes(secret), `"${secret}" in ${line}`);
    if (!isDebug) assert.doesNotMatch(line, ADDRESS);
  }
  return lines.length;
}
