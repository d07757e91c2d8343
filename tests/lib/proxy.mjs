// A wire that can be cut: a TCP relay between a browser and the server.
import { connect, createServer } from 'node:net';

export class Wire {
  #isCut = false;
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();

  /** @param {{ port?: number }} server */
  static async to(server) {
    const wire = new Wire();
    wire.listener = createServer((near) => wire.#relay(near, Number(server.port)));
    await new Promise((resolve) => wire.listener?.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (wire.listener.address());
    wire.host = `127.0.0.1:${port}`;
    wire.url = `http://${wire.host}`;
    return wire;
  }

  /** @param {import('node:net').Socket} near @param {number} port */
  #relay(near, port) {
    if (this.#isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]]) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }

  /** Resets every connection on both sides, and each new one. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend() {
    this.#isCut = false;
  }

  end() {
    this.cut();
    this.listener?.close();
  }
}
