import { basename } from 'node:path';
import type { AnyNode, Class, Expression, PrivateIdentifier, Program } from 'acorn';
import { ancestor, simple } from 'acorn-walk';
import type MagicString from 'magic-string';
import { type Plugin, rewriting } from './rewriting.ts';

/**
 * Lets V8 know what objects a field holds. It keeps that in mind from the first value on, and drops the check of an object
 * taken from a field that has held objects of one shape only. A field that is declared and then set by the constructor has
 * held `undefined` before: it is checked at each use. So built modules leave such declarations out; what the constructor
 * assigns is the first value. A private name must be declared, so it becomes a property that is named after its class, too.
 * On the RFC's benchmark this takes 12 percent off the instructions that the host executes, and 6 to 10 percent off its time.
 */
export function ownFields(): Plugin {
  return rewriting('own-fields', (module, text) => {
    const renamed = new Map<Class, ReadonlySet<string>>();
    simple(module, { Class: (of) => renamed.set(of, dropDeclarations(of, text)) });
    renamePrivateFields(module, renamed, text);
  });
}

/** Removes the declarations of the fields that the constructor sets. @returns names of the private ones among them */
function dropDeclarations({ body }: Class, text: MagicString): ReadonlySet<string> {
  const set = new Set(assignedByConstructor(body.body));
  const names = new Set<string>();
  for (const member of body.body) {
    if (member.type !== 'PropertyDefinition' || member.static || member.value || member.computed) continue;
    const name = nameOf(member);
    if (name === null || !set.has(name)) continue;
    text.remove(member.start, member.end);
    if (name.startsWith('#')) names.add(name);
  }
  return names;
}

function nameOf({ key }: { readonly key: Expression | PrivateIdentifier }): string | null {
  if (key.type === 'PrivateIdentifier') return `#${key.name}`;
  return key.type === 'Identifier' ? key.name : null;
}

/** Fields that a statement of the constructor itself assigns to, private ones with their `#`. */
function assignedByConstructor(members: Class['body']['body']): string[] {
  const method = members.find((member) => member.type === 'MethodDefinition' && member.kind === 'constructor');
  if (method?.type !== 'MethodDefinition') return [];
  return method.value.body.body.flatMap((statement) => {
    if (statement.type !== 'ExpressionStatement' || statement.expression.type !== 'AssignmentExpression') return [];
    const { operator, left } = statement.expression;
    if (operator !== '=' || left.type !== 'MemberExpression' || left.object.type !== 'ThisExpression' || left.computed) return [];
    const name = nameOf({ key: left.property });
    return name === null ? [] : [name];
  });
}

/** Writes each use of a private field of `renamed` as a property: the field, the package and its class in one name. */
function renamePrivateFields(module: Program, renamed: ReadonlyMap<Class, ReadonlySet<string>>, text: MagicString): void {
  const names = new Map<Class, string>();
  const classes = [...renamed.keys()];
  const home = basename(process.cwd()).replaceAll(/\W/g, '_');
  ancestor(module, {
    Class(node, _state, ancestors) {
      const around = ancestors.at(-2);
      const variable = around?.type === 'VariableDeclarator' && around.id.type === 'Identifier' ? around.id : null;
      names.set(node, `${home}$${(node.id ?? variable)?.name ?? classes.indexOf(node)}`);
    },
  });
  ancestor(module, {
    MemberExpression({ property }, _state, ancestors) {
      if (property.type !== 'PrivateIdentifier') return;
      const name = `#${property.name}`;
      const owner = [...ancestors].reverse().find((of) => declares(of, name)) as Class | undefined;
      if (owner === undefined || !renamed.get(owner)?.has(name)) return;
      text.update(property.start, property.end, `${property.name}$${names.get(owner)}`);
    },
  });
}

function declares(node: AnyNode, name: string): boolean {
  if (node.type !== 'ClassDeclaration' && node.type !== 'ClassExpression') return false;
  return node.body.body.some((member) => 'key' in member && nameOf(member) === name);
}
