// What is generated for shells and for man, judged by them: bash, zsh and fish complete, mandoc and man read.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { repository } from '../lib/server.mjs';

const completions = path.join(repository, 'packaging/completions');
const manuals = ['aloha.1', 'aloha.conf.5'].map((name) => path.join(repository, 'packaging/man', name));
const place = mkdtempSync(path.join(tmpdir(), 'aloha-shells-'));
writeFileSync(path.join(place, 'a file.pem'), '');
const TOPICS = ['all', 'general', 'limits', 'log', 'operator', 'proxy', 'serving', 'state', 'tls'];
const env = { PATH: process.env.PATH, HOME: place, LC_ALL: 'C.UTF-8', TERM: 'dumb' };

/** Runs a program, which must succeed and say nothing on stderr. @param {string} program @param {string[]} args */
function run(program, args) {
  const end = spawnSync(program, args, { cwd: place, env, encoding: 'utf8', timeout: 30_000 });
  assert.equal(end.error, undefined);
  assert.equal(end.stderr, '', `${program} ${args.join(' ')}`);
  assert.equal(end.status, 0);
  return end.stdout;
}

after(() => rmSync(place, { recursive: true, force: true }));

/** All of these are among the words. @param {string[]} words @param {string[]} wanted */
const has = (words, wanted) => assert.deepEqual(wanted.filter((word) => !words.includes(word)), [], `among ${words.join(' ')}`);

