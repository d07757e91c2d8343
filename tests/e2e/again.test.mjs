// Two ends of a call that do not know the same of each other: what was said got lost, or one has given the other up while
// both were away from the hub. Both ends live in one page and use its modules; the hub between them is the test's.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person } from '../lib/browser.mjs';
import { freshRoom } from '../lib/participant.mjs';
import { serverOfSuite } from '../lib/server.mjs';

/** Runs in the page: makes two ends, `old` who was there first and `young`, and a hub that can lose what one of them says. */
async function installEnds() {
  const address = /** @type {HTMLLinkElement} */ (document.querySelector('link[href$="/call.js"]')).href;
  const { Call } = await import(address);
  const { Peer } = await import(address.replace('call.js', 'peer.js'));
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const local = { stream, audio: stream.getAudioTracks()[0], video: null };
  const nothing = () => {};

  /** @param {string} id */
  const makeEnd = (id) => {
    /** @type {any} */
    const end = {
      id, isMute: false, other: null, tiles: [], /** @type {RTCPeerConnection[]} */ connections: [],
      /** @param {string[]} present @param {object} [more] */
      seat: (present, more) => end.call.receive({ type: 'RoomJoined', roomId: 'r', peerId: id, resumed: false, participants: present.map((peerId) => ({ peerId })), iceServers: [], locked: false, limits: {}, ...more }),
      forget: () => end.call.receive({ type: 'UserLeft', peerId: end.other.id, reason: 'timeout' }),
      meet: () => end.call.receive({ type: 'UserJoined', peerId: end.other.id }),
      latest: () => end.connections.at(-1),
      packets: async () => [...(await end.latest().getStats()).values()].reduce((sum, report) => sum + (report.type === 'inbound-rtp' ? report.packetsReceived : 0), 0),
    };
    end.call = new Call({
      roomId: 'r',
      send: (/** @type {any} */ message) => {
        if (message.type === 'Signal' && !end.isMute) setTimeout(() => end.other.call.receive({ ...message, peerId: id }));
      },
      createPeer: (/** @type {any} */ request) => new Peer({
        ...request, local, mediaState: { microphone: true, camera: false },
        events: { onTrack: nothing, onMediaState: nothing, onConnectionState: request.onConnectionState },
        connect: (/** @type {RTCConfiguration} */ configuration) => {
          const connection = new RTCPeerConnection(configuration);
          end.connections.push(connection);
          return connection;
        },
      }),
      events: {
        onParticipant: ({ peerId }) => end.tiles.push(`+${peerId}`), onParticipantLeft: (peerId) => end.tiles.push(`-${peerId}`),
        onJoined: nothing, onRefused: nothing, onWaiting: nothing, onKnock: nothing, onKnockEnded: nothing, onNoRoom: nothing,
      },
    });
    return end;
  };

  /** @param {string} oldId @param {string} youngId */
  const makeEnds = (oldId, youngId) => {
    const ends = { old: makeEnd(oldId), young: makeEnd(youngId) };
    ends.old.other = ends.young;
    ends.young.other = ends.old;
    ends.old.seat([]);
    ends.young.seat([oldId]);
    return ends;
  };
  Object.assign(window, { makeEnds });
}

for (const kind of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(`two ends that do not know the same, in ${kind}`, () => {
    const server = serverOfSuite({ before, after });
    /** @type {Person} */
    let person;
    before(async () => {
      person = await Person.start({ kind });
      await person.enter(server.current, freshRoom());
      await person.seesOthers(0);
      await person.page.evaluate(installEnds);
    });
    after(() => person?.end());

    /**
     * What is tried is an expression of the page, with `old` and `young` in it. Both roles are tried both ways, for who is
     * polite depends on the ids.
     * @param {string} what
     * @param {{ begin?: string, then: string }} how
     */
    function find(what, { begin = 'old.meet()', then }) {
      for (const ids of [['a', 'b'], ['b', 'a']]) {
        it(`${what}; ${ids[0]} was first`, async () => {
          await person.page.evaluate(`window.ends = makeEnds(${ids.map((id) => `'${id}'`)}); var { old, young } = ends; ${begin}`);
          if (begin === 'old.meet()') await person.until('[old, young].every((end) => end.latest()?.connectionState === "connected")');
          await person.page.evaluate(`window.before = [old, young].map((end) => end.latest()); ${then}`);
          const isNew = begin === 'old.meet()' ? '[old, young].some((end, i) => end.latest() !== before[i])' : 'true';
          await person.until(`${isNew} && [old, young].every((end) => end.latest()?.connectionState === "connected")`);
          const [oldPackets, youngPackets] = await person.page.evaluate('Promise.all([old.packets(), young.packets()])');
          await person.until(`Promise.all([old.packets(), young.packets()]).then(([one, other]) => one > ${oldPackets} && other > ${youngPackets})`);
          await person.page.evaluate('[old, young].forEach((end) => end.call.leave())');
        });
      }
    }

    find('all that the first said got lost, and it comes back', {
      begin: 'old.isMute = true; old.meet()',
      then: 'setTimeout(() => { old.isMute = false; old.seat([young.id], { resumed: true }); }, 500)',
    });
    find('all that the second said got lost, and it comes back', {
      begin: 'young.isMute = true; old.meet()',
      then: 'setTimeout(() => { young.isMute = false; young.seat([old.id], { resumed: true }); }, 500)',
    });
    find('one has given the other up, who comes back and repairs', {
      then: 'old.forget(); young.seat([old.id], { resumed: true }); young.latest().restartIce()',
    });
    find('one has given the other up, comes back itself, and offers', {
      then: 'old.forget(); old.seat([young.id], { resumed: true })',
    });
    find('the same, while the other repairs', {
      then: 'old.forget(); old.seat([young.id], { resumed: true }); young.latest().restartIce()',
    });
    find('both have given each other up and offer', {
      then: 'old.forget(); young.forget(); old.seat([young.id], { resumed: true }); young.seat([old.id], { resumed: true })',
    });
    find('one is announced anew to the other', {
      then: 'old.forget(); young.seat([], { resumed: true, participants: [{ peerId: old.id, offers: true }] }); old.meet()',
    });

    it('the page did not complain', () => assert.deepEqual(person.complaints, []));

    it('ends cleanly', () => server.current.endsCleanly());
  });
}
