// A process of its own: a plain TCP echo, to compare the server with. It tells its port to whoever forked it.
import net from 'node:net';

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => process.send?.(/** @type {net.AddressInfo} */ (server.address()).port));
process.on('disconnect', () => process.exit());
