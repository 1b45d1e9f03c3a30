import type { FileRecord } from '../archive/records.js';
import { deviceNumber, FullFile, NullFile, RandomFile, ZeroFile } from '../open/device-file.js';
import type { SpecialOpener } from '../tree/tree-file.js';

/** Character devices: name, number and what opens them (Linux: drivers/char/mem.c and random.c). */
const DEVICES: readonly (readonly [name: string, major: number, minor: number, opener: SpecialOpener])[] = [
  ['null', 1, 3, (tree, dentry, flags) => new NullFile(tree, dentry, flags)],
  ['zero', 1, 5, (tree, dentry, flags) => new ZeroFile(tree, dentry, flags)],
  ['full', 1, 7, (tree, dentry, flags) => new FullFile(tree, dentry, flags)],
  ['random', 1, 8, (tree, dentry, flags) => new RandomFile(tree, dentry, flags)],
  ['urandom', 1, 9, (tree, dentry, flags) => new RandomFile(tree, dentry, flags)],
];

export const devices: readonly (readonly [number: number, opener: SpecialOpener])[] = DEVICES.map(([, major, minor, opener]) => [
  deviceNumber(major, minor),
  opener,
]);

/** What every tree begins with. */
export const STANDARD_FILES: readonly FileRecord[] = [
  { path: 'dev' },
  ...DEVICES.map(([name, major, minor]): FileRecord => ({ path: `dev/${name}`, type: 'character', mode: 0o666, major, minor })),
  { path: 'dev/shm', mode: 0o1777 },
  { path: 'tmp', mode: 0o1777 },
  { path: 'proc', mode: 0o555 },
  { path: 'sys/fs/cgroup', mode: 0o755 },
];
