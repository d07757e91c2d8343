// The server that aloha replaces, rebuilt: express serves the page, socket.io carries the signaling.
// Prints "port=N" once it listens.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { Server } from 'socket.io';

const files = path.join(path.dirname(fileURLToPath(import.meta.url)), 'public');
const app = express();
app.use(express.static(files));
app.get('/', (_request, response) => response.redirect(`/room/${randomUUID()}`));
app.get('/room/:roomId', (_request, response) => response.sendFile(path.join(files, 'room.html')));

const server = createServer(app);
const io = new Server(server, { transports: ['websocket'] });
io.on('connection', (socket) => {
  socket.on('JoinRoom', (roomId) => {
    socket.to(roomId).emit('UserJoined', socket.id);
    socket.join(roomId);
    socket.on('disconnect', () => socket.to(roomId).emit('UserLeft', socket.id));
  });
  socket.on('Signal', (peerId, message) => {
    io.to(peerId).emit('Signal', socket.id, message);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port=${server.address().port}`));
