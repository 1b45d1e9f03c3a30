/** What a field of a profile is, in which unit, and how somebody who has the computer finds it out. */
export interface FieldText {
  readonly what: string;
  readonly unit?: string;
  readonly how: string;
}

const MANUAL = "the processor's data sheet or optimization guide";
const CPUID = '/proc/cpuinfo, flags';
const HOST = '`rpal-bench host` times it';
const LOOP = 'time it in a loop, less the empty loop';
const BRACKET = 'a bracket from what was published of similar processors; the report shows what it decides';

/** Prices of hardware events: core cycles, or nanoseconds where the profile says so. */
const COSTS = {
  syscall: { what: 'SYSCALL', how: 'a null system call, less the instructions of its path; `calibrate` solves null call and yield for it' },
  sysret: { what: 'SYSRET', how: 'as `syscall`' },
  bhbClear: {
    what: 'the loop that clears branch history on each system call; 0 without it',
    how: 'perf annotate clear_bhb_loop; 0 if spectre_v2 says no BHI',
  },
  swapgs: { what: 'SWAPGS', how: 'as `syscall`' },
  iret: { what: 'IRET to user mode', how: BRACKET },
  interrupt: { what: 'delivery of an interrupt through the IDT', how: BRACKET },
  exception: { what: 'delivery of an exception through the IDT', how: 'a page fault, less the instructions of its path' },
  cr3Write: { what: 'a CR3 write that keeps translations', how: 'a module in the kernel that times MOV to CR3' },
  cr3WriteFlush: { what: 'a CR3 write that drops the translations of its PCID', how: 'as `cr3Write`' },
  invlpg: { what: 'INVLPG of one page', how: 'as `cr3Write`' },
  invpcid: { what: 'INVPCID', how: 'as `cr3Write`' },
  lockedOp: { what: 'an instruction with LOCK whose line is in the first-level cache', how: HOST },
  wrpkru: { what: 'WRPKRU', how: HOST },
  rdpkru: { what: 'RDPKRU', how: HOST },
  wrfsbase: { what: 'WRFSBASE', how: HOST },
  rdfsbase: { what: 'RDFSBASE', how: HOST },
  wrmsr: { what: 'WRMSR of a local register', how: 'as `cr3Write`' },
  rdmsr: { what: 'RDMSR of a local register', how: 'as `cr3Write`' },
  rdpmc: { what: 'RDPMC', how: LOOP },
  rdtsc: { what: 'RDTSC', how: HOST },
  lfence: { what: 'LFENCE', how: HOST },
  mfence: { what: 'MFENCE', how: HOST },
  pause: { what: 'PAUSE', how: HOST },
  xsave: { what: 'XSAVES of what a user thread has', how: LOOP },
  xrstor: { what: 'XRSTORS of what a user thread has', how: LOOP },
  fpControl: { what: 'saving and restoring MXCSR and the x87 control word', how: HOST },
  repString: {
    what: 'the start of a REP MOVS or STOS, without its bytes',
    how: 'copies of 64 B, which `rpal-bench host` times, less their bytes',
  },
  functionCall: { what: 'a call and its return', how: LOOP },
  indirectCall: {
    what: 'what a call through a retpoline takes longer than one through a register, where `kernel.spectreV2` has them',
    how: HOST,
  },
  mispredict: { what: 'a branch that was predicted wrongly', how: 'a loop over random branches, against sorted ones' },
  reload: {
    what: 'what a load of something stored just before takes longer after a system call, per memory operand',
    how: 'code without optimisation, timed behind a system call and without',
  },
  codeLine: {
    what: 'a line of code that comes from the second-level cache',
    how: 'code that 64 KiB of other code have displaced, against the same code hot',
  },
  stackSwitch: { what: 'a switch of user stacks', how: 'a library of coroutines, timed' },
  stlbHit: { what: 'a translation that the second-level TLB has, and the first has not', how: MANUAL },
  walkLevel: { what: 'a level of a page walk whose entry is in a cache', how: 'loads over more pages than the TLB holds, per level' },
  ipiSend: { what: 'the write of the interrupt command register', how: BRACKET },
  ipiDelivery: {
    what: 'an interrupt from its sending until the other core takes it',
    how: 'an interrupt to another CPU, which `rpal-bench host` times, less call, handler and the line back',
  },
  monitorWake: {
    what: 'a store until a core that waits for it in MWAIT or a loop notices',
    how: 'a line that changes CPU, which `rpal-bench host` times',
  },
  mwait: { what: 'MWAIT, up to the wait', how: BRACKET },
  verw: { what: 'VERW that clears the buffers, where `kernel.clearBuffers` has it', how: `on a processor with MD_CLEAR: ${LOOP}` },
  nmi: { what: 'delivery of an NMI', how: BRACKET },
  vmcall: { what: 'a VM exit and entry, without what the hypervisor does', how: 'kvm-unit-tests, vmexit' },
  vmfunc: { what: 'VMFUNC that switches the EPT pointer', how: 'a guest that times it' },
} as const satisfies Readonly<Record<string, FieldText>>;

