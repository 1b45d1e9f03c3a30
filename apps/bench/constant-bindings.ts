import { type Plugin, RolldownMagicString } from 'rolldown';
import { children, type Node } from './syntax-tree.ts';

/**
 * Makes the functions and classes of the bundle constants. V8 takes a function declaration for a variable, as anybody may assign to it, and
 * so it does a class, which the bundler writes as `var`: it loads them at each use, and checks a function before it puts it in line. What
 * is assigned to stays a variable. That takes 6 percent off the host's time for a message (docs/decisions.md).
 */
export function constantBindings(): Plugin {
  return {
    name: 'constant-bindings',
    renderChunk(code) {
      const { body } = this.parse(code) as unknown as { body: readonly Node[] };
      const text = new RolldownMagicString(code);
      const varying = new Set(body.flatMap(assigned));
      const functions: string[] = [];
      for (const statement of body) {
        if (statement.type === 'FunctionDeclaration') {
          const { name, start, end } = statement.id as Identifier;
          if (varying.has(name)) continue;
          text.update(start, end, `${name}$f`);
          functions.push(`const ${name} = ${name}$f;\n`);
        } else if (isClass(statement) && !varying.has(statement.declarations[0].id.name)) {
          text.update(statement.start, statement.start + 'var'.length, 'const');
        }
      }
      // Functions are there before the first statement, and so are their names; imports come before it anyway.
      text.appendRight(body[0]?.start ?? 0, functions.join(''));
      return { code: text.toString(), map: text.generateMap({ hires: true }).toString() };
    },
  };
}

interface Identifier extends Node {
  readonly name: string;
}

interface ClassVariable extends Node {
  readonly declarations: readonly [{ readonly id: Identifier; readonly init: Node }];
}

/** `var Name = class ...;` */
function isClass(statement: Node): statement is ClassVariable {
  if (statement.type !== 'VariableDeclaration' || statement.kind !== 'var') return false;
  const { declarations } = statement as ClassVariable;
  return declarations.length === 1 && declarations[0].init?.type === 'ClassExpression';
}

/** The names that something in `node` assigns to, in whatever scope. */
function assigned(node: Node): string[] {
  const target = (
    node.type === 'AssignmentExpression' ? node.left : node.type === 'UpdateExpression' ? node.argument : null
  ) as Node | null;
  const own = target?.type === 'Identifier' ? [(target as Identifier).name] : [];
  return [...own, ...children(node).flatMap(assigned)];
}
