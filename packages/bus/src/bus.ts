import { BusError } from './errors.js';
import { EventSeam } from './event.js';
import { Hook } from './hook.js';
import { Slot } from './slot.js';

/** All hooks, by name. Each package merges its own into this interface; see its `src/seams.ts`. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Hooks {}

/** All slots, by name. Filled by declaration merging, as `Hooks`. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Slots {}

/** All events, by name. Filled by declaration merging, as `Hooks`. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Events {}

/** The seams that one package declares. */
export interface Seams {
  readonly hooks?: object;
  readonly slots?: object;
  readonly events?: object;
}

/** What is plugged in where: one row per seam, for people and programs. */
export interface SeamDescription {
  readonly kind: 'event' | 'hook' | 'slot';
  readonly name: string;
  /** Plugins at this seam in running order; for a slot its provider. Empty: nobody. */
  readonly plugins: readonly string[];
}

/** The seams of one machine. Packages declare theirs into it while the machine is built. */
export class Bus {
  readonly hooks: Hooks = {} as Hooks;
  readonly slots: Slots = {} as Slots;
  readonly events: Events = {} as Events;
  #sealed = false;

  get sealed(): boolean {
    return this.#sealed;
  }

  /** Adds the seams of a package. @throws BusError DUPLICATE_SEAM if a name of the same kind is taken */
  declare(seams: Seams): void {
    merge(this.hooks, seams.hooks);
    merge(this.slots, seams.slots);
    merge(this.events, seams.events);
  }

  /** Fixes every hook and slot; events stay open to observers. */
  seal(): void {
    for (const hook of this.#all(this.hooks, Hook)) hook.seal();
    for (const slot of this.#all(this.slots, Slot)) slot.seal();
    this.#sealed = true;
  }

  /** Takes a plugin out of every hook and slot. Its observers of events are its own to remove. */
  release(plugin: string): void {
    for (const hook of this.#all(this.hooks, Hook)) hook.release(plugin);
    for (const slot of this.#all(this.slots, Slot)) slot.release(plugin);
  }

  describe(): readonly SeamDescription[] {
    return [
      ...this.#all(this.hooks, Hook).map((hook): SeamDescription => {
        return { kind: 'hook', name: hook.name, plugins: hook.taps.map((tap) => tap.plugin) };
      }),
      ...this.#all(this.slots, Slot).map((slot): SeamDescription => {
        return { kind: 'slot', name: slot.name, plugins: slot.provider === undefined ? [] : [slot.provider] };
      }),
      ...this.#all(this.events, EventSeam).map((event): SeamDescription => {
        return { kind: 'event', name: event.name, plugins: [] };
      }),
    ];
  }

  #all<T>(group: object, kind: abstract new (...args: never[]) => T): T[] {
    return Object.values(group).filter((seam): seam is T => seam instanceof kind);
  }
}

function merge(target: object, source: object | undefined): void {
  for (const [name, seam] of Object.entries(source ?? {})) {
    if (name in target) throw new BusError('DUPLICATE_SEAM', `seam "${name}" is declared twice; give one of the two another name`);
    (target as Record<string, unknown>)[name] = seam;
  }
}
