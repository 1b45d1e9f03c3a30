import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Compared, compared, operations } from '../src/instructions/comparison.js';
import { instructionsJson, render } from '../src/instructions/instructions-command.js';
import { run } from './terminal.js';

/** What has to agree to within a tenth: messages, copies between processes, changes of mappings, yields, futexes, processes. */
const HELD = /^(pipe: (read|write|round)|stream|dgram|mq|process_vm|mprotect|munmap|madvise|mmap|touch|sched_yield|futex|fork)/;

describe('instructions booked, against those counted on a real kernel', () => {
  const rows = operations.map(compared).filter((row): row is Compared => row !== null);

  it('every operation of the model has been counted, and each is there once', () => {
    expect(rows.map(({ name }) => name)).toEqual(operations.map(({ name }) => name));
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  });

  it('are within a tenth for messages of all sizes, mappings, yields, futexes and processes, but for those that say why', () => {
    const off = rows.filter(({ name, relativeError }) => HELD.test(name) && Math.abs(relativeError) > 0.1);
    expect(off.filter(({ why }) => why === null)).toEqual([]);
    expect(off.map(({ name }) => name)).toMatchInlineSnapshot(`
      [
        "pipe: write of 8192 B",
        "pipe: read of 8192 B",
        "pipe: write of 16384 B",
        "pipe: read of 16384 B",
        "pipe: round trip of 8192 B, both sleep",
        "stream: round trip of 262144 B, both sleep",
        "madvise DONTNEED: 512 untouched pages",
      ]
    `);
  });

  it('are in the documentation, every one', async () => {
    const text = [
      '# Instructions, booked and counted',
      '',
      '`rpal-bench instructions` prints:',
      '',
      '```text',
      render(rows).trimEnd(),
      '```',
      '',
    ];
    await expect(text.join('\n')).toMatchFileSnapshot(
      join(import.meta.dirname, '../../../docs/instructions.md'),
      'stale: run this test with --update',
    );
  });
});

describe('rpal-bench instructions', () => {
  it('takes a part, and says it as JSON too', async () => {
    const { code, stdout } = await run(['instructions', '--of', 'sched_yield alone', '--json', '-']);
    const report = instructionsJson.parse(JSON.parse(stdout));
    expect(code).toBe(0);
    expect(report.data.operations).toEqual([expect.objectContaining({ name: 'sched_yield alone', counted: 847, booked: 847, why: null })]);
  });

  it('says when there is no such operation', async () => {
    expect(await run(['instructions', '--of', 'teleport'])).toMatchObject({
      code: 2,
      stderr: 'rpal-bench: --of: no operation has "teleport" in its name; without --of all are listed\n',
    });
  });
});
