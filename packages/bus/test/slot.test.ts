import { describe, expect, it } from 'vitest';
import { BusError, Slot } from '../src/index.js';

describe('Slot', () => {
  it('holds what its one provider gave', () => {
    const slot = new Slot<string>('isolation');
    slot.provide('mpk', 'keys');
    expect([slot.value, slot.provider, slot.filled]).toEqual(['keys', 'mpk', true]);
  });

  it('falls back to the default of its package, which is no provider', () => {
    const slot = new Slot<string>('isolation', { fallback: 'none' });
    expect([slot.value, slot.provider, slot.filled]).toEqual(['none', undefined, true]);
    const undo = slot.provide('mpk', 'keys');
    expect(slot.value).toBe('keys');
    undo();
    expect([slot.value, slot.provider]).toEqual(['none', undefined]);
  });

  it('refuses a second provider and names both', () => {
    const slot = new Slot<string>('isolation');
    slot.provide('mpk', 'keys');
    expect(() => slot.provide('vmfunc', 'views')).toThrow(
      new BusError('SLOT_TAKEN', 'slot "isolation" has two providers, "mpk" and "vmfunc"; remove one of the two plugins'),
    );
    expect(slot.value).toBe('keys');
  });

  it('takes another provider after the first withdrew', () => {
    const slot = new Slot<string>('isolation');
    const undo = slot.provide('mpk', 'keys');
    undo();
    slot.provide('vmfunc', 'views');
    undo();
    expect(slot.value).toBe('views');
    // What was taken back once is no longer his to take back: nothing to complain about, even when the slot is sealed.
    slot.seal();
    undo();
    expect(slot.value).toBe('views');
  });

  it('is an error to read while empty, and to seal while required and empty', () => {
    const slot = new Slot<string>('isolation', { required: true });
    expect(() => slot.value).toThrow('slot "isolation" has no provider; add a plugin that provides it');
    expect(() => slot.seal()).toThrow('slot "isolation" is required and has no provider; add a plugin that provides it');
    expect(() => new Slot('optional').seal()).not.toThrow();
  });

  it('takes nobody once sealed', () => {
    const slot = new Slot<string>('isolation');
    slot.seal();
    expect(() => slot.provide('late', 'x')).toThrow(
      `plugin "late" provided "isolation" after the machine was sealed; fill slots in the plugin's setup()`,
    );
  });

  it('refuses at boot what the machine cannot work with, and says who provides it and why', () => {
    const refuse = (value: string) => (value === 'poor' ? 'is too poor for this machine' : null);
    const fallback = new Slot<string>('mechanism', { fallback: 'poor', refuse });
    expect(() => fallback.seal()).toThrow('slot "mechanism" holds its default, which is too poor for this machine');
    fallback.provide('rescuer', 'rich');
    expect(() => fallback.seal()).not.toThrow();
    const slot = new Slot<string>('mechanism', { refuse });
    slot.provide('a', 'poor');
    expect(() => slot.seal()).toThrow('slot "mechanism" is filled by "a", which is too poor for this machine');
  });

  it('refuses a provider without the methods that will be called', () => {
    const slot = new Slot<{ choose(): number; name: string }>('policy', { methods: ['choose'] });
    expect(() => slot.provide('a', { name: 'x' } as never)).toThrow(
      'plugin "a" provided "policy" with an object, which lacks choose(); give an object with choose()',
    );
    expect(() => slot.provide('a', undefined as never)).toThrow('plugin "a" provided "policy" with undefined, which is nothing');
    expect(() => slot.provide({} as never, { name: 'x', choose: () => 1 })).toThrow('was provided without a name');
    expect(slot.filled).toBe(false);
  });

  it('keeps its provider once sealed, until teardown', () => {
    const slot = new Slot<string>('isolation');
    const undo = slot.provide('mpk', 'keys');
    slot.seal();
    expect(undo).toThrow('plugin "mpk" took back what it provided for "isolation" after the machine was sealed');
    expect(slot.value).toBe('keys');
    slot.unseal();
    undo();
    expect(slot.filled).toBe(false);
  });
});
