/**
 * Why a value is wrong, as the end of a sentence that begins with who gave it: `answers 17, which is not a whole number from 0 to 15`
 * for `17, which is ...`. Null if it is right.
 */
export type Refusal<T, A extends readonly unknown[] = []> = (value: T, ...args: A) => string | null;

/** A value as a message shows it: short. Never throws. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  if (typeof value === 'symbol') return value.toString();
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== 'Object' && name !== '' ? `an object of class ${name}` : 'an object';
}

/** Refuses what is not a whole number from `low` to `high`. */
export function wholeNumber(low: number, high: number): Refusal<number> {
  return (value) => (Number.isInteger(value) && value >= low && value <= high ? null : `is not a whole number from ${low} to ${high}`);
}

/** Refuses what is not a result of a system call that did its work or failed: 0 or a negative errno. */
export const zeroOrErrno: Refusal<number> = (value) =>
  Number.isInteger(value) && value <= 0 && value >= -4095 ? null : 'is neither 0 nor a negative errno';

/** Refuses what is neither `true` nor `false`. */
export const trueOrFalse: Refusal<boolean> = (value) => (typeof value === 'boolean' ? null : 'is neither true nor false');

/** Refuses objects without these methods. */
export function withMethods<T>(...methods: readonly (keyof T & string)[]): Refusal<T> {
  return (value) => {
    const lacking = methods.filter((method) => typeof (value as Record<string, unknown> | null | undefined)?.[method] !== 'function');
    if (lacking.length === 0) return null;
    return `lacks ${lacking.map((method) => `${method}()`).join(', ')}`;
  };
}
