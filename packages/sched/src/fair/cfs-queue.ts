import { before, EligibleTree } from './eligible-tree.js';
import type { SchedEntity } from './sched-entity.js';

/** sched_features of 6.15 that decide anything here. */
export const Feature = {
  PLACE_LAG: true,
  PLACE_DEADLINE_INITIAL: true,
  PLACE_REL_DEADLINE: true,
  RUN_TO_PARITY: true,
  PREEMPT_SHORT: true,
  DELAY_DEQUEUE: true,
  DELAY_ZERO: true,
} as const;

/** Why an entity joins a queue. */
export const Enqueue = {
  /** It comes from another queue. */
  MOVE: 0,
  /** It has slept. */
  WAKE_UP: 1,
  /** It has just been made. */
  NEW: 2,
} as const;

export type Enqueue = (typeof Enqueue)[keyof typeof Enqueue];

/** Why an entity leaves a queue. */
export const Dequeue = {
  /** It goes to another queue. */
  MOVE: 0,
  /** It sleeps. */
  SLEEP: 1,
  /** It sleeps, and stays until its lag is worked off if it is not eligible (DELAY_DEQUEUE). */
  SLEEP_DELAYED: 2,
} as const;

export type Dequeue = (typeof Dequeue)[keyof typeof Dequeue];

/**
 * A fair run queue: EEVDF as in Linux 6.15 (kernel/sched/fair.c). The entity that runs is kept out of the tree; all
 * virtual times are nanoseconds.
 */
export class CfsQueue {
  readonly tree: EligibleTree = new EligibleTree();
  /** The entity that runs. */
  current: SchedEntity | null = null;
  /** Entities on the queue, the running one and delayed ones included. */
  queued = 0;
  minVruntime = 0;
  /** Sum over the tree of (vruntime - minVruntime) x weight, and of the weights. */
  #weighted = 0;
  #load = 0;
  readonly #baseSlice: number;
  readonly #tick: number;

  /** @param baseSlice ns; @param tick ns */
  constructor(baseSlice: number, tick: number) {
    this.#baseSlice = baseSlice;
    this.#tick = tick;
  }

  get load(): number {
    const current = this.current;
    return this.#load + (current?.onRq ? current.weight : 0);
  }

  /** Weighted average of the vruntimes: the virtual time of the queue (Linux: `avg_vruntime`). */
  get average(): number {
    let sum = this.#weighted;
    let load = this.#load;
    const current = this.current;
    if (current?.onRq) {
      sum += (current.vruntime - this.minVruntime) * current.weight;
      load += current.weight;
    }
    return load === 0 ? this.minVruntime : this.minVruntime + Math.floor(sum / load);
  }

  /** An entity is eligible if it has not received more than its share. */
  eligible(entity: SchedEntity): boolean {
    return this.#reached(entity.vruntime);
  }

