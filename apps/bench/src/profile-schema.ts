import { profileShape, type Shape } from '@rpal/hw-x86';
import { commonFields, profileFields } from './profile-fields.js';

/** A JSON Schema, or a part of one. */
export type Schema = Readonly<Record<string, unknown>>;

/** Whether fields that a base can give may be left out. */
type Extent = 'whole' | 'extension';

/**
 * The JSON Schema of a file for `--profile`: a whole profile, or one that extends another and says what differs. Made of what profiles are
 * checked by, with what each field is, its unit, and how it is found out. Laws between fields (low <= central <= high) are left to `profile check`.
 */
export function profileSchema(): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A CPU for rpal-bench --profile',
    anyOf: [{ $ref: '#/$defs/whole' }, { $ref: '#/$defs/extension' }],
    $defs: { whole: topOf('whole'), extension: topOf('extension') },
  };
}

function topOf(extent: Extent): Schema {
  const { properties, required, ...rest } = schemaOf(profileShape, '', extent) as Record<'properties' | 'required', object>;
  const file = { $schema: { type: 'string', description: 'this schema, for editors' } };
  if (extent === 'whole') {
    // A file without them is called after itself.
    const needed = (required as readonly string[]).filter((name) => name !== 'name' && name !== 'title');
    return { ...rest, properties: { ...file, ...properties }, required: needed };
  }
  const base = { extends: { type: 'string', description: 'a built-in profile by its name, or a file' } };
  return { ...rest, properties: { ...file, ...base, ...properties }, required: ['extends'] };
}

function schemaOf(shape: Shape, path: string, extent: Extent): Schema {
  return { ...typeOf(shape, path, extent), ...(path === '' ? {} : { description: descriptionOf(path) }) };
}

function typeOf(shape: Shape, path: string, extent: Extent): Schema {
  switch (shape.is) {
    case 'number':
    case 'whole':
      return { type: shape.is === 'whole' ? 'integer' : 'number', ...bound('minimum', shape.min), ...bound('maximum', shape.max) };
    case 'positive':
      return { type: 'number', exclusiveMinimum: 0 };
    case 'flag':
      return { type: 'boolean' };
    case 'oneOf':
      return { enum: shape.values };
    case 'text':
      return { type: 'string', pattern: shape.pattern.source };
    case 'list':
      // A list of an extension replaces that of its base: its elements are whole.
      return { type: 'array', minItems: 1, items: typeOf(shape.of, path, 'whole') };
    case 'values':
      return { type: 'object', additionalProperties: typeOf(shape.of, path, extent) };
    case 'fields': {
      const inner = Object.entries(shape.fields);
      const properties = Object.fromEntries(
        inner.map(([name, of]) => [name, schemaOf(of, path === '' ? name : `${path}.${name}`, extent)]),
      );
      const required = inner.filter(([, of]) => of.optional !== true).map(([name]) => name);
      return { type: 'object', properties, additionalProperties: false, ...(extent === 'whole' ? { required } : {}) };
    }
  }
}

function bound(name: string, value: number): Schema {
  return Number.isFinite(value) ? { [name]: value } : {};
}

/** What a field is, its unit, and how it is found out. @throws Error for a field that nobody has described */
function descriptionOf(path: string): string {
  const common = commonFields[path.slice(path.lastIndexOf('.') + 1)];
  const text = profileFields[path];
  if (text === undefined) {
    if (common === undefined) throw new Error(`profile-fields.ts does not say what ${path} is`);
    return common;
  }
  const unit = text.unit === undefined ? '' : ` (${text.unit})`;
  return `${text.what}${unit}. How to find it out: ${text.how}.`;
}
