import { XPublisher } from 'zeromq';

/** ZMQ_SUBSCRIBE and ZMQ_UNSUBSCRIBE: on an XPUB with manual subscriptions they act for the peer whose request was read last. */
const SUBSCRIBE = 6;
const UNSUBSCRIBE = 7;

/** An XPUB whose subscribers hear only what they are granted. To be called before the next request is read. */
export class GuardedPublisher extends XPublisher {
  grant(topic: string): void {
    this.setStringOption(SUBSCRIBE, topic);
  }

  withdraw(topic: string): void {
    this.setStringOption(UNSUBSCRIBE, topic);
  }
}
