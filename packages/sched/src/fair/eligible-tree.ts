import type { SchedEntity } from './sched-entity.js';

/**
 * The entities of a fair queue, ordered by virtual deadline, each node knowing the least vruntime below it: what EEVDF
 * needs to find the earliest deadline among the eligible in logarithmic time. A treap whose priorities come from a
 * counter, so its shape depends on the order of insertions only.
 */
export class EligibleTree {
  root: SchedEntity | null = null;
  size = 0;
  #counter = 0;

  insert(entity: SchedEntity): void {
    entity.left = null;
    entity.right = null;
    entity.order = ++this.#counter;
    entity.priority = Math.imul(this.#counter, 0x9e3779b1);
    entity.minVruntime = entity.vruntime;
    this.root = this.root === null ? entity : insertBelow(this.root, entity);
    this.size++;
  }

  remove(entity: SchedEntity): void {
    this.root = removeBelow(this.root, entity);
    entity.left = null;
    entity.right = null;
    this.size--;
  }

  /** Earliest deadline. */
  get first(): SchedEntity | null {
    let node = this.root;
    while (node !== null && node.left !== null) node = node.left;
    return node;
  }

  *[Symbol.iterator](): Generator<SchedEntity> {
    const stack: SchedEntity[] = [];
    let node = this.root;
    while (node !== null || stack.length > 0) {
      while (node !== null) {
        stack.push(node);
        node = node.left;
      }
      const next = stack.pop() as SchedEntity;
      yield next;
      node = next.right;
    }
  }
}

export function before(a: SchedEntity, b: SchedEntity): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}

function refresh(node: SchedEntity): SchedEntity {
  let least = node.vruntime;
  if (node.left !== null && node.left.minVruntime < least) least = node.left.minVruntime;
  if (node.right !== null && node.right.minVruntime < least) least = node.right.minVruntime;
  node.minVruntime = least;
  return node;
}

function insertBelow(node: SchedEntity, entity: SchedEntity): SchedEntity {
  if (before(entity, node)) {
    const left = node.left === null ? entity : insertBelow(node.left, entity);
    node.left = left;
    if (left.priority > node.priority) {
      node.left = left.right;
      left.right = refresh(node);
      return refresh(left);
    }
  } else {
    const right = node.right === null ? entity : insertBelow(node.right, entity);
    node.right = right;
    if (right.priority > node.priority) {
      node.right = right.left;
      right.left = refresh(node);
      return refresh(right);
    }
  }
  return refresh(node);
}

function removeBelow(node: SchedEntity | null, entity: SchedEntity): SchedEntity | null {
  if (node === null) return null;
  if (node === entity) return join(node.left, node.right);
  if (before(entity, node)) node.left = removeBelow(node.left, entity);
  else node.right = removeBelow(node.right, entity);
  return refresh(node);
}

function join(left: SchedEntity | null, right: SchedEntity | null): SchedEntity | null {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    return refresh(left);
  }
  right.left = join(left, right.left);
  return refresh(right);
}
