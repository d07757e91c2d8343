// What a service manager hears of the running server: sd_notify(3). tests/unit/test_notify.c has the rest.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { assertServes } from '../lib/participant.mjs';
import { UNLIMITED, repository, startServer } from '../lib/server.mjs';
import { Changes } from '../lib/wait.mjs';

/** A socket that keeps what it hears. */
class Manager {
  /** @param {string} address */
  constructor(address) {
    this.address = address;
    /** @type {string[]} */
    this.heard = [];
    this.changes = new Changes();
    this.child = spawn(path.join(repository, 'build/debug/tests/unit/hear_datagrams'), [address], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      this.heard.push(...text.split('\n').filter((/** @type {string} */ line) => line !== ''));
      this.changes.changed();
    });
  }

  /** @param {string} line @param {number} [times] */
  until(line, times = 1) {
    return this.changes.until(() => this.heard.filter((one) => one === line).length >= times, () => `${line} from the server: ${this.heard}`);
  }

  end() {
    this.child.kill();
  }
}

describe('service manager', () => {
  it('R73: hears of the start, of signs of life, of the drain and of the end', async () => {
    const manager = new Manager(`@aloha-test-${process.pid}`);
    await manager.until('listening');
    const server = await startServer([...UNLIMITED], { env: { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '100000' } });
    await manager.until('READY=1');
    await manager.until('STATUS=Serving');
    await manager.until('WATCHDOG=1', 3);
    await assertServes(server);
    await server.endsCleanly();
    await manager.until('STOPPING=1');
    await manager.until('STATUS=Draining: connections are told to come back elsewhere');
    manager.end();
  });

  it('that cannot be reached is a warning', async () => {
    const server = await startServer([...UNLIMITED], { env: { NOTIFY_SOCKET: '/does/not/exist' } });
    await server.logged('notify_unreachable');
    await assertServes(server);
    await server.endsCleanly();
  });
});