  #reached(vruntime: number): boolean {
    let sum = this.#weighted;
    let load = this.#load;
    const current = this.current;
    if (current?.onRq) {
      sum += (current.vruntime - this.minVruntime) * current.weight;
      load += current.weight;
    }
    return sum >= (vruntime - this.minVruntime) * load;
  }

  /**
   * Accounts for the running entity's time since the last call.
   * @param clock task clock of the run queue, ns
   * @returns true if it has used up its slice and somebody else waits
   */
  update(clock: number): boolean {
    const current = this.current;
    if (current === null) return false;
    const delta = clock - current.execStart;
    if (delta <= 0) return false;
    current.execStart = clock;
    current.sumExec += delta;
    current.vruntime += current.virtual(delta);
    const expired = this.#renewDeadline(current);
    this.#advance();
    return expired && this.queued > 1;
  }

  #renewDeadline(entity: SchedEntity): boolean {
    if (entity.vruntime < entity.deadline) return false;
    if (!entity.customSlice) entity.slice = this.#baseSlice;
    entity.deadline = entity.vruntime + entity.virtual(entity.slice);
    return true;
  }

  /** Lets `minVruntime` follow; keys in `#weighted` are relative to it. */
  #advance(): void {
    let least = this.tree.root === null ? Number.POSITIVE_INFINITY : this.tree.root.minVruntime;
    const current = this.current;
    if (current?.onRq && current.vruntime < least) least = current.vruntime;
    if (least > this.minVruntime && least !== Number.POSITIVE_INFINITY) {
      this.#weighted -= (least - this.minVruntime) * this.#load;
      this.minVruntime = least;
    }
  }

  /** Puts an entity on the queue. */
  enqueue(entity: SchedEntity, why: Enqueue): void {
    this.place(entity, why);
    entity.onRq = true;
    entity.queue = this;
    this.queued++;
    if (entity !== this.current) this.#enter(entity);
  }

  /** Where an entity that joins stands: its lag is kept (PLACE_LAG), its deadline follows. */
  place(entity: SchedEntity, why: Enqueue): void {
    const average = this.average;
    if (!entity.customSlice) entity.slice = this.#baseSlice;
    let slice = entity.virtual(entity.slice);
    let lag = 0;
    if (Feature.PLACE_LAG && this.queued > 0 && entity.vlag !== 0) {
      // Joining moves the average by the lag that is brought along: scaled so that the lag afterwards is the lag before.
      const load = this.load;
      lag = Math.trunc((entity.vlag * (load + entity.weight)) / (load === 0 ? 1 : load));
    }
    entity.vruntime = average - lag;
    if (entity.relativeDeadline) {
      entity.deadline += entity.vruntime;
      entity.relativeDeadline = false;
      return;
    }
    if (Feature.PLACE_DEADLINE_INITIAL && why === Enqueue.NEW) slice = Math.floor(slice / 2);
    entity.deadline = entity.vruntime + slice;
  }

  /** Takes an entity off the queue, or marks it delayed. @returns true if it is off the queue */
  dequeue(entity: SchedEntity, why: Dequeue): boolean {
    const wasDelayed = entity.delayed;
    if (Feature.DELAY_DEQUEUE && why === Dequeue.SLEEP_DELAYED && !wasDelayed && !this.eligible(entity)) {
      entity.delayed = true;
      return false;
    }
    this.#keepLag(entity);
    // The tree finds it by its deadline, so it leaves before that changes.
    if (entity !== this.current) this.#leave(entity);
    if (Feature.PLACE_REL_DEADLINE && why === Dequeue.MOVE) {
      entity.deadline -= entity.vruntime;
      entity.relativeDeadline = true;
    }
    entity.onRq = false;
    entity.queue = null;
    this.queued--;
    this.#advance();
    if (wasDelayed) {
      entity.delayed = false;
      if (Feature.DELAY_ZERO && entity.vlag > 0) entity.vlag = 0;
    }
    return true;
  }

  /** A delayed entity is woken: it competes for real again. */
  requeue(entity: SchedEntity): void {
    if (Feature.DELAY_ZERO) {
      this.#keepLag(entity);
      if (entity.vlag > 0) {
        this.queued--;
        if (entity !== this.current) this.#leave(entity);
        entity.vlag = 0;
        this.place(entity, Enqueue.WAKE_UP);
        if (entity !== this.current) this.#enter(entity);
        this.queued++;
      }
    }
    entity.delayed = false;
  }

  /** Changes the weight of an entity on the queue; its lag stays worth as much (Linux: `reweight_entity`). */
  reweight(entity: SchedEntity, weight: number): void {
    this.#keepLag(entity);
    const runs = entity === this.current;
    if (runs) this.current = null;
    else this.#leave(entity);
    this.queued--;
    const scale = entity.weight / weight;
    entity.vlag = Math.trunc(entity.vlag * scale);
    entity.deadline = Math.trunc((entity.deadline - entity.vruntime) * scale);
    entity.relativeDeadline = true;
    entity.weight = weight;
    this.place(entity, Enqueue.MOVE);
    this.queued++;
    if (runs) this.current = entity;
    else this.#enter(entity);
    this.#advance();
  }

  /** Puts the running entity back among the waiting ones. */
  putPrevious(entity: SchedEntity): void {
    this.current = null;
    if (entity.onRq) this.#enter(entity);
  }

  /** `entity` is the one that runs. @param clock ns */
  setNext(entity: SchedEntity, clock: number): void {
    if (entity.onRq) {
      this.#leave(entity);
      // RUN_TO_PARITY: an equal vlag and deadline say that it still runs the slice it was picked for.
      entity.vlag = entity.deadline;
    }
    entity.execStart = clock;
    this.current = entity;
  }

  /** Earliest eligible virtual deadline first (Linux: `pick_eevdf`); null if the queue is empty. */
  pick(): SchedEntity | null {
    const { tree } = this;
    let current = this.current;
    if (this.queued === 1) return current?.onRq ? current : tree.root;
    if (current !== null && (!current.onRq || !this.eligible(current))) current = null;
    if (Feature.RUN_TO_PARITY && current !== null && current.vlag === current.deadline) return current;
    let best: SchedEntity | null = null;
    let node = tree.root;
    while (node !== null) {
      if (node.left !== null && this.#reached(node.left.minVruntime)) {
        node = node.left;
      } else if (this.eligible(node)) {
        best = node;
        break;
      } else {
        node = node.right;
      }
    }
    return best === null || (current !== null && before(current, best)) ? current : best;
  }

  /** sched_yield: the running entity forgoes its slice. @param clock ns */
  yieldCurrent(clock: number): void {
    const current = this.current;
    if (current === null || this.queued === 1) return;
    this.update(clock);
    current.deadline += current.virtual(current.slice);
  }

  /** Removes the protection that RUN_TO_PARITY gives the running entity. */
  cancelParity(): void {
    if (this.current !== null) this.current.vlag = this.current.deadline + 1;
  }

  #enter(entity: SchedEntity): void {
    this.#weighted += (entity.vruntime - this.minVruntime) * entity.weight;
    this.#load += entity.weight;
    this.tree.insert(entity);
  }

  #leave(entity: SchedEntity): void {
    this.#weighted -= (entity.vruntime - this.minVruntime) * entity.weight;
    this.#load -= entity.weight;
    this.tree.remove(entity);
  }

  /** Lag at leaving, bounded by two slices or a tick (Linux: `update_entity_lag`). */
  #keepLag(entity: SchedEntity): void {
    const limit = entity.virtual(Math.max(2 * entity.slice, this.#tick));
    entity.vlag = Math.max(-limit, Math.min(limit, this.average - entity.vruntime));
  }
}
