import type { Refusal } from '../kernel/capability.js';
import type { Environment, Routine } from '../kernel/environment.js';
import { LibraryStep } from './steps.js';

/** What a service does with a call. @returns up to eight words */
export type Service = (words: readonly number[], from: number) => Routine<readonly number[]>;

/** Takes calls of others. A service that is called again before it has answered refuses. */
export function offer(environment: Environment, service: Service): void {
  environment.entries.transfer = function* ({ from, words, synchronous }) {
    environment.charge(LibraryStep.lrpcEntry);
    const answer = yield* service(words, from);
    environment.charge(LibraryStep.lrpcExit);
    return synchronous ? answer : null;
  };
}

/** Calls a service: eight words there, eight back. It trusts the service to come back, and nothing else of it. */
export function* call(environment: Environment, service: number, ...words: readonly number[]): Routine<readonly number[] | Refusal> {
  environment.charge(LibraryStep.lrpcCall);
  const answer = yield* environment.call(service, ...words);
  environment.charge(LibraryStep.lrpcReturn);
  return answer;
}
