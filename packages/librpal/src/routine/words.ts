import { CACHE_LINE, type Cpu } from '@rpal/hw-x86';
import { reach } from './lib-call.js';

/**
 * Physical address of the word after the one at `word`, which is at `physical`. The words of a line are together; a new
 * line may have to come from another core.
 */
export function nextWord(cpu: Cpu, physical: number, word: number, write: boolean): number {
  return (physical & (CACHE_LINE - 1)) < CACHE_LINE - 8 ? physical + 8 : reach(cpu, word + 8, write);
}
