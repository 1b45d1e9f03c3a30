import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ARENA_UNITS, areaText, HEAP_UNITS, type MemoryCall, type Observation } from './calls.js';

const HUGE_MODE = '/sys/kernel/mm/transparent_hugepage/enabled';

/**
 * The Linux of the computer at hand, reached through native/memory-server.c.
 *
 * To the server: per sequence the number of calls, then each call as eight 64-bit integers. From the server: 1 or 0, whether
 * page states are told; then per call its result, the minor faults it took, KiB of page tables and of huge pages after it, the
 * number of areas, each area as start, end and attributes
 * (bits 0-3 r, w, x, shared; 8-15 what is mapped; from 16 the offset in pages), and one byte per page.
 */
export class RealKernel {
  readonly release: string = release();
  readonly #server: string;
  readonly #pages: number;

  private constructor(server: string, unit: number) {
    this.#server = server;
    this.#pages = (ARENA_UNITS + HEAP_UNITS) * unit;
  }

  /** Builds the server; or says why there is no kernel to compare with. @param unit pages @param huge huge pages on request */
  static build(unit: number, huge: boolean): RealKernel | string {
    if (process.platform !== 'linux' || process.arch !== 'x64') return 'this is not Linux on x86-64';
    const server = join(mkdtempSync(join(tmpdir(), 'memory-server-')), 'memory-server');
    const source = join(import.meta.dirname, 'native', 'memory-server.c');
    const cc = spawnSync('cc', ['-O2', `-DUNIT=${unit}`, `-DHUGE=${Number(huge)}`, '-o', server, source], { encoding: 'utf8' });
    if (cc.error !== undefined) return 'there is no C compiler (cc)';
    if (cc.status !== 0) throw new Error(cc.stderr);
    const mode = existsSync(HUGE_MODE) ? readFileSync(HUGE_MODE, 'utf8').trim() : 'none';
    if (huge && !mode.includes('[madvise]')) return `this kernel gives no huge pages to those who ask for them: ${mode}`;
    const kernel = new RealKernel(server, unit);
    const trial = spawnSync(server, { input: Buffer.alloc(0), encoding: 'utf8' });
    return trial.status === 0 ? kernel : `memory-server cannot run here: ${trial.stderr}`;
  }

  /** Executes each sequence in a process of its own. */
  run(sequences: readonly (readonly MemoryCall[])[]): Observation[][] {
    const input = Buffer.alloc(sequences.reduce((bytes, sequence) => bytes + 8 + 64 * sequence.length, 0));
    let at = 0;
    const put = (value: number): void => {
      at = input.writeBigInt64LE(BigInt(value), at);
    };
    for (const sequence of sequences) {
      put(sequence.length);
      for (const call of sequence) for (let i = 0; i < 8; i++) put(call[i] ?? 0);
    }
    const { status, stderr, stdout } = spawnSync(this.#server, { input, maxBuffer: 2 ** 31 });
    if (status !== 0) throw new Error(`memory-server ended with ${status}: ${stderr}`);
    return parse(stdout, sequences, this.#pages);
  }
}

function parse(output: Buffer, sequences: readonly (readonly MemoryCall[])[], pagesTold: number): Observation[][] {
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  let at = 0;
  const take = (): number => {
    const value = view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
    at += 8;
    return value;
  };
  const tellsPages = take() === 1;
  return sequences.map((sequence) =>
    sequence.map(() => {
      const [result, faults, tables, hugePages] = [take(), take(), take() / 4, take() / 2048];
      const areas = Array.from({ length: take() }, () => {
        const [start, end, attributes] = [take(), take(), take()];
        return areaText(start, end, attributes & 0xf, (attributes >>> 8) & 0xff, Math.floor(attributes / 2 ** 16));
      });
      const length = tellsPages ? pagesTold : 0;
      for (let i = 0; i < length; i++) output[at + i] = (output[at + i] as number) + 48;
      const pages = output.toString('latin1', at, at + length);
      at += length;
      return { result, faults, tables, hugePages, areas, pages };
    }),
  );
}
