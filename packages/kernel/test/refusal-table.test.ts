import { errnoName, LinuxCall } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { edgeCase } from './real/edge-cases.js';
import { EdgeModel } from './real/edge-model.js';
import { REFUSALS } from './real/refusal-table.js';

const NAMES = new Map<number, string>(Object.entries(LinuxCall).map(([name, nr]) => [nr, name]));

describe('what Linux was seen to refuse', () => {
  it('is refused by the model for the same reason', { timeout: 120_000 }, () => {
    const model = new EdgeModel();
    const others: string[] = [];
    for (const [nr, registers, errno] of REFUSALS) {
      const answer = model.execute(edgeCase([nr, ...registers]));
      const result = Number(answer.split(' ')[0]);
      if (result !== errno) others.push(`${NAMES.get(nr)}(${registers.join(', ')}): ${answer}, Linux ${errnoName(errno)}`);
    }
    expect(others).toEqual([]);
    expect(new Set(REFUSALS.map(([nr]) => nr)).size).toBeGreaterThan(90);
  });
});
