import { BusError } from './errors.js';

/** How a slot behaves. */
export interface SlotOptions<T> {
  readonly fallback?: T;
  readonly required?: boolean;
  readonly refuse?: (value: T) => string | null;
}

/**
 * Exactly one provider of a mechanism, chosen while the machine is built.
 * Two providers, or none where one is required, is an error that names the plugins.
 */
export class Slot<T> {
  readonly name: string;
  readonly #required: boolean;
  readonly #fallback: T | undefined;
  readonly #refuse: ((value: T) => string | null) | undefined;
  #provider: string | undefined;
  #value: T | undefined;
  #sealed = false;

  /**
   * @param options `fallback`: what fills the slot when no plugin does; `required`: an empty slot is an error at boot;
   *   `refuse`: asked at boot why the machine cannot work with what fills the slot, null if it can
   */
  constructor(name: string, options: SlotOptions<T> = {}) {
    this.name = name;
    this.#fallback = options.fallback;
    this.#required = options.required ?? false;
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
   * @throws BusError SLOT_TAKEN if another plugin fills it, SEALED after boot
   */
  provide(plugin: string, value: T): () => void {
    if (this.#sealed) {
      throw new BusError(
        'SEALED',
        `plugin "${plugin}" provided "${this.name}" after the machine was sealed; fill slots in the plugin's setup()`,
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
    return () => this.release(plugin);
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
}
