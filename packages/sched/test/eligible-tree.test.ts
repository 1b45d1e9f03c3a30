import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EligibleTree } from '../src/fair/eligible-tree.js';
import type { SchedEntity } from '../src/fair/sched-entity.js';
import { entityAt } from './tasks.js';

/** The least vruntime below each node, by looking. */
function leastBelow(node: SchedEntity | null): number {
  if (node === null) return Number.POSITIVE_INFINITY;
  return Math.min(node.vruntime, leastBelow(node.left), leastBelow(node.right));
}

function everyNode(node: SchedEntity | null, check: (node: SchedEntity) => void): void {
  if (node === null) return;
  check(node);
  everyNode(node.left, check);
  everyNode(node.right, check);
}

function depth(node: SchedEntity | null): number {
  return node === null ? 0 : 1 + Math.max(depth(node.left), depth(node.right));
}

const operation = fc.record({ insert: fc.boolean(), vruntime: fc.integer({ min: -50, max: 50 }), deadline: fc.nat(20), pick: fc.nat() });

describe('the tree of eligible entities', () => {
  it('holds what was inserted and not removed, by deadline and then by arrival', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const tree = new EligibleTree();
        const held: SchedEntity[] = [];
        for (const { insert, vruntime, deadline, pick } of operations) {
          if (insert || held.length === 0) {
            const entity = entityAt(vruntime, deadline);
            tree.insert(entity);
            held.push(entity);
          } else {
            tree.remove(held.splice(pick % held.length, 1)[0] as SchedEntity);
          }
          const expected = [...held].sort((a, b) => a.deadline - b.deadline || a.order - b.order);
          expect([...tree]).toEqual(expected);
          expect(tree.size).toBe(held.length);
          expect(tree.first).toBe(expected[0] ?? null);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('knows the least vruntime below every node', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const tree = new EligibleTree();
        const held: SchedEntity[] = [];
        for (const { insert, vruntime, deadline, pick } of operations) {
          if (insert || held.length === 0) held.push(entityAt(vruntime, deadline));
          else tree.remove(held.splice(pick % held.length, 1)[0] as SchedEntity);
          if (insert || tree.size < held.length) tree.insert(held.at(-1) as SchedEntity);
          everyNode(tree.root, (node) => expect(node.minVruntime).toBe(leastBelow(node)));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('stays shallow whatever the order of arrival', () => {
    for (const deadline of [(i: number) => i, (i: number) => -i, () => 0, (i: number) => (i * 7919) % 1000]) {
      const tree = new EligibleTree();
      for (let i = 0; i < 4096; i++) tree.insert(entityAt(0, deadline(i)));
      expect(depth(tree.root)).toBeLessThan(40);
    }
  });

  it('has the same shape after the same history', () => {
    const shape = (): string => {
      const tree = new EligibleTree();
      const all = Array.from({ length: 50 }, (_, i) => entityAt(i, (i * 37) % 11));
      for (const entity of all) tree.insert(entity);
      for (let i = 0; i < 50; i += 3) tree.remove(all[i] as SchedEntity);
      const walk = (node: SchedEntity | null): string =>
        node === null ? '.' : `(${walk(node.left)}${all.indexOf(node)}${walk(node.right)})`;
      return walk(tree.root);
    };
    expect(shape()).toBe(shape());
  });
});
