import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { quirkNames } from '../src/index.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const page = readFileSync(join(root, 'packages/rpal-core/docs/differences.md'), 'utf8');
const [follows = '', differs = ''] = page.split('## What is still different');

const cellsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => /^\| \d\d/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

/** What the model follows: patch, text, files, quirk or correction, test, effect. */
const followed = cellsOf(follows);
/** What it does not: patch, series, model, why. */
const different = cellsOf(differs);

/** Where a path of the page is: below `packages/`, `core` for rpal-core/src, a bare name beside the one before. */
function placeOf(path: string, before: string): string {
  if (path.startsWith('apps/')) return join(root, path);
  if (path.startsWith('core/')) return join(root, 'packages/rpal-core/src', path.slice(5));
  return path.includes('/') ? join(root, 'packages', path) : join(dirname(before), path);
}

describe('docs/differences.md', () => {
  it.each(followed.map((cells) => [cells[0], cells[1], cells] as const))(
    'patch %s, %s: has files, a test, and an effect',
    (_patch, _text, cells) => {
      expect(cells).toHaveLength(6);
      const [, , files = '', kind = '', test = '', effect = ''] = cells;
      let before = '';
      for (const [, path = ''] of files.matchAll(/`([^`]+)`/g)) {
        before = placeOf(path, before);
        expect(existsSync(before), path).toBe(true);
      }
      for (const [, path = ''] of test.matchAll(/`([^` ]+\.test\.ts)`/g)) expect(existsSync(placeOf(path, '')), path).toBe(true);
      for (const [, name = ''] of kind.matchAll(/`([a-z-]+)`/g)) expect(quirkNames).toContain(name);
      expect(kind).toMatch(/correction|`/);
      expect(test).not.toBe('');
      expect(effect).toMatch(/^(none|fingerprint|300 messages)/);
    },
  );

  it.each(different.map((cells) => [cells[0], cells[1], cells] as const))(
    'patch %s, %s: says what the model does instead, and why',
    (_patch, _text, cells) => {
      expect(cells).toHaveLength(4);
      for (const cell of cells) expect(cell).not.toBe('');
    },
  );

  /**
   * What a comparison of the specification with the mailed text has found, by patch, and words of the row that has it: points of the patches 2 to 34 first, then
   * of the library.
   */
  const findings: readonly (readonly [patch: string, words: string])[] = [
    ['15, 27', 'refused wake-up counts as done'],
    ['23', 'count of allowed CPUs'],
    ['13', 'does not trim its CPU mask'],
    ['13', 'INVLPGB'],
    ['13', 'secondary TLBs'],
    ['13', 'user reference'],
    ['13', 'batched unmap'],
    ['15', 'compares the whole word with its low byte'],
    ['17', 'entry of the FS base that is loaded'],
    ['17', 'FS base is known before the record'],
    ['17', 'neither the task that is found nor its service is held'],
    ['16', 'locking fails on a CPU that is not active'],
    ['16', 'second lock loses the affinity'],
    ['16, 19', 'waits for the unlock'],
    ['16', 'migration request'],
    ['18', 'group without quota'],
    ['18', 'with core scheduling nobody asks'],
    ['18', 'waiting task with the right cookie'],
    ['18', 'without group scheduling'],
    ['20, 26', 'uses the receiver of its last switch'],
    ['24', 'dereferences its sender'],
    ['15', 'CPU number that its early exits do not set'],
    ['15', 'check for RUNNING'],
    ['21, 22', "sender's id"],
    ['14', 'userfaultfd'],
    ['14', 'memory cgroup'],
    ['14', 'refused recovery'],
    ['14', 'per-VMA lock'],
    ['21', 'INT 0x80'],
    ['15', 'LAZY_SWITCHED'],
    ['28', 'goes through a pointer'],
    ['27', 'passed deadline'],
    ['27', 'buffer and count are taken from the call context'],
    ['33', "executing CPU's task"],
    ['34', 'dropped once too often'],
    ['27, 34', 'without a reference'],
    ['27, 34', 'that no wait has initialised'],
    ['27, 34', 'timeout in user memory'],
    ['34', 'head of the queue'],
    ['27', 'reports success always'],
    ['31', 'runs the waker once more'],
    ['31', 'no reference on whom it wakes'],
    ['15, 27', 'preempted between INTERRUPTIBLE'],
    ['07, 10, 11, 26', 'mutex inside the mmap lock'],
    ['05', 'oops'],
    ['05', 'unregisters the service, and the end of the process does so again'],
    ['26', 'execute-only'],
    ['26', 'does not depend on whether keys are installed'],
    ['30', 'fork waits'],
    ['27', "receiver's state becomes RUNNING"],
    ['27', 'KERNEL_PENDING is cleared'],
    ['27', 'busy-poll'],
    ['34', 'count, buffer, descriptor, kind'],
    ['28', 'another family'],
    ['28', 'not only streams'],
    ['32', 'AMD driver'],
    ['33', 'both roles'],
    ['33', 'zeroing RCC.total'],
    ['04, 26', 'vfork'],
    ['03', 'is -1'],
    ['12, 31', 'dead bit'],
    ['05', 'load bias'],
    ['05', "a third of the slice's top"],
    ['25, 26, 29', "the caller's service"],
    ['27', 'does not look again'],
    ['05', 'MAP_FIXED'],
    ['09', 'bad entry'],
    ['07', 'kill and free anyway'],
    ['35', 'magic word goes first'],
    ['35', 'event stack is made'],
    ['35', 'ERR_PEER_MEM'],
    ['35', "receiver's number is not range-checked"],
    ['35', 'outdated record'],
    ['35', 'slot without a record stays'],
    ['35', 'event bits are read and written'],
    ['35', 'comparison with LAZY_SWITCH'],
    ['35', 'looked up through libc twice'],
    ['35', 'no function below'],
    ['35', '8 bytes from a field of 4'],
    ['35', 'MOD clears pending bits'],
    ['35', 'key 0 finds'],
    ['35', 'rpal_uds_fdmap` of its owner'],
    ['35', 'failed `rpal_init`'],
    ['35', 'ending a sender clears'],
    ['35', 'uninstalling takes no lock'],
    ['35', 'debugging'],
    ['35', 'byte 18'],
  ];

  it.each(findings)('has a row for patch %s: %s', (patch, words) => {
    const row = [...followed, ...different].find(([number, ...cells]) => number === patch && cells.join(' ').includes(words));
    expect(row).toBeDefined();
  });
});
