import manifest from '../package.json' with { type: 'json' };

/** Version of this package, which plugins may require. */
export const version: string = manifest.version;
