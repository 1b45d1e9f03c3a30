/** What a protected control transfer hands over: the rest of this turn and those that come, or this one alone. @public for kernels of programs' own */
export const TransferMode = { ASYNCHRONOUS: false, SYNCHRONOUS: true } as const;
