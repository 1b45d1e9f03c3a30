import { readFileSync } from 'node:fs';

const ID = 'virtual:own-packages';

/**
 * Provides the module `virtual:own-packages`: every `@rpal/` package that this one depends on, by name. Written from the
 * manifest, so that none is missing; as static imports, so that a bundle contains them.
 */
export function ownPackages() {
  return {
    name: 'own-packages',
    resolveId: (id: string) => (id === ID ? ID : undefined),
    load(id: string) {
      if (id !== ID) return undefined;
      const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { dependencies: object };
      const names = Object.keys(dependencies).filter((name) => name.startsWith('@rpal/'));
      const imports = names.map((name, index) => `import * as own${index} from '${name}';`);
      const entries = names.map((name, index) => `'${name}': own${index},`);
      return `${imports.join('\n')}\nexport const packages = {\n${entries.join('\n')}\n};\n`;
    },
  };
}
