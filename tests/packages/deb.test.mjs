// The Debian package as it lies there: what is in it, how it is built, what lintian says.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { attempt, debianPackage, isInstalled, packageBuild, run } from './commands.mjs';

describe('the Debian package', () => {
  const deb = debianPackage();
  /** @type {string} */
  let unpacked;
  before(() => {
    unpacked = mkdtempSync(path.join(tmpdir(), 'aloha-deb-'));
    run(['dpkg-deb', '--raw-extract', deb, unpacked]);
  });
  after(() => rmSync(unpacked, { recursive: true, force: true }));

  const field = (/** @type {string} */ name) => run(['dpkg-deb', '--field', deb, name]).trim();
  const listing = () => run(['dpkg-deb', '--contents', deb]).trim().split('\n').map((line) => {
    const [mode, owner, , , , name] = line.split(/\s+/);
    return { mode, owner, name: name.slice(1) };
  });

  it('has everything in its place', () => {
    const files = listing().filter(({ mode }) => mode.startsWith('-')).map(({ name }) => name);
    for (const file of ['/etc/aloha/aloha.conf', '/usr/bin/aloha', '/usr/lib/systemd/system/aloha.service', '/usr/lib/systemd/system/aloha.socket',
      '/usr/share/doc/aloha/copyright', '/usr/share/doc/aloha/changelog.Debian.gz', '/usr/share/doc/aloha/operations.md.gz',
      '/usr/share/doc/aloha/configuration.md.gz', '/usr/share/doc/aloha/aloha.cdx.json', '/usr/share/doc/aloha/examples/alerts.yml',
      '/usr/share/doc/aloha/examples/aloha.json', '/usr/share/man/man1/aloha.1.gz', '/usr/share/man/man5/aloha.conf.5.gz',
      '/usr/share/bash-completion/completions/aloha', '/usr/share/zsh/vendor-completions/_aloha', '/usr/share/fish/vendor_completions.d/aloha.fish']) {
      assert.ok(files.includes(file), `${file} is in the package`);
    }
    for (const file of files) assert.match(file, /^\/(etc\/aloha\/aloha\.conf$|usr\/(bin\/aloha$|lib\/systemd\/system\/aloha\.|share\/))/, file);
  });

  it('belongs to root, with modes that no umask has changed', () => {
    for (const { mode, owner, name } of listing()) {
      assert.equal(owner, 'root/root', name);
      assert.equal(mode, mode.startsWith('d') || name === '/usr/bin/aloha' ? mode.replace(/.{9}$/, 'rwxr-xr-x') : '-rw-r--r--', name);
    }
  });

  it('asks before it overwrites the configuration', () => {
    assert.equal(readFileSync(path.join(unpacked, 'DEBIAN/conffiles'), 'utf8'), '/etc/aloha/aloha.conf\n');
  });

  it('depends on the libraries, and on the plugin that no tool sees', () => {
    const depends = field('Depends').split(', ').map((part) => part.split(' ')[0]);
    for (const name of ['libwebsockets-evlib-uv', 'libc6', 'libuv1']) assert.ok(depends.some((other) => other.replace(/t64$/, '') === name), name);
    for (const name of ['libwebsockets', 'libmicrohttpd', 'libjansson', 'libssl', 'libuuid1']) assert.ok(depends.some((other) => other.startsWith(name)), name);
    for (const name of depends) assert.doesNotMatch(name, /-dev$/);
  });

  it('says which libraries are in it, in CycloneDX', () => {
    const bom = JSON.parse(readFileSync(path.join(unpacked, 'usr/share/doc/aloha/aloha.cdx.json'), 'utf8'));
    assert.equal(bom.bomFormat, 'CycloneDX');
    const names = bom.components.map((/** @type {{ name: string }} */ c) => c.name);
    assert.deepEqual(names, [...new Set(names)].sort());
    assert.ok(names.includes('libwebsockets-evlib-uv') && names.includes('uthash-dev') && names.some((n) => n.startsWith('libc6')));
    for (const { name, version, purl } of bom.components) {
      assert.equal(version, run(['dpkg-query', '-W', '-f', '${Version}', name]).trim(), name);
      assert.match(purl, /^pkg:deb\/debian\/[a-z0-9.+-]+@[0-9a-zA-Z.~%-]+\?arch=\w+$/);
    }
  });

  it('R70: is hardened, stripped, and knows no path of who built it', () => {
    const binary = path.join(unpacked, 'usr/bin/aloha');
    const elf = run(['readelf', '--wide', '--file-header', '--program-headers', '--dynamic', '--notes', binary]);
    assert.match(elf, /Type:\s+DYN .*Position-Independent Executable/);
    assert.match(elf, /GNU_RELRO/);
    assert.match(elf, /BIND_NOW|FLAGS_1.*NOW/);
    assert.match(elf, /GNU_STACK\s+\S+ \S+ \S+ \S+ \S+ RW /);
    assert.doesNotMatch(elf, /RPATH|RUNPATH/);
    // That the whole is marked for it takes a C library that is, which Debian's is not.
    if (process.arch === 'x64') assert.match(run(['objdump', '--disassemble', '--section=.text', binary]), /endbr64/);
    const symbols = run(['readelf', '--wide', '--dyn-syms', binary]);
    assert.match(symbols, /__stack_chk_fail/);
    assert.match(symbols, /__\w+_chk@/);
    assert.equal(run(['readelf', '--wide', '--syms', binary]).includes("'.symtab'"), false, 'stripped');
    const strings = run(['strings', '-n', '6', binary]);
    assert.ok(!strings.includes(path.resolve(packageBuild, '../..')), 'no path of the build');
  });

  it('has scripts that a POSIX shell understands', () => {
    for (const name of ['postinst', 'prerm', 'postrm']) run(['dash', '-n', path.join(unpacked, 'DEBIAN', name)]);
  });

  it('pleases lintian', (t) => {
    if (!isInstalled('lintian')) return t.skip('no lintian here');
    const { status, stdout } = attempt(['lintian', '--fail-on', 'error,warning', deb]);
    assert.equal(status, 0, stdout);
  });

  it('is laid out as cmake --install does it', () => {
    const staging = mkdtempSync(path.join(tmpdir(), 'aloha-install-'));
    try {
      run(['cmake', '--install', packageBuild], { env: { ...process.env, DESTDIR: staging } });
      const here = run(['find', '.', '!', '-type', 'd'], { cwd: staging }).trim().split('\n').map((name) => name.slice(1)).sort();
      const there = listing().filter(({ mode }) => !mode.startsWith('d')).map(({ name }) => name).sort();
      assert.deepEqual(here, there);
      // A second time leaves a changed configuration alone.
      const conf = path.join(staging, 'etc/aloha/aloha.conf');
      run(['sh', '-c', `echo '# mine' >>'${conf}'`]);
      run(['cmake', '--install', packageBuild], { env: { ...process.env, DESTDIR: staging } });
      assert.match(readFileSync(conf, 'utf8'), /# mine/);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  });
});
