import type { Tracer } from './combine.js';
import { BusError } from './errors.js';
import { EventSeam } from './event.js';
import { Hook } from './hook.js';
import { didYouMean } from './nearest.js';
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
  /** Plugins at this seam in running order; for a slot its provider, for an event its observers. Empty: nobody. */
  readonly plugins: readonly string[];
}

/** The seams of one machine. Packages declare theirs into it while the machine is built. */
export class Bus {
  readonly hooks: Hooks = seamsOf('hook') as Hooks;
  readonly slots: Slots = seamsOf('slot') as Slots;
  readonly events: Events = seamsOf('event') as Events;
  #sealed = false;
  readonly #tracers: Tracer[] = [];

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

  /** The machine is being torn down: undos of taps and providers work again. */
  unseal(): void {
    for (const hook of this.#all(this.hooks, Hook)) hook.unseal();
    for (const slot of this.#all(this.slots, Slot)) slot.unseal();
    this.#sealed = false;
  }

  /** Takes a plugin out of every hook, slot and event. */
  release(plugin: string): void {
    for (const hook of this.#all(this.hooks, Hook)) hook.release(plugin);
    for (const slot of this.#all(this.slots, Slot)) slot.release(plugin);
    for (const event of this.#all(this.events, EventSeam)) event.release(plugin);
  }

  /**
   * Shows every answer of every tap of the hooks declared so far, as it is given; at any time. Returns its own undo.
   * While nobody traces, it costs nothing.
   */
  trace(tracer: Tracer): () => void {
    this.#tracers.push(tracer);
    this.#applyTracers();
    return () => {
      const at = this.#tracers.indexOf(tracer);
      if (at >= 0) this.#tracers.splice(at, 1);
      this.#applyTracers();
    };
  }

  #applyTracers(): void {
    const tracers = [...this.#tracers];
    const all: Tracer = (...call) => {
      for (const tracer of tracers) tracer(...call);
    };
    for (const hook of this.#all(this.hooks, Hook)) hook.trace(tracers.length === 0 ? null : all);
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
        return { kind: 'event', name: event.name, plugins: event.observers };
      }),
    ];
  }

  #all<T>(group: object, kind: abstract new (...args: never[]) => T): T[] {
    return Object.values(group).filter((seam): seam is T => seam instanceof kind);
  }
}

/**
 * An object for the seams of one kind. Asked for one that nobody has declared, it throws and says which was meant. Those that
 * are there are found before: they are properties of its own.
 */
function seamsOf(kind: 'event' | 'hook' | 'slot'): object {
  const seams: object = Object.create(
    new Proxy(Object.prototype, {
      get(prototype, name) {
        if (typeof name === 'symbol' || name in prototype || name === 'then' || name === 'toJSON') return Reflect.get(prototype, name);
        const names = Object.keys(seams);
        const hint = didYouMean(name, names) || '; if a plugin declares it, require that plugin';
        throw new BusError('UNKNOWN_SEAM', `there is no ${kind} "${name}" on this machine${hint}`);
      },
    }),
  );
  return seams;
}

function merge(target: object, source: object | undefined): void {
  for (const [name, seam] of Object.entries(source ?? {})) {
    if (Object.hasOwn(target, name))
      throw new BusError('DUPLICATE_SEAM', `seam "${name}" is declared twice; give one of the two another name`);
    (target as Record<string, unknown>)[name] = seam;
  }
}
