/** A set of CPUs (Linux: `cpumask`). */
export class CpuSet {
  readonly words: Int32Array;

  constructor(cpus: number, members?: Iterable<number>) {
    this.words = new Int32Array(Math.ceil(cpus / 32));
    for (const cpu of members ?? []) this.add(cpu);
  }

  static all(cpus: number): CpuSet {
    return new CpuSet(
      cpus,
      Array.from({ length: cpus }, (_, cpu) => cpu),
    );
  }

  has(cpu: number): boolean {
    return ((this.words[cpu >>> 5] as number) & (1 << (cpu & 31))) !== 0;
  }

  add(cpu: number): void {
    this.words[cpu >>> 5] = (this.words[cpu >>> 5] as number) | (1 << (cpu & 31));
  }

  remove(cpu: number): void {
    this.words[cpu >>> 5] = (this.words[cpu >>> 5] as number) & ~(1 << (cpu & 31));
  }

  get size(): number {
    let count = 0;
    for (let word of this.words) for (; word !== 0; word &= word - 1) count++;
    return count;
  }

  /** Lowest member; -1 if empty. */
  get first(): number {
    for (let i = 0; i < this.words.length; i++) {
      const word = this.words[i] as number;
      if (word !== 0) return i * 32 + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  equals(other: CpuSet): boolean {
    return this.words.every((word, i) => word === other.words[i]);
  }
}
