import { describe, expect, it } from 'vitest';
import { EventSeam } from '../src/index.js';

describe('EventSeam', () => {
  it('tells emitters whether anybody listens', () => {
    const event = new EventSeam<[number]>('tick');
    expect(event.observed).toBe(false);
    const first = event.on(() => {});
    const second = event.on(() => {});
    first();
    expect(event.observed).toBe(true);
    second();
    expect(event.observed).toBe(false);
  });

  it('passes positional arguments to all observers, in the order in which they came', () => {
    const event = new EventSeam<[cpu: number, name: string]>('switch');
    const seen: string[] = [];
    event.on((cpu, name) => seen.push(`a ${cpu} ${name}`));
    event.on((cpu, name) => seen.push(`b ${cpu} ${name}`));
    event.emit(3, 'init');
    expect(seen).toEqual(['a 3 init', 'b 3 init']);
  });

  it('removes just the registration that is undone, also when one function observes twice', () => {
    const event = new EventSeam<[]>('tick');
    let calls = 0;
    const observer = (): void => {
      calls++;
    };
    const undo = event.on(observer);
    event.on(observer);
    undo();
    undo();
    event.emit();
    expect(calls).toBe(1);
    expect(event.observed).toBe(true);
  });
});
