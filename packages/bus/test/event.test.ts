import { describe, expect, it } from 'vitest';
import { EventSeam } from '../src/index.js';

describe('EventSeam', () => {
  it('tells emitters whether anybody listens', () => {
    const event = new EventSeam<[number]>('tick');
    expect(event.observed).toBe(false);
    const first = event.on('test', () => {});
    const second = event.on('test', () => {});
    first();
    expect(event.observed).toBe(true);
    second();
    expect(event.observed).toBe(false);
  });

  it('passes positional arguments to all observers, in the order in which they came', () => {
    const event = new EventSeam<[cpu: number, name: string]>('switch');
    const seen: string[] = [];
    event.on('first', (cpu, name) => seen.push(`a ${cpu} ${name}`));
    event.on('second', (cpu, name) => seen.push(`b ${cpu} ${name}`));
    event.emit(3, 'init');
    expect(seen).toEqual(['a 3 init', 'b 3 init']);
    expect(event.observers).toEqual(['first', 'second']);
  });

  it('removes just the registration that is undone, also when one function observes twice', () => {
    const event = new EventSeam<[]>('tick');
    let calls = 0;
    const observer = (): void => {
      calls++;
    };
    const undo = event.on('test', observer);
    event.on('test', observer);
    undo();
    undo();
    event.emit();
    expect(calls).toBe(1);
    expect(event.observed).toBe(true);
  });

  it('passes six arguments', () => {
    const event = new EventSeam<[number, number, number, number, number, number]>('tick');
    const seen: number[] = [];
    event.on('test', (...all) => seen.push(...all));
    event.emit(1, 2, 3, 4, 5, 6);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('names the observer that threw', () => {
    const event = new EventSeam<[]>('tick');
    event.on('calm', () => {});
    event.on('hasty', () => {
      throw new Error('oops');
    });
    expect(() => event.emit()).toThrow('plugin "hasty" threw in its observer of "tick": oops');
  });

  it('tells those who were there when it was emitted', () => {
    const event = new EventSeam<[]>('tick');
    const seen: string[] = [];
    const undo = event.on('a', () => {
      seen.push('a');
      undo();
      event.on('late', () => seen.push('late'));
    });
    event.on('b', () => seen.push('b'));
    event.emit();
    expect(seen).toEqual(['a', 'b']);
    event.emit();
    expect(seen).toEqual(['a', 'b', 'b', 'late']);
  });

  it('refuses observers without a name, and what is not a function', () => {
    const event = new EventSeam<[]>('tick');
    expect(() => event.on((() => {}) as never, undefined as never)).toThrow('"tick" was observed without a name');
    expect(() => event.on('a', undefined as never)).toThrow('plugin "a" observed "tick" with undefined; give a function');
    expect(() => event.on('a', async () => {})).toThrow('with an async function');
    expect(event.observed).toBe(false);
  });
});
