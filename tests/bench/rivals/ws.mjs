// A hub of aloha's protocol as one would write it on Node with the ws package. Prints "port=N" once it
// listens.
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

/** @type {Map<string, Map<string, import('ws').WebSocket>>} the members of each room by their peerId */
const rooms = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/ws', perMessageDeflate: false });

server.on('connection', (socket) => {
  const peerId = randomUUID();
  let roomId = '';
  const room = () => rooms.get(roomId);
  const say = (to, message) => to.send(JSON.stringify(message));
  const sayToOthers = (message) => {
    const text = JSON.stringify(message);
    for (const [id, member] of room() ?? []) if (id !== peerId) member.send(text);
  };
  const leave = () => {
    if (!room()?.delete(peerId)) return;
    if (room().size === 0) rooms.delete(roomId);
    sayToOthers({ type: 'UserLeft', peerId, reason: 'left' });
    roomId = '';
  };

  socket.on('message', (data) => {
    const message = JSON.parse(data.toString());
    switch (message.type) {
      case 'JoinRoom': {
        if (roomId) return say(socket, { type: 'Error', code: 'already-in-room', message: 'one room at a time' });
        roomId = message.roomId;
        if (!room()) rooms.set(roomId, new Map());
        const participants = [...room().keys()].map((id) => ({ peerId: id }));
        sayToOthers({ type: 'UserJoined', peerId });
        room().set(peerId, socket);
        return say(socket, { type: 'RoomJoined', roomId, peerId, resumed: false, participants, iceServers: [] });
      }
      case 'Signal': {
        const to = message.peerId === peerId ? undefined : room()?.get(message.peerId);
        if (!to) return say(socket, { type: 'Error', code: 'unknown-peer', message: 'no such peer here' });
        return say(to, { type: 'Signal', peerId, message: message.message });
      }
      case 'LeaveRoom':
        return leave();
      default:
        return say(socket, { type: 'Error', code: 'unknown-type', message: 'unknown type' });
    }
  });
  socket.on('close', leave);
});
server.on('listening', () => console.log(`port=${server.address().port}`));
