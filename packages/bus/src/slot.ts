import { BusError } from './errors.js';
import { type Refusal, shown, withMethods } from './refusals.js';

/** How a slot behaves. */
export interface SlotOptions<T> {
  /** What fills the slot when no plugin does. */
  readonly fallback?: T;
  /** An empty slot is an error at boot. */
  readonly required?: boolean;
  /** Methods that a provider must have: checked when a plugin provides it. */
  readonly methods?: readonly (keyof T & string)[];
  /** Called at boot: returns why the machine cannot work with the provider; null if it can. */
  readonly refuse?: Refusal<T>;
}

/**
 * Exactly one provider of a mechanism, chosen while the machine is built.
 * Two providers, or none where one is required, is an error that names the plugins.
 */
export class Slot<T> {
  readonly name: string;
  readonly #required: boolean;
  readonly #fallback: T | undefined;
  readonly #methods: readonly (keyof T & string)[];
  readonly #refuse: Refusal<T> | undefined;
  #provider: string | undefined;
  #value: T | undefined;
  #sealed = false;

  constructor(name: string, options: SlotOptions<T> = {}) {
    this.name = name;
    this.#fallback = options.fallback;
    this.#required = options.required ?? false;
    this.#methods = options.methods ?? [];
    this.#refuse = options.refuse;
  }

  /** Name of the plugin that fills the slot; `undefined` if it is empty or holds its fallback. */
  get provider(): string | undefined {
    return this.#provider;
  }

  /** What fills the slot. @throws BusError SLOT_EMPTY if nothing does */
  get value(): T {
    const value = this.#value ?? this.#fallback;
    if (value === undefined) {
      throw new BusError('SLOT_EMPTY', `slot "${this.name}" has no provider; add a plugin that provides it`);
    }
    return value;
  }

  get filled(): boolean {
    return (this.#value ?? this.#fallback) !== undefined;
  }

  /**
   * Fills the slot; returns its own undo.
   * @throws BusError SLOT_TAKEN if another plugin fills it, SEALED after boot, also from the undo, INVALID_PLUGIN if methods are missing
   */
  provide(plugin: string, value: T): () => void {
    if (typeof plugin !== 'string' || plugin === '') {
      const remedy = "give the plugin's name first";
      throw new BusError('INVALID_PLUGIN', `"${this.name}" was provided without a name: ${shown(plugin)} is none; ${remedy}`);
    }
    this.#requireOpen(`plugin "${plugin}" provided "${this.name}"`);
    const reason = value === undefined ? 'is nothing' : withMethods<T>(...this.#methods)(value);
    if (reason !== null) {
      const wanted = this.#methods.length === 0 ? 'a value' : `an object with ${this.#methods.map((name) => `${name}()`).join(', ')}`;
      throw new BusError(
        'INVALID_PLUGIN',
        `plugin "${plugin}" provided "${this.name}" with ${shown(value)}, which ${reason}; give ${wanted}`,
      );
    }
    if (this.#provider !== undefined) {
      throw new BusError(
        'SLOT_TAKEN',
        `slot "${this.name}" has two providers, "${this.#provider}" and "${plugin}"; remove one of the two plugins`,
      );
    }
    this.#provider = plugin;
    this.#value = value;
    return () => {
      if (this.#provider !== plugin) return;
      this.#requireOpen(`plugin "${plugin}" took back what it provided for "${this.name}"`);
      this.release(plugin);
    };
  }

  /** Empties the slot if `plugin` fills it, sealed or not: teardown, not composition. */
  release(plugin: string): void {
    if (this.#provider !== plugin) return;
    this.#provider = undefined;
    this.#value = undefined;
  }

  /**
   * From here on the provider is fixed.
   * @throws BusError SLOT_EMPTY if the slot is required and empty, SLOT_REFUSED if the machine cannot work with the provider
   */
  seal(): void {
    if (this.#required && !this.filled) {
      throw new BusError('SLOT_EMPTY', `slot "${this.name}" is required and has no provider; add a plugin that provides it`);
    }
    const reason = this.filled ? (this.#refuse?.(this.value) ?? null) : null;
    if (reason !== null) {
      const holder = this.#provider === undefined ? 'holds its default' : `is filled by "${this.#provider}"`;
      throw new BusError('SLOT_REFUSED', `slot "${this.name}" ${holder}, which ${reason}`);
    }
    this.#sealed = true;
  }
  /** The machine is being torn down: undos work again. */
  unseal(): void {
    this.#sealed = false;
  }

  #requireOpen(what: string): void {
    if (this.#sealed) throw new BusError('SEALED', `${what} after the machine was sealed; fill slots in the plugin's setup()`);
  }
}
