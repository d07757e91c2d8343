/**
 * The page of a room, from top to bottom: ask for the camera and the microphone, say to the hub
 * that we are here, and connect to each of the others. Nothing of this waits for anything else.
 */
import { Call } from './call.js';
import { Media } from './media.js';
import { Peer } from './peer.js';
import { Signaling } from './signaling.js';
import { Stage } from './stage.js';

const roomId = document.body.dataset.roomId ?? '';
const hubUrl = new URL(`${document.body.dataset.base ?? ''}/ws`, location.href);
hubUrl.protocol = hubUrl.protocol.replace('http', 'ws');

const stage = new Stage({
  toggleMicrophone, toggleCamera, copyLink, leave,
  admit: (peerId) => call.admit(peerId),
  deny: (peerId) => call.deny(peerId),
});

const media = new Media({
  onTrack: (kind, track) => call.setTrack(kind, track),
  onChange: showOwnState,
  onProblem: showMediaProblem,
});

const signaling = new Signaling(hubUrl.href, {
  onOpen: () => call.join(),
  onMessage: (message) => call.receive(message),
  onLost: () => stage.setStatus('Connection to the server lost. Trying again…'),
  onRefused: (code) => end(CLOSE_REASONS[code] ?? UNEXPLAINED),
});

const call = new Call({
  roomId,
  send: (message) => signaling.send(message),
  createPeer,
  events: {
    onJoined: () => {
      stage.setStatus('');
      stage.setPresence('joined');
    },
    onWaiting: () => {
      stage.setStatus('');
      stage.setPresence('waiting');
    },
    onParticipant: ({ peerId, name }) => stage.addParticipant(peerId, name),
    onParticipantLeft: (peerId) => stage.removeParticipant(peerId),
    onRefused: (code) => end(REFUSALS[code] ?? UNEXPLAINED),
    onKnock: ({ peerId, name }) => stage.addKnock(peerId, name),
    onKnockEnded: (peerId) => stage.removeKnock(peerId),
    onNoRoom: () => stage.setNotice(NO_ROOM),
  },
});

// --- words for when there is no call -----------------------------------------------------------

/** @typedef {import('./stage.js').Message} Message */

/** @type {Message} */
const NO_WEBRTC = {
  title: 'This browser cannot make calls',
  text: 'It lacks WebRTC, or has it switched off. A current Firefox, Chrome, Edge or Safari can.',
};

/** @type {Message} */
const NO_ROOM = { title: 'This call is full', text: 'When somebody leaves, you can let them in.' };

/** @type {Message} */
const UNEXPLAINED = { title: 'The server did not let us in', text: 'It gave a reason that this page does not know.' };

/** Why the hub closed the line for good. @type {Record<number, Message>} */
const CLOSE_REASONS = {
  1008: { title: 'The server ended the connection', text: 'It did not accept something that this page sent.' },
  4001: { title: 'The call goes on elsewhere', text: 'It was opened again in another tab or window.' },
  4003: { title: 'No access', text: 'This server asks for an access token, and yours is missing or not valid.' },
  4004: { title: 'You were removed', text: 'Somebody who looks after this server ended your part in the call.' },
};

/** Why the hub keeps us out of this room. @type {Record<string, Message & { label?: string }>} */
const REFUSALS = {
  'room-full': { title: 'This call is full', text: 'When somebody leaves, there is a place for you.' },
  'room-locked': { title: 'Nobody let you in', text: 'This call is locked. You can ask again.', label: 'Ask again' },
  'hub-full': { title: 'The server is busy', text: 'It has no free place right now.' },
  'bad-room-id': { title: 'This link does not work', text: 'Its last part is not the name of a room.' },
  'bad-name': { title: 'This name does not work', text: 'It is too long, or has characters that cannot be shown.' },
  unauthorized: { title: 'No access', text: 'This server asks for an access token, and yours is missing or not valid.' },
};

start();

// --- the way in --------------------------------------------------------------------------------

function start() {
  if ('RTCPeerConnection' in window) join();
  else stage.setCurtain(NO_WEBRTC);
}

function join() {
  stage.setCurtain(null);
  stage.setLink(location.href);
  stage.setStatus('Connecting…');
  stage.showMe(media.stream);
  media.start();
  signaling.open();
}

/** @param {import('./call.js').PeerRequest} request */
function createPeer({ peerId, onConnectionState, ...request }) {
  return new Peer({
    ...request,
    local: media,
    mediaState: media.state,
    events: {
      onTrack: (track) => stage.setTrack(peerId, track),
      onMediaState: (state) => stage.setMediaState(peerId, state),
      onConnectionState: (state) => {
        stage.setConnectionState(peerId, state);
        onConnectionState(state);
      },
    },
  });
}

// --- the way out -------------------------------------------------------------------------------

function hangUp() {
  call.leave();
  signaling.close();
  media.stop();
  stage.setPresence('out');
  stage.removeParticipant('me');
}

function leave() {
  end({ title: 'You left the call', text: 'The link still works, for you and for the others.', label: 'Rejoin' });
}

/** @param {Message & { label?: string }} message  label: of the button that tries again */
function end({ label = 'Try again', ...message }) {
  hangUp();
  stage.setCurtain({ action: { label, run: join }, ...message });
}

// --- the switches ------------------------------------------------------------------------------

function toggleMicrophone() {
  media.setMicrophone(!media.switches.microphone);
}

function toggleCamera() {
  media.setCamera(!media.switches.camera);
}

function showOwnState() {
  stage.setControls(media.switches, media.state, media.isStarting ? 'Starting…' : '');
  call.setMediaState(media.state);
}

/** @param {import('./media.js').Problem | null} problem */
function showMediaProblem(problem) {
  if (!problem) return stage.setNotice(null);
  const { isCurable, ...words } = problem;
  stage.setNotice({ ...words, ...(isCurable && { action: { label: 'Try again', run: () => media.start() } }) });
}

async function copyLink() {
  if (await writeClipboard(location.href) || stage.copySelectedLink()) stage.showCopied();
  else stage.setNotice({ title: 'Copy the link by hand', text: `The browser did not let this page do it: ${location.href}` });
}

/** @param {string} text */
async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // plain http, or not allowed
  }
}

// --- the page itself ---------------------------------------------------------------------------

window.addEventListener('pagehide', hangUp);
window.addEventListener('pageshow', ({ persisted }) => {
  if (persisted) start();
});
window.addEventListener('online', () => signaling.hurry());
