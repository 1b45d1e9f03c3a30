import { type Program, parse } from 'acorn';
import MagicString from 'magic-string';
import type { Options } from 'tsup';

export type Plugin = NonNullable<Options['plugins']>[number];

/** A step of the build that rewrites each built module in place. @param rewrite changes `text`, of which `module` is the tree */
export function rewriting(name: string, rewrite: (module: Program, text: MagicString) => void): Plugin {
  return {
    name,
    renderChunk(code, { path }) {
      if (!path.endsWith('.js')) return undefined;
      const text = new MagicString(code);
      rewrite(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), text);
      return { code: text.toString(), map: text.generateMap({ hires: true, source: path }) };
    },
  };
}
