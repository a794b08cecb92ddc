import type { Fields, Message, MessageType } from '@muster/shared';

/** Requests of a client, and the type of their answer. `watch` accepts any answer: what counts are the pushes that follow. */
export const answerOf = {
  greet: 'greeting',
  submit: 'accepted',
  bind: 'bound',
  put: 'stored',
  sync: 'synced',
  fetch: 'chunk',
  fetchResult: 'chunk',
  watch: 'done',
  cancel: 'done',
  audit: 'audited',
  show: 'task',
  listTasks: 'tasks',
  listNodes: 'nodes',
} as const satisfies Partial<Record<MessageType, MessageType>>;

export type Asked = keyof typeof answerOf;
export type AnswerType<T extends Asked> = (typeof answerOf)[T];
export type Push = Message<'tiles' | 'progress' | 'ended'>;
export type AskFields<T extends Asked> = Omit<Fields<T>, 'request'>;

export interface Answer<T extends Asked> {
  readonly message: Message<AnswerType<T>>;
  /** The bulk frame behind the answer. */
  readonly payload: Uint8Array | null;
  /** The request was sent more than once, so ZeroMQ may still hold its payload: never write to that buffer again. */
  readonly resent: boolean;
}
