import type { Fields, Message, MessageType } from '@muster/shared';

/** What a client may ask, and the type of the answer. `watch` is answered by whatever the head likes: its effect is the pushes. */
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
  /** The raw frame behind the answer. */
  readonly payload: Uint8Array | null;
  /** The question went out more than once, so ZeroMQ may still hold its payload: never write to that buffer again. */
  readonly resent: boolean;
}
