// How long it takes until two people see each other, and what the first load of the page costs. Started by
// scripts/bench join; see README.md beside this file.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { setTimeout as pass } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { closeBrowser, coldBrowser, milestone } from './browsers.mjs';
import { servers, startServer } from './servers.mjs';
import { median, number, reportPlainly, table } from './table.mjs';

/** Until the one who is there has a warm camera and the processors are at rest. */
const REST_MS = 1500;

/** The second participant's way into a room where one is; milliseconds from the start of the navigation. */
async function timeJoin(server) {
  const pages = await Promise.all([coldBrowser(), coldBrowser()]);
  const [first, second] = pages;
  const room = `http://127.0.0.1:${server.port}/room/${randomUUID()}`;
  try {
    await first.goto(room, { waitUntil: 'domcontentloaded' });
    await Promise.all([milestone(first, 'joined'), milestone(first, 'camera')]);
    await pass(REST_MS);
    await second.goto(room, { waitUntil: 'domcontentloaded' });
    const [there, other, asked, camera, joined] = await Promise.all([
      milestone(second, 'frame'), milestone(first, 'frame'),
      ...['asked', 'camera', 'joined'].map((name) => milestone(second, name)),
    ]);
    const start = await second.evaluate(() => performance.timeOrigin);
    return { there: there - start, other: other - start, asked: asked - start, camera: camera - start, joined: joined - start };
  } finally {
    await Promise.all(pages.map(closeBrowser));
  }
}

/** Runs in a page: two ends of one connection, from nothing to the first frame. The camera is warm. */
async function connectToSelf() {
  const nextFrame = (stream) => new Promise((resolve) => {
    const video = Object.assign(document.createElement('video'), { srcObject: stream, muted: true, autoplay: true });
    document.body.append(video);
    video.requestVideoFrameCallback(resolve);
  });
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
  await nextFrame(stream);
  const start = performance.now();
  const [caller, callee] = [new RTCPeerConnection(), new RTCPeerConnection()];
  caller.onicecandidate = ({ candidate }) => callee.addIceCandidate(candidate);
  callee.onicecandidate = ({ candidate }) => caller.addIceCandidate(candidate);
  const seen = new Promise((resolve) => {
    callee.ontrack = ({ track, streams }) => track.kind === 'video' && resolve(nextFrame(streams[0]));
  });
  for (const track of stream.getTracks()) caller.addTrack(track, stream);
  await caller.setLocalDescription();
  await callee.setRemoteDescription(caller.localDescription);
  await callee.setLocalDescription();
  await caller.setRemoteDescription(callee.localDescription);
  await seen;
  return performance.now() - start;
}

async function timeFloor(port) {
  const page = await coldBrowser();
  try {
    await page.goto(`http://127.0.0.1:${port}/`);
    return await page.evaluate(connectToSelf);
  } finally {
    await closeBrowser(page);
  }
}

/** What the browser fetches when it opens a room for the first time; bytes as they crossed the wire. */
async function firstLoad(server) {
  const page = await coldBrowser();
  try {
    const requests = new Map();
    const session = await page.createCDPSession();
    await session.send('Network.enable');
    session.on('Network.responseReceived', ({ requestId, response }) => {
      requests.set(requestId, { path: new URL(response.url).pathname, coding: response.headers['content-encoding'] ?? response.headers['Content-Encoding'] ?? '' });
    });
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      Object.assign(requests.get(requestId) ?? {}, { bytes: encodedDataLength });
    });
    await page.goto(`http://127.0.0.1:${server.port}/room/${randomUUID()}`, { waitUntil: 'networkidle0' });
    await milestone(page, 'joined');
    return [...requests.values()].filter(({ bytes }) => bytes !== undefined);
  } finally {
    await closeBrowser(page);
  }
}

/** A page with nothing on it, on an origin that may use the camera. */
async function emptySite() {
  const site = createServer((_request, response) => response.end('<!doctype html><title>floor</title>'));
  await new Promise((resolve) => {
    site.listen(0, '127.0.0.1', resolve);
  });
  return site;
}

function printJoin(samples, names) {
  const values = (name, member) => samples.filter((s) => s.server === name).map((s) => s[member]);
  const floor = values('floor', 'there');
  const rows = names.map((name) => [
    servers[name].title,
    ...['there', 'other', 'asked', 'camera', 'joined'].map((member) => number(median(values(name, member)))),
    ...['there', 'other'].map((member) => (names.includes('seed') ? number(median(values(name, member)) / median(values('seed', member))) : '–')),
    `${number(Math.min(...values(name, 'there')))} to ${number(Math.max(...values(name, 'there')))}`,
  ]);
  rows.push(['floor: one page, warm camera', number(median(floor)), '', '', '', '', '', '', `${number(Math.min(...floor))} to ${number(Math.max(...floor))}`]);
  console.log(table([['ms from the second\'s navigation start', 'frame there', 'at the first', 'camera asked for', 'camera there', 'join sent', '× seed, there', '× seed, first', 'range, there'], ...rows]));
}

function printFirstLoad(name, requests) {
  const sum = requests.reduce((bytes, request) => bytes + request.bytes, 0);
  console.log(`\nFirst load of the room page, ${servers[name].title}: ${requests.length} requests, ${sum.toLocaleString('en')} bytes over the wire (headers included), and the WebSocket`);
  console.log(table([['path', 'coding', 'bytes'], ...requests.map(({ path, coding, bytes }) => [path, coding, bytes.toLocaleString('en')])]));
}

reportPlainly();
const { values: options } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '9' }, servers: { type: 'string', default: 'aloha,seed' }, json: { type: 'string' },
    seconds: { type: 'string' }, rate: { type: 'string' }, connections: { type: 'string' } },
});
const names = options.servers.split(',').filter((name) => name === 'aloha' || name === 'seed');
if (names.length === 0) throw new Error('pages to join are those of aloha and seed');
const samples = [];
let failures = 0;

const site = await emptySite();
const running = await Promise.all(names.map((name) => startServer(name, { pin: false })));
console.log(`load average ${loadavg().map((value) => value.toFixed(2)).join(' ')} before`);
try {
  for (let round = 1; round <= Number(options.rounds); round++) {
    if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${options.rounds}\r`);
    samples.push({ round, server: 'floor', there: await timeFloor(site.address().port) });
    for (const server of running) {
      try {
        samples.push({ round, server: server.name, ...await timeJoin(server) });
      } catch (error) {
        failures++;
        console.error(`round ${round}, ${server.name}: ${error.message}`);
      }
    }
  }
  console.log(`\nTwo cold Chromium, median of ${options.rounds}`);
  printJoin(samples, names);
  for (const server of running) printFirstLoad(server.name, await firstLoad(server));
} finally {
  site.close();
  await Promise.all(running.map((server) => server.stop()));
}
console.log(`\nload average ${loadavg()[0].toFixed(2)} after. Compare figures of one run only.`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(samples, null, 1)}\n`);
if (failures > 0) process.exitCode = 1;
