/** Appends to `wrong` what is wrong with a value, as `path: must be ...`. */
export type Check = (value: unknown, path: string, wrong: string[]) => void;

/** A number of `min` .. `max`. */
export function number(min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): Check {
  return such((value) => Number.isFinite(value) && (value as number) >= min && (value as number) <= max, `a number${within(min, max)}`);
}

/** A whole number of `min` .. `max`. */
export function whole(min: number, max = Number.POSITIVE_INFINITY): Check {
  return such(
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    `a whole number${within(min, max)}`,
  );
}

export const positive: Check = such((value) => Number.isFinite(value) && (value as number) > 0, 'a number above 0');

export const flag: Check = such((value) => typeof value === 'boolean', 'true or false');

export function oneOf(...values: readonly string[]): Check {
  return such((value) => values.includes(value as string), `one of ${values.join(', ')}`);
}

/** @param what the valid texts, in words */
export function text(pattern: RegExp, what: string): Check {
  return such((value) => typeof value === 'string' && pattern.test(value), what);
}

export function optional(check: Check): Check {
  return (value, path, wrong) => {
    if (value !== undefined) check(value, path, wrong);
  };
}

/** An object with the fields of `T`, each checked, and no others. */
export function fields<T extends object>(checks: { readonly [K in keyof T]-?: Check }): Check {
  return (value, path, wrong) => {
    if (!isObject(value)) return miss(path, 'an object', wrong);
    for (const [name, check] of Object.entries<Check>(checks)) check(value[name], path === '' ? name : `${path}.${name}`, wrong);
    for (const name of Object.keys(value)) if (!Object.hasOwn(checks, name)) wrong.push(`${path || TOP}: there is no field "${name}"`);
  };
}

/** An object of values of one kind under any names. */
export function values(check: Check): Check {
  return (value, path, wrong) => {
    if (!isObject(value)) return miss(path, 'an object', wrong);
    for (const [name, of] of Object.entries(value)) check(of, `${path}.${name}`, wrong);
  };
}

/** An array of at least one. */
export function list(check: Check): Check {
  return (value, path, wrong) => {
    if (!Array.isArray(value) || value.length === 0) return miss(path, 'an array of at least one', wrong);
    for (const [index, of] of value.entries()) check(of, `${path}.${index}`, wrong);
  };
}

/** What the empty path is called: the profile itself. */
const TOP = 'profile';

function such(right: (value: unknown) => boolean, what: string): Check {
  return (value, path, wrong) => {
    if (!right(value)) miss(path, what, wrong);
  };
}

function miss(path: string, what: string, wrong: string[]): void {
  wrong.push(`${path || TOP}: must be ${what}`);
}

function within(min: number, max: number): string {
  if (max !== Number.POSITIVE_INFINITY) return ` of ${min} .. ${max}`;
  return min === Number.NEGATIVE_INFINITY ? '' : ` of ${min} or more`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