describe('completion', () => {
  /** What bash offers for the last word. @param {string[]} words  as bash splits them: "=" is one of its own */
  const bash = (words) => run('bash', ['--norc', '-c', `source '${completions}/aloha.bash'
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _aloha; printf '%s\\n' "\${COMPREPLY[@]}"`, 'bash', ...words]).split('\n').filter(Boolean).sort();

  it('bash: options, commands, words, paths', () => {
    const all = bash(['aloha', '']);
    has(all, ['--port', '--secret-file', '--room-peers-max', '--help', 'help', 'version']);
    assert.deepEqual(bash(['aloha', '--po']), ['--port']);
    assert.deepEqual(bash(['aloha', '--port', '1', '--allow']), ['--allow-no-origin']);
    assert.deepEqual(bash(['aloha', '--log-level', '']), ['debug', 'error', 'info', 'warning']);
    assert.deepEqual(bash(['aloha', '--log-level', '=']), ['debug', 'error', 'info', 'warning']);
    assert.deepEqual(bash(['aloha', '--log-level', '=', 'w']), ['warning']);
    assert.deepEqual(bash(['aloha', '--port', '']), []);
    has(bash(['aloha', 'help', '']), TOPICS);
    assert.deepEqual(bash(['aloha', '--help', 'lim']), ['limits']);
    assert.deepEqual(bash(['aloha', 'help', 'limits', '']), []);
    assert.deepEqual(bash(['aloha', 'version', '']), []);
    assert.deepEqual(bash(['aloha', 'ctl', 'dr']), ['drain']);
    assert.deepEqual(bash(['aloha', 'ctl', 'drain', '']), ['off', 'on']);
    assert.deepEqual(bash(['aloha', 'ctl', 'log-level', 'w']), ['warning']);
    assert.deepEqual(bash(['aloha', 'ctl', 'status', '']), []);
    assert.deepEqual(bash(['aloha', '--config', 'a']), ['a file.pem']);
    assert.deepEqual(bash(['aloha', '--config', '=', 'a']), ['a file.pem']);
    assert.ok(!bash(['aloha', '--port', '1', '']).includes('help'), 'a command comes first');
  });

  it('bash: it is registered', () => {
    assert.match(run('bash', ['--norc', '-c', `source '${completions}/aloha.bash'; complete -p aloha`]), /^complete .*-F _aloha aloha$/m);
  });

  /** What fish offers for the end of a line. @param {string} line */
  const fish = (line) => run('fish', ['--no-config', '-c', `source ${completions}/aloha.fish; complete -C '${line}'`])
    .split('\n').filter(Boolean).map((offer) => offer.split('\t')[0]).sort();

  it('fish: options, commands, words, paths', () => {
    has(fish('aloha --'), ['--port', '--secret-file', '--room-peers-max', '--help', '--print-config']);
    has(fish('aloha '), ['help', 'version']);
    assert.ok(!fish('aloha ').some((offer) => offer.startsWith('a ')), 'no files where none are wanted');
    assert.deepEqual(fish('aloha --log-level '), ['debug', 'error', 'info', 'warning']);
    assert.deepEqual(fish('aloha --log-level=w'), ['--log-level=warning']);
    has(fish('aloha help '), TOPICS);
    assert.deepEqual(fish('aloha help limits '), []);
    assert.deepEqual(fish('aloha ctl dr'), ['drain']);
    assert.deepEqual(fish('aloha ctl drain '), ['off', 'on']);
    assert.deepEqual(fish('aloha ctl log-level w'), ['warning']);
    assert.deepEqual(fish('aloha ctl status '), []);
    assert.deepEqual(fish('aloha --port '), []);
    assert.deepEqual(fish('aloha --config a'), ['a file.pem']);
  });

  it('zsh: the script is well formed', () => {
    assert.equal(run('zsh', ['-n', path.join(completions, '_aloha')]), '');
  });

  /* An interactive shell in a terminal of zsh's own: what is typed, a tab, and a key that shows the line. */
  const zsh = (/** @type {string[]} */ typed) => {
    const functions = path.join(place, 'functions');
    mkdirSync(functions, { recursive: true });
    copyFileSync(path.join(completions, '_aloha'), path.join(functions, '_aloha'));
    const shown = run('zsh', ['-f', '-c', `
      zmodload zsh/zpty
      zpty shell 'zsh -f -i'
      until_mark() { local out; zpty -m -r shell out "*$1*"; print -r -- "$out"; }
      zpty -w shell 'PS1= PS2= RPS1=; unsetopt zle_bracketed_paste; unset zle_bracketed_paste; fpath=(${functions} $fpath)'
      zpty -w shell 'autoload -Uz compinit; compinit -u -d ${place}/dump; zstyle ":completion:*" format ""; LISTMAX=10000'
      zpty -w shell 'show() { print -r -- "<<$BUFFER>>"; BUFFER=; zle .accept-line }; zle -N show; bindkey "^X" show; bindkey "^I" complete-word'
      zpty -w shell 'print rea""dy'
      until_mark ready >/dev/null
      for line in "$@"; do
        zpty -w -n shell "$line"$'\\t\\x18'
        until_mark '>>'
      done
      zpty -d shell`, 'zsh', ...typed]);
    // eslint-disable-next-line no-control-regex
    return [...shown.matchAll(/<<([^<>]*)>>/g)].map(([, line]) => line.trim());
  };

  it('zsh: options, commands, words, paths', () => {
    const rows = [
      ['aloha --por', 'aloha --port='],
      ['aloha --port=1 --allow', 'aloha --port=1 --allow-no-origin='],
      ['aloha --log-format=j', 'aloha --log-format=json'],
      ['aloha --log-level w', 'aloha --log-level warning'],
      ['aloha hel', 'aloha help'],
      ['aloha help lim', 'aloha help limits'],
      ['aloha --help lim', 'aloha --help limits'],
      ['aloha ctl dr', 'aloha ctl drain'],
      ['aloha ctl drain of', 'aloha ctl drain off'],
      ['aloha ctl log-level w', 'aloha ctl log-level warning'],
      ['aloha ctl status dr', 'aloha ctl status dr'],
      ['aloha --config=a', 'aloha --config=a\\ file.pem'],
      ['aloha --print', 'aloha --print-config'],
    ];
    assert.deepEqual(zsh(rows.map(([typed]) => typed)), rows.map(([, line]) => line));
  });
});

describe('the manual', () => {
  it('mandoc has nothing to say but that its pages are not installed here', () => {
    const end = spawnSync('mandoc', ['-Tlint', ...manuals], { encoding: 'utf8' });
    assert.equal(end.error, undefined);
    const said = end.stdout.split('\n').filter((line) => line && !/referenced manual not found: Xr aloha/.test(line));
    assert.deepEqual(said, []);
  });

  it('man shows both pages without a warning, and each option is there', () => {
    for (const manual of manuals) {
      const end = spawnSync('man', ['--warnings', '-l', manual], { encoding: 'utf8', env: { ...env, MANWIDTH: '80', MANPAGER: 'cat' } });
      assert.equal(end.error, undefined);
      assert.equal(end.stderr, '');
      assert.equal(end.status, 0);
      assert.match(end.stdout, manual.endsWith('1') ? /^ +--room-peers-max NUMBER$/m : /^ +room-peers-max = NUMBER$/m);
      for (const line of end.stdout.split('\n')) assert.ok([...line].length <= 80, line);
    }
  });

  it('dashes of options can be copied', () => {
    const text = execFileSync('mandoc', ['-Tutf8', manuals[0]], { encoding: 'utf8' }).replace(/.\x08/g, ''); // eslint-disable-line no-control-regex
    assert.match(text, /--bind 127\.0\.0\.1 --trusted-proxies/);
  });
});
