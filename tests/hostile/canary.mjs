// A process of its own: two who signal to each other all the time, and, for comparison, somebody who talks to a plain TCP
// echo at the same moments. What a busy machine does to one it does to the other; the rest is the server's. Orders come
// and reports go by the messages of child_process.fork().
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import WebSocket from 'ws';

const EVERY_MS = 22; // 45 a second: just below what one connection may send by default
const PATIENCE_MS = 15_000;

/** What was wrong, in words: nothing of it may ever be. @type {string[]} */
let faults = [];
/** Round trips in milliseconds. @type {{ signals: number[], control: number[] }} */
let times = { signals: [], control: [] };

/** Counts what is sent and expects it back in the same order, once. @param {'signals' | 'control'} kind */
function roundTrips(kind) {
  /** @type {{ number: number, at: bigint }[]} */
  const under_way = [];
  let sent = 0;
  return {
    get open() {
      return under_way.length;
    },
    next() {
      under_way.push({ number: sent, at: process.hrtime.bigint() });
      return sent++;
    },
    /** @param {number} number */
    back(number) {
      const first = under_way.shift();
      if (first?.number === number) times[kind].push(Number(process.hrtime.bigint() - first.at) / 1e6);
      else faults.push(`${kind}: ${number} came where ${first?.number} was expected`);
    },
  };
}

/** @param {{ host: string, from: string }} where @param {string} roomId @param {(message: any) => void} on_message */
async function participant({ host, from }, roomId, on_message) {
  const socket = new WebSocket(`ws://${host}/ws`, { perMessageDeflate: false, localAddress: from });
  const name = on_message.name;
  let leaving = false;
  socket.on('error', (error) => faults.push(`${name}: ${error}`));
  socket.on('close', (code) => leaving || faults.push(`${name}: closed ${code}`));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const joined = new Promise((resolve) => {
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString());
      if (message.type === 'RoomJoined') resolve(message.peerId);
      else on_message(message);
    });
  });
  socket.send(JSON.stringify({ type: 'JoinRoom', roomId }));
  return {
    peerId: await joined,
    /** @param {string} peerId @param {unknown} message */
    signal: (peerId, message) => socket.send(JSON.stringify({ type: 'Signal', peerId, message })),
    leave() {
      leaving = true;
      return new Promise((resolve) => socket.once('close', resolve).close(1000));
    },
  };
}

/** @param {{ host: string, from: string, controlPort: number }} where */
async function start(where) {
  const signals = roundTrips('signals');
  const control = roundTrips('control');
  const roomId = randomUUID();
  let first = /** @type {any} */ (undefined);
  let second = /** @type {any} */ (undefined);
  let heard = 0;
  first = await participant(where, roomId, function first_canary(message) {
    if (message.type === 'Signal' && message.peerId === second.peerId) signals.back(message.message);
    else if (message.type !== 'UserJoined') faults.push(`first: ${JSON.stringify(message).slice(0, 200)}`);
  });
  second = await participant(where, roomId, function second_canary(message) {
    if (message.type !== 'Signal' || message.peerId !== first.peerId) return faults.push(`second: ${JSON.stringify(message).slice(0, 200)}`);
    if (message.message !== heard++) faults.push(`second: ${message.message} came where ${heard - 1} was expected`);
    return second.signal(first.peerId, message.message);
  });

  const echo = net.connect({ port: where.controlPort, host: '127.0.0.1', noDelay: true });
  let rest = '';
  echo.setEncoding('latin1').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) control.back(Number(line));
  });
  await new Promise((resolve, reject) => echo.once('connect', resolve).once('error', reject));

  const timer = setInterval(() => {
    first.signal(second.peerId, signals.next());
    echo.write(`${control.next()}\n`);
  }, EVERY_MS);
  return {
    /** Waits for what is under way, with no more being sent, and gives what was measured. */
    async pause() {
      clearInterval(timer);
      const deadline = Date.now() + PATIENCE_MS;
      while ((signals.open || control.open) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
      if (signals.open) faults.push(`${signals.open} signals are lost`);
      if (control.open) faults.push(`${control.open} of the control are lost`);
    },
    async stop() {
      await this.pause();
      const found = faults;
      faults = []; // that one of them sees the other leave is none
      await Promise.all([first.leave(), second.leave()]);
      echo.destroy();
      return found;
    },
  };
}

let running = /** @type {Awaited<ReturnType<typeof start>> | undefined} */ (undefined);
const orders = {
  /** @param {any} where */
  async start(where) {
    faults = [];
    running = await start(where);
  },
  async begin() {
    times = { signals: [], control: [] };
  },
  async report() {
    return { times, faults };
  },
  async stop() {
    const found = await running?.stop();
    running = undefined;
    return { faults: found };
  },
};

process.on('message', async (/** @type {{ id: number, order: keyof typeof orders, with: any }} */ message) => {
  try {
    process.send?.({ id: message.id, result: await orders[message.order](message.with) });
  } catch (error) {
    process.send?.({ id: message.id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
