/** What a program or the kernel does to memory: where a function takes `write: boolean`, its callers say one of these. */
export const Touch = { LOAD: false, STORE: true } as const;
