/** A set of CPUs (Linux: `cpumask`). */
export class CpuSet {
  readonly words: Int32Array;
  /** How many CPUs are in it. */
  size = 0;

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
    if (this.has(cpu)) return;
    this.size++;
    this.words[cpu >>> 5] = (this.words[cpu >>> 5] as number) | (1 << (cpu & 31));
  }

  remove(cpu: number): void {
    if (!this.has(cpu)) return;
    this.size--;
    this.words[cpu >>> 5] = (this.words[cpu >>> 5] as number) & ~(1 << (cpu & 31));
  }

  clear(): void {
    this.size = 0;
    this.words.fill(0);
  }

  /** Lowest member; -1 if empty. */
  get first(): number {
    return this.after(-1);
  }

  /** Lowest member above `cpu`; -1 if there is none. */
  after(cpu: number): number {
    const from = cpu + 1;
    for (let i = from >>> 5; i < this.words.length; i++) {
      const word = (this.words[i] as number) & (i === from >>> 5 ? -1 << (from & 31) : -1);
      if (word !== 0) return i * 32 + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  equals(other: CpuSet): boolean {
    if (this === other) return true;
    if (this.size !== other.size) return false;
    for (let i = 0; i < this.words.length; i++) if (this.words[i] !== other.words[i]) return false;
    return true;
  }
}

/** The lowest CPU from `from` on that is in all three sets; -1 if there is none. */
export function nextCommon(from: number, a: CpuSet, b: CpuSet, c: CpuSet): number {
  for (let i = from >>> 5; i < a.words.length; i++) {
    let word = (a.words[i] as number) & (b.words[i] as number) & (c.words[i] as number);
    if (i === from >>> 5) word &= -1 << (from & 31);
    if (word !== 0) return i * 32 + 31 - Math.clz32(word & -word);
  }
  return -1;
}
