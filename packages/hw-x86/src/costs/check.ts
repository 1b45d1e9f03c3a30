/** What a value has to be. Data, of which both a check and a schema for other programs are made. */
export type Shape = (
  | { readonly is: 'number' | 'whole'; readonly min: number; readonly max: number }
  | { readonly is: 'positive' | 'flag' }
  | { readonly is: 'oneOf'; readonly values: readonly (string | number)[] }
  | { readonly is: 'text'; readonly pattern: RegExp; readonly what: string }
  | { readonly is: 'fields'; readonly fields: Readonly<Record<string, Shape>> }
  | { readonly is: 'values' | 'list'; readonly of: Shape }
) & {
  readonly optional?: true;
  /** What else it must do, in words, if it does not; null if all is well. */
  readonly also?: (value: never) => string | null;
};

/** A number of `min` .. `max`. */
export function number(min: number = Number.NEGATIVE_INFINITY, max: number = Number.POSITIVE_INFINITY): Shape {
  return { is: 'number', min, max };
}

/** A whole number of `min` .. `max`. */
export function whole(min: number, max: number = Number.POSITIVE_INFINITY): Shape {
  return { is: 'whole', min, max };
}

export const positive: Shape = { is: 'positive' };

export const flag: Shape = { is: 'flag' };

export function oneOf(...values: readonly (string | number)[]): Shape {
  return { is: 'oneOf', values };
}

/** @param what the valid texts, in words */
export function text(pattern: RegExp, what: string): Shape {
  return { is: 'text', pattern, what };
}

export function optional(shape: Shape): Shape {
  return { ...shape, optional: true };
}

/** An object with the fields of `T`, and no others. */
export function fields<T extends object>(shapes: { readonly [K in keyof T]-?: Shape }): Shape {
  return { is: 'fields', fields: shapes };
}

/** An object of values of one kind under any names. */
export function values(of: Shape): Shape {
  return { is: 'values', of };
}

/** An array of at least one. */
export function list(of: Shape): Shape {
  return { is: 'list', of };
}

/** What the empty path is called: the profile itself. */
const TOP = 'profile';

/** Appends to `wrong` what is wrong with a value, as `path: must be ...`. */
export function inspect(shape: Shape, value: unknown, path: string, wrong: string[]): void {
  if (value === undefined && shape.optional) return;
  const wanted = missed(shape, value);
  if (wanted !== null) {
    wrong.push(`${path || TOP}: must be ${wanted}`);
    return;
  }
  const before = wrong.length;
  const inner = (key: string): string => (path === '' ? key : `${path}.${key}`);
  if (shape.is === 'fields') {
    const object = value as Record<string, unknown>;
    for (const [name, of] of Object.entries(shape.fields)) inspect(of, object[name], inner(name), wrong);
    for (const name of Object.keys(object)) {
      if (!Object.hasOwn(shape.fields, name)) wrong.push(`${path || TOP}: there is no field "${name}"`);
    }
  } else if (shape.is === 'values' || shape.is === 'list') {
    for (const [name, of] of Object.entries(value as object)) inspect(shape.of, of, inner(name), wrong);
  }
  const law = wrong.length > before ? null : (shape.also?.(value as never) ?? null);
  if (law !== null) wrong.push(`${path || TOP}: must ${law}`);
}

/** What a value that is none of these should be, in words, or null. */
function missed(shape: Shape, value: unknown): string | null {
  switch (shape.is) {
    case 'number':
      return Number.isFinite(value) && inside(shape, value) ? null : `a number${within(shape)}`;
    case 'whole':
      return Number.isInteger(value) && inside(shape, value) ? null : `a whole number${within(shape)}`;
    case 'positive':
      return Number.isFinite(value) && (value as number) > 0 ? null : 'a number above 0';
    case 'flag':
      return typeof value === 'boolean' ? null : 'true or false';
    case 'oneOf':
      return shape.values.includes(value as string) ? null : `one of ${shape.values.join(', ')}`;
    case 'text':
      return typeof value === 'string' && shape.pattern.test(value) ? null : shape.what;
    case 'list':
      return Array.isArray(value) && value.length > 0 ? null : 'an array of at least one';
    default:
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? null : 'an object';
  }
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function inside({ min, max }: Bounds, value: unknown): boolean {
  return (value as number) >= min && (value as number) <= max;
}

function within({ min, max }: Bounds): string {
  if (max !== Number.POSITIVE_INFINITY) return ` of ${min} .. ${max}`;
  return min === Number.NEGATIVE_INFINITY ? '' : ` of ${min} or more`;
}
