import { fromWireError, MusterError, type Envelope } from '@muster/shared';
import { answerOf, type Answer, type Asked } from './requests.ts';

export interface PendingRequest {
  readonly type: Asked;
  readonly frames: [Buffer, ...Uint8Array[]];
  /** Requests of one scope are dropped together. */
  readonly scope: string;
  readonly resolve: (answer: Answer<Asked>) => void;
  readonly reject: (error: unknown) => void;
  sentMs: number;
  resent: boolean;
  timer?: NodeJS.Timeout;
}

/** Unanswered requests, in the order of asking. */
export class PendingRequests {
  readonly #open = new Map<number, PendingRequest>();
  #last = 0;

  nextRequest(): number {
    this.#last += 1;
    return this.#last;
  }

  get size(): number {
    return this.#open.size;
  }

  add(request: number, question: PendingRequest): void {
    this.#open.set(request, question);
  }

  where(which: (question: PendingRequest) => boolean): PendingRequest[] {
    return [...this.#open.values()].filter(which);
  }

  /** An answer without an open request is ignored: the request was sent twice, or has been dropped. */
  answer(request: number, { message, payload }: Envelope): void {
    const question = this.#take(request);
    if (question === undefined) return;
    if (message.type === 'error') question.reject(fromWireError(message.error));
    else if (message.type !== answerOf[question.type] && question.type !== 'watch') {
      question.reject(new MusterError('PROTOCOL', `the head answered '${question.type}' with '${message.type}'`));
    } else question.resolve({ message: message as Answer<Asked>['message'], payload, resent: question.resent });
  }

  fail(request: number, error: unknown): void {
    this.#take(request)?.reject(error);
  }

  failWhere(which: (question: PendingRequest) => boolean, error: unknown): void {
    for (const [request, question] of this.#open) if (which(question)) this.fail(request, error);
  }

  #take(request: number): PendingRequest | undefined {
    const question = this.#open.get(request);
    this.#open.delete(request);
    clearTimeout(question?.timer);
    return question;
  }
}
