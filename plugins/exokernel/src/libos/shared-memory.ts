import { type Capability, capabilityOf, type Refusal, wordsOf } from '../kernel/capability.js';
import type { Environment, Routine } from '../kernel/environment.js';
import { granted } from '../kernel/frames.js';
import type { PageTables } from './page-tables.js';

/** A page of its own for others to bind: whoever transfers to this environment is sent its capability. @public for libraries of your own @returns its capability, or why not */
export function* publish(environment: Environment, tables: PageTables, address: number): Routine<Capability | Refusal> {
  const page = yield* tables.fresh(address);
  if (granted(page)) {
    environment.entries.transfer = function* () {
      yield;
      return wordsOf(page);
    };
  }
  return page;
}

/** Binds the page that another environment publishes. @public for libraries of your own @returns null, or why not */
export function* subscribe(environment: Environment, tables: PageTables, publisher: number, address: number): Routine<Refusal | null> {
  const answer = yield* environment.call(publisher);
  if (!granted(answer)) return answer;
  const [word = 0, check = 0] = answer;
  return yield* tables.map(capabilityOf(word, check), address, 'write');
}
