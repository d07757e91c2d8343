// The client that aloha replaces, reduced to what decides how soon a picture appears: 1080p from the camera
// first, then the connection and the join, then an offer from everyone who is already there.
/* global io */
const roomId = location.pathname.split('/').pop();
const strip = document.getElementById('participants');
const large = document.getElementById('active-participant');
const peers = new Map();

function show(peerId, stream) {
  let video = strip.querySelector(`[data-peer-id="${peerId}"]`);
  if (!video) {
    video = document.createElement('video');
    video.dataset.peerId = peerId;
    video.autoplay = true;
    video.playsInline = true;
    video.muted = peerId === 'me';
    video.addEventListener('click', () => {
      large.srcObject = video.srcObject;
    });
    strip.append(video);
  }
  video.srcObject = stream;
}

async function start() {
  const local = await navigator.mediaDevices.getUserMedia({
    audio: true,
    video: { width: { ideal: 1920 }, height: { ideal: 1080 } },
  });
  show('me', local);

  const socket = io({ transports: ['websocket'] });
  const connect = (peerId) => {
    const peer = new RTCPeerConnection();
    peers.set(peerId, peer);
    for (const track of local.getTracks()) peer.addTrack(track, local);
    peer.onicecandidate = ({ candidate }) => candidate && socket.emit('Signal', peerId, { candidate });
    peer.ontrack = ({ streams }) => show(peerId, streams[0]);
    return peer;
  };

  socket.on('UserJoined', async (peerId) => {
    const peer = connect(peerId);
    await peer.setLocalDescription(await peer.createOffer());
    socket.emit('Signal', peerId, { description: peer.localDescription });
  });
  socket.on('Signal', async (peerId, { description, candidate }) => {
    const peer = peers.get(peerId) ?? connect(peerId);
    if (candidate) {
      await peer.addIceCandidate(candidate);
      return;
    }
    await peer.setRemoteDescription(description);
    if (description.type === 'offer') {
      await peer.setLocalDescription(await peer.createAnswer());
      socket.emit('Signal', peerId, { description: peer.localDescription });
    }
  });
  socket.on('UserLeft', (peerId) => {
    peers.get(peerId)?.close();
    peers.delete(peerId);
    strip.querySelector(`[data-peer-id="${peerId}"]`)?.remove();
  });
  socket.emit('JoinRoom', roomId);
}

start();
