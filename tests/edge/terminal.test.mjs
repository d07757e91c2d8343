// What a person sees at a terminal when the server is ready: the addresses, and a code that a telephone can read. script(1)
// is the terminal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import jsqr from 'jsqr';
import { binaryPath, cleanEnvironment } from '../lib/server.mjs';
import { Changes } from '../lib/wait.mjs';

const dir = mkdtempSync(path.join(tmpdir(), 'aloha-terminal-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const SHELL_SAFE = /^[\w./:=-]+$/;

/**
 * What the server shows on a terminal of this size until it is ready. Ctrl-C ends it.
 * @param {{ columns?: number, rows?: number, env?: Record<string, string>, args?: string[] }} [how]
 */
async function shown({ columns = 80, rows = 24, env = {}, args = ['--tls', 'self-signed'] } = {}) {
  // 127.0.0.2 is for the server an address like any other, so it does not count as "this machine only".
  const command = [binaryPath(), '--bind', '127.0.0.2', '--port', '0', '--ops-port', '0', '--state-dir', path.join(dir, 'state'), ...args];
  for (const word of command) assert.match(word, SHELL_SAFE);
  const log = path.join(dir, 'log');
  const child = spawn('script', ['-q', '-e', '-c', `stty cols ${columns} rows ${rows}; exec ${command.join(' ')} 2>${log}`, '/dev/null'], {
    env: { ...cleanEnvironment(), LC_ALL: '', LC_CTYPE: '', LANG: 'C.UTF-8', TERM: 'xterm-256color', NO_COLOR: '', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const changes = new Changes();
  let text = '';
  let code;
  child.stdout.setEncoding('utf8').on('data', (more) => {
    text += more;
    changes.changed();
  });
  child.on('close', (status) => {
    code = status;
    changes.changed();
  });
  try {
    await changes.until(() => text.includes('Ctrl-C ends it') || code !== undefined, () => `the last line: ${text}`);
    const seen = text.replaceAll('\r\n', '\n');
    child.stdin.write('\x03');
    await changes.until(() => code !== undefined, 'the end');
    assert.equal(code, 0, readFileSync(log, 'utf8'));
    return seen;
  } finally {
    child.kill('SIGKILL');
  }
}

/** The lines of a code, without what sets its colours. @param {string} text */
function codeOf(text) {
  return [...text.matchAll(/^ {2}\x1b\[38;5;16;48;5;231m([ \u2580\u2584\u2588]+)\x1b\[0m/gm)].map((match) => match[1]);
}

/** Reads the code as a camera would: from pixels, black on white. @param {string[]} lines */
function read(lines) {
  const scale = 4;
  const size = { width: lines[0].length * scale, height: lines.length * 2 * scale };
  const pixels = new Uint8ClampedArray(size.width * size.height * 4).fill(255);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const block = lines[Math.floor(y / scale / 2)][Math.floor(x / scale)];
      const isLower = Math.floor(y / scale) % 2 === 1;
      if (block === '\u2588' || block === (isLower ? '\u2584' : '\u2580')) pixels.fill(0, (y * size.width + x) * 4, (y * size.width + x) * 4 + 3);
    }
  }
  return /** @type {any} */ (jsqr)(pixels, size.width, size.height, { inversionAttempts: 'dontInvert' })?.data;
}

const plain = (/** @type {string} */ text) => text.replace(/\x1b\[[\d;]*m/g, '');

describe('the terminal', () => {
  it('shows a code of the address for others, with four light modules around it, that fits 80 by 24', async () => {
    const text = await shown();
    const url = /^ {2}Open {16}\x1b\[1m(https:\/\/127\.0\.0\.2:\d+\/)\x1b\[0m$/m.exec(text)?.[1];
    assert.ok(url, text);
    const code = codeOf(text);
    assert.equal(read(code), url);
    assert.ok(text.includes(`\x1b[0m  \x1b[1m${url}\x1b[0m\n`), 'it stands beside the code as well');
    assert.match(code[0] + code[1] + code.slice(-1), /^ +$/);
    for (const line of code) assert.match(line, /^ {4}.* {4}$/);
    for (const line of plain(text).split('\n')) assert.ok(line.length <= 80, line);
    const lines = text.trimEnd().split('\n');
    assert.ok(lines.length - lines.findIndex((line) => line.includes('231m')) <= 24, 'with what stands below');
    assert.match(plain(text), /^ {2}Certificate {9}browsers warn of it once; see below whether it is ours\n/m);
    assert.match(plain(text).replace(/^.* {4} {2}(?=\S)/gm, ''), /^SHA-256 of its certificate:\n(?:(?:[0-9A-F]{2}:){7}[0-9A-F]{2}\n){4}/m);
  });

  it('shows none without https, for a telephone would have no camera there', async () => {
    const text = await shown({ args: [] });
    assert.deepEqual(codeOf(text), []);
    assert.match(text, /Missing for others {2}\x1b\[33mhttps, for cameras: --tls self-signed, or --tls-cert\x1b\[0m\n/);
  });

  for (const [what, how] of /** @type {[string, Parameters<typeof shown>[0]][]} */ ([
    ['too narrow', { columns: 30 }],
    ['too low', { rows: 12 }],
    ['not of UTF-8', { env: { LANG: 'C' } }],
    ['not of UTF-8 by the word that counts most', { env: { LC_ALL: 'POSIX' } }],
  ])) {
    it(`shows none on a terminal that is ${what}`, async () => {
      const text = await shown(how);
      assert.deepEqual(codeOf(text), []);
      assert.match(plain(text), /https:\/\/127\.0\.0\.2:/);
    });
  }

  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    it(`shows no colours and no code with ${Object.entries(env)[0].join('=')}`, async () => {
      const text = await shown({ env: /** @type {any} */ (env) });
      assert.doesNotMatch(text, /[\x1b\u2580]/);
      assert.match(text, /https:\/\/127\.0\.0\.2:/);
    });
  }
});
