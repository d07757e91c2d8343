// PeerJS's own signaling server, as its package starts it. Prints "port=N" once it listens.
import { PeerServer } from 'peer';

const limits = { alive_timeout: 600_000, concurrent_limit: 50_000 };
PeerServer({ host: '127.0.0.1', port: 0, path: '/', ...limits }, (server) => {
  console.log(`port=${server.address().port}`);
});
