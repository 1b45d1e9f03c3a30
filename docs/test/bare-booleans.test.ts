import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { bareBooleans } from '../bare-booleans.ts';
import { membersIn, root } from './outside-project.ts';

const folders = membersIn('packages', 'plugins');
const directory = mkdtempSync(join(root, 'docs/node_modules/.bare-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('nothing that a package exports is called with a bare true or false, and such a call is found', { timeout: 300_000 }, () => {
  const careless = join(directory, 'careless.ts');
  writeFileSync(
    careless,
    `import type { Mmu } from '@rpal/hw-x86';\nexport const flush = (mmu: Mmu) => mmu.invpcidAll(true);\nexport const named = (mmu: Mmu, globals: boolean) => mmu.invpcidAll(globals);\n`,
  );
  expect(bareBooleans(root, folders, [careless])).toEqual([`mmu.invpcidAll: ${careless.slice(root.length)}:2`]);
});
