import { createSocket } from 'node:dgram';

const LOOPBACK = '127.0.0.1';
const GROUP = '224.0.0.251';
const ANSWER_MS = 1000;

/** Do datagrams to the mDNS group come back by the loopback interface? Not on every system, nor in every container. */
export function hasMulticast(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    const end = (heard: boolean): void => {
      clearTimeout(patience);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close(() => resolve(heard));
    };
    const patience = setTimeout(() => end(false), ANSWER_MS);
    socket.once('error', () => end(false)).once('message', () => end(true));
    socket.bind(0, () => {
      try {
        socket.addMembership(GROUP, LOOPBACK);
        socket.setMulticastInterface(LOOPBACK);
        socket.send('?', socket.address().port, GROUP);
      } catch {
        end(false);
      }
    });
  });
}
