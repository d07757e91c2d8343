// The units, by systemd's own judges.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { attempt, isInstalled, packageBuild, packaging } from './commands.mjs';

describe('the systemd units', { skip: isInstalled('systemd-analyze') ? false : 'no systemd-analyze here' }, () => {
  /** @type {string} */
  let folder;
  const unit = (/** @type {string} */ name) => path.join(folder, name);
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'aloha-units-'));
    for (const name of ['aloha.service', 'aloha.socket']) {
      const text = readFileSync(path.join(packaging, 'systemd', name), 'utf8');
      writeFileSync(unit(name), text.replace(/^ExecStart=\S+/m, `ExecStart=${path.join(packageBuild, 'aloha')}`));
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('R65: are exposed by 1.5 at most', (t) => {
    const { status, stdout } = attempt(['systemd-analyze', 'security', '--offline=true', '--no-pager', '--threshold=15', unit('aloha.service')]);
    assert.equal(status, 0, stdout);
    t.diagnostic(stdout.trim().split('\n').at(-1) ?? '');
  });

  it('are understood to the last line', () => {
    const { status, stdout, stderr } = attempt(['systemd-analyze', 'verify', '--man=no', unit('aloha.service'), unit('aloha.socket')]);
    assert.equal(status, 0, stdout + stderr);
    assert.equal(stdout + stderr.replace(/^running with root privileges.*\n/gm, ''), '');
  });

  it('what stands there as a comment is understood as well', () => {
    const text = readFileSync(unit('aloha.service'), 'utf8').replace(/^#([A-Z]\w+=)/gm, '$1');
    assert.match(text, /^LoadCredential=ops-token:/m);
    writeFileSync(unit('aloha-all.service'), text);
    const { status, stdout, stderr } = attempt(['systemd-analyze', 'verify', '--man=no', unit('aloha-all.service')]);
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stderr, /aloha-all\.service/);
  });

  it('R66, R68, R73: have the bounds that docs/security.md promises', () => {
    const text = readFileSync(path.join(packaging, 'systemd/aloha.service'), 'utf8');
    for (const line of ['Type=notify', 'WatchdogSec=15', 'MemoryMax=512M', 'LimitNOFILE=32768', 'LimitCORE=0', 'DynamicUser=yes',
      'CapabilityBoundingSet=', 'UMask=0077', 'Restart=on-failure']) {
      assert.ok(text.split('\n').includes(line), line);
    }
  });
});
