import manifest from '../package.json' with { type: 'json' };

/** Version of this package. @public for plugins, which may require one */
export const version: string = manifest.version;
