import type { BareCore } from '@rpal/hw-x86';

/** Part of a program on a core: other cores go on, and interrupts come, wherever it yields. */
export type Routine<T = void> = Generator<void, T>;

/** Memory as one side of a channel reads and writes it: words of 64 bits that hold whole numbers from 0 to 2^53 - 1. */
export interface Words {
  load(address: number): Routine<number>;
  store(address: number, value: number): Routine;
  /**
   * Stores words one after the other from `address` on, all in one cache line. Others may see any number of the first ones before
   * the rest; on a core they follow each other so closely that nobody does.
   */
  storeLine(address: number, words: readonly number[]): Routine;
  /** Lets a moment pass between two looks at a word. */
  pause(): Routine;
}

/**
 * The memory of the address space that `core` has loaded. Each access happens in its turn among those of other cores. Looking again takes
 * as long as a load that hits. @public for channels of your own
 */
export function wordsOf(core: BareCore): Words {
  const { costs } = core.cpu;
  const look = costs.cycles(costs.profile.cache.l1d.latency);
  return {
    *load(address) {
      yield;
      return core.read64(address);
    },
    *store(address, value) {
      yield;
      core.write64(address, value);
    },
    *storeLine(address, words) {
      yield;
      for (let i = 0; i < words.length; i++) core.write64(address + 8 * i, words[i] as number);
    },
    pause: () => core.compute(look),
  };
}