const tlb = (what: string): FieldText => ({ what, how: 'CPUID leaf 2 or 18h on Intel, 80000005h, 80000006h and 80000019h on AMD' });
const cache = (what: string): FieldText => ({ what, how: '/sys/devices/system/cpu/cpu0/cache: size and ways_of_associativity' });
const feature = (what: string, flag: string): FieldText => ({ what, how: `${CPUID}: ${flag}` });

/** All fields of a profile that have a text of their own, by their paths; fields of TLBs, caches, idle states and figures have one for all. */
export const profileFields: Readonly<Record<string, FieldText>> = {
  name: { what: 'its name: lower-case letters, digits and dashes', how: 'your choice; without one it is called after its file' },
  title: { what: 'a line for a reader', how: 'your choice' },
  vendor: { what: 'whose processor it is', how: '/proc/cpuinfo, vendor_id' },
  topology: { what: 'how many processors there are, and what they share', how: 'lscpu' },
  'topology.sockets': { what: 'sockets', how: 'lscpu' },
  'topology.coresPerSocket': { what: 'cores of a socket', how: 'lscpu' },
  'topology.threadsPerCore': { what: 'threads of a core', how: 'lscpu' },
  'topology.coresPerCache': {
    what: 'cores that share a last-level cache: a socket on Intel, a core complex on AMD',
    how: '/sys/devices/system/cpu/cpu0/cache/index3/shared_cpu_list, over the threads of a core',
  },
  'topology.hops': { what: 'links on the way between each two sockets, as a square; one between any two by default', how: MANUAL },
  'topology.memoryPerSocket': { what: 'memory of a socket, a whole number of pages', unit: 'GiB', how: 'numactl --hardware' },
  features: { what: 'what the processor can do', how: CPUID },
  'features.pku': feature('protection keys, switched on', 'ospke'),
  'features.fsgsbase': feature('RDFSBASE and WRFSBASE in user mode', 'fsgsbase'),
  'features.pcid': feature('process-context identifiers', 'pcid'),
  'features.invpcid': feature('INVPCID', 'invpcid'),
  'features.eibrs': {
    what: 'indirect branches of the kernel are protected by the processor; decides what `kernel.spectreV2` of auto is',
    how: '/sys/devices/system/cpu/vulnerabilities/spectre_v2: Enhanced / Automatic IBRS',
  },
  'features.meltdownSafe': {
    what: 'page tables need no isolation; decides what `kernel.pti` of auto is',
    how: '/sys/devices/system/cpu/vulnerabilities/meltdown: Not affected',
  },
  'features.mwait': feature('MONITOR and MWAIT', 'monitor'),
  'features.gib1Pages': feature('pages of 1 GiB', 'pdpe1gb'),
  'features.vmfunc': { what: 'VMFUNC, leaf 0', how: 'the VMX capability registers' },
  'features.fred': feature('FRED delivers events, and the kernel has its entry code; not by default', 'fred'),
  kernel: {
    what: 'the kernel that runs on it: what of its configuration changes the work of its paths. Counts are of Linux 6.12',
    how: '`calibrate` fills it in from the running kernel',
  },
  'kernel.version': {
    what: 'its version, for the reader: `instructions` says in what it differs',
    how: 'uname -r, up to the second number',
  },
  'kernel.instructions': {
    what: 'instructions of single steps by their names, where they differ from those of 6.12; what parts of the kernel add comes on top',
    how: 'scripts/kernel-counts counts them; for kernels before 6.6 (CFS) `calibrate` takes those of 6.1',
  },
  'kernel.hz': { what: 'ticks per second', how: 'CONFIG_HZ in /proc/config.gz or /boot/config-*; not CLK_TCK, which is always 100' },
  'kernel.pressure': {
    what: 'pressure-stall accounting: some 600 instructions for a sleep and a wake-up, or none',
    how: '/proc/pressure/cpu can be read',
  },
  'kernel.security': {
    what: 'the module with hooks on files, sockets, signals and foreign memory: 102 instructions of a read or write, 200 on a socket, or none',
    how: '/sys/kernel/security/lsm; only AppArmor was counted',
  },
  'kernel.rseq': {
    what: 'restartable sequences that the C library registers: 95 instructions after a switch, or none',
    how: 'glibc 2.35 and later register them: __rseq_size is above 0',
  },
  'kernel.pti': {
    what: 'page-table isolation, as the boot parameter: 4 instructions and a CR3 write each way; misses in the TLB that follow are not in it',
    how: '/sys/devices/system/cpu/vulnerabilities/meltdown: Mitigation: PTI',
  },
  'kernel.spectreV2': {
    what: 'against branch-target injection, as the boot parameter: a retpoline costs `costs.indirectCall` each, IBRS an MSR write each way; indirect calls are those counted on the paths of messages, ticks and processes',
    how: '/sys/devices/system/cpu/vulnerabilities/spectre_v2',
  },
  'kernel.returnFill': {
    what: 'the return stack is filled on each switch: 82 instructions and an LFENCE; the built-in profiles leave it out, though Linux has it with any mitigation of spectre_v2',
    how: '/sys/devices/system/cpu/vulnerabilities/spectre_v2: RSB filling',
  },
  'kernel.clearBuffers': {
    what: 'VERW on each return to user mode',
    how: '/sys/devices/system/cpu/vulnerabilities, mds and its relatives: Clear CPU buffers',
  },
  clock: { what: 'clocks', how: 'turbostat' },
  'clock.tscGHz': {
    what: 'clock of the time-stamp counter: the unit of every figure that is reported',
    unit: 'GHz',
    how: 'the kernel log: tsc: Detected ... MHz',
  },
  'clock.coreGHz': {
    what: 'clock of a core under the load in question; its high end belongs to low costs',
    unit: 'GHz',
    how: `${HOST}: one over the time of an addition`,
  },
  'clock.apicMHz': { what: "clock of the local APIC's timer", unit: 'MHz', how: 'CPUID leaf 15h on Intel; the reference clock on AMD' },
  cpi: { what: 'cycles per instruction, without what has a price of its own', how: 'perf stat' },
  'cpi.kernel': {
    what: 'of kernel code on the paths of messages',
    unit: 'core cycles',
    how: '`calibrate` solves null call and yield for it; or perf stat of such paths, less the events priced here',
  },
  'cpi.user': {
    what: 'of hot user code',
    unit: 'core cycles',
    how: 'one program compiled with and without optimisation: the difference of times over that of instructions',
  },
  costs: { what: 'prices of hardware events', unit: 'core cycles', how: HOST },
  ...Object.fromEntries(Object.entries(COSTS).map(([name, text]) => [`costs.${name}`, { unit: 'core cycles, or ns', ...text }])),
  bytesPerCycle: { what: 'how fast memory is copied and cleared', unit: 'bytes per core cycle', how: HOST },
  'bytesPerCycle.copy': {
    what: 'copied, in the first-level cache; its high end belongs to low costs',
    unit: 'bytes per core cycle',
    how: `${HOST}: copies of 1 to 4 KiB`,
  },
  'bytesPerCycle.zero': { what: 'cleared, in the first-level cache', unit: 'bytes per core cycle', how: `${HOST}: clears of 1 to 4 KiB` },
  'bytesPerCycle.fromL2': {
    what: 'the same in the second-level cache; without it, as fast as in the first',
    unit: 'bytes per core cycle',
    how: HOST,
  },
  'bytesPerCycle.fromL2.copy': {
    what: 'copied, in the second-level cache',
    unit: 'bytes per core cycle',
    how: `${HOST}: copies of 64 KiB`,
  },
  'bytesPerCycle.fromL2.zero': {
    what: 'cleared, in the second-level cache',
    unit: 'bytes per core cycle',
    how: `${HOST}: clears of 64 KiB`,
  },
  tlb: { what: 'the TLBs', how: 'cpuid -1' },
  'tlb.l1d4k': tlb('first level, data, pages of 4 KiB'),
  'tlb.l1d2m': tlb('first level, data, pages of 2 MiB'),
  'tlb.l1d1g': tlb('first level, data, pages of 1 GiB'),
  'tlb.l1i4k': tlb('first level, code, pages of 4 KiB'),
  'tlb.l1i2m': tlb('first level, code, pages of 2 MiB'),
  'tlb.stlb': tlb('second level, pages of 4 KiB and 2 MiB'),
  'tlb.stlb1g': tlb('second level, pages of 1 GiB'),
  'tlb.stlb1g.with4k': { what: 'pages of 4 KiB use the entries for 1 GiB, too', how: MANUAL },
  cache: { what: 'the caches', how: '/sys/devices/system/cpu/cpu0/cache' },
  'cache.l1d': cache('first level, data'),
  'cache.l2': cache('second level'),
  'cache.l3': cache('last level'),
  memory: { what: 'a load that misses all caches', unit: 'ns', how: 'Intel MLC, or a chain of loads over more than the caches hold' },
  'memory.local': { what: "in the socket's own memory", unit: 'ns', how: HOST },
  'memory.remote': { what: "in the other socket's", unit: 'ns', how: 'Intel MLC' },
  line: { what: 'a modified line that moves to another core, one way', unit: 'ns', how: 'core-to-core-latency, or `rpal-bench host`' },
  'line.sameCache': { what: 'between cores that share a last-level cache', unit: 'ns', how: HOST },
  'line.sameSocket': { what: 'between caches of a socket', unit: 'ns', how: HOST },
  'line.crossSocket': { what: 'over one link', unit: 'ns', how: 'core-to-core-latency between two sockets' },
  'line.farther': { what: 'over two links, over three, and so on', unit: 'ns', how: 'core-to-core-latency between such sockets' },
  physicalAddressBits: { what: 'MAXPHYADDR', unit: 'bits', how: '/proc/cpuinfo, address sizes' },
  pmu: { what: 'performance counters', how: 'cpuid -1' },
  'pmu.model': { what: 'which registers they have', how: '`intel`; `amd-v2` with perfmon_v2 in /proc/cpuinfo; `amd` without' },
  'pmu.counters': { what: 'general-purpose counters of a logical processor', how: 'the kernel log: generic registers' },
  'pmu.delivery': { what: 'from an overflow to its interrupt', unit: 'ns', how: BRACKET },
  idle: { what: 'the idle states, a list; `guest` is a HLT that leaves to the hypervisor', how: '/sys/devices/system/cpu/cpu0/cpuidle' },
  'idle.name': { what: 'which state it is', how: 'cpuidle/state*/name' },
  'idle.mwaitHint': { what: 'EAX of MWAIT, bits 7:4 and 3:0; polling and HLT have none', how: 'cpuidle/state*/desc' },
  'idle.exitLatency': { what: "exit latency in the kernel's table", unit: 'ns', how: 'cpuidle/state*/latency, times 1000' },
  'idle.targetResidency': {
    what: "shortest stay that pays in the kernel's table",
    unit: 'ns',
    how: 'cpuidle/state*/residency, times 1000',
  },
  'idle.wake': {
    what: 'from the waking event to the first instruction',
    unit: 'ns',
    how: 'a wake-up of an idle CPU, which `rpal-bench host` times, less what the model charges without',
  },
  'idle.kick': {
    what: 'what it takes the sender longer to interrupt a CPU in this state; 0 by default',
    unit: 'ns',
    how: 'in a guest: the call that wakes an idle CPU, which `rpal-bench host` times',
  },
  steps: {
    what: 'prices of single steps by their names, in place of the computed ones',
    unit: 'core cycles',
    how: '`rpal-bench rfc --steps all` names the steps',
  },
};

/** Fields that mean the same wherever they are. */
export const commonFields: Readonly<Record<string, string>> = {
  low: 'the lowest that can be said for it',
  central: 'the value that is used unless another end is asked for',
  high: 'the highest',
  source: 'where it comes from: three characters at least',
  status: 'how it is known: counted, measured, published, derived, recalled or estimated',
  unit: 'nanoseconds in place of core cycles',
  entries: 'entries',
  ways: 'ways of associativity',
  bytes: 'size in bytes',
  latency: 'a load that hits, in core cycles: a chain of loads, which `rpal-bench host` times',
};
