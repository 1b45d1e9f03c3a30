import type { Cpu } from '@rpal/hw-x86';
import type { Process } from '@rpal/kernel';
import { Bandwidth, type TaskGroup } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { TmpfsStep } from '../steps.js';
import type { TreeHost } from '../tree/file-tree.js';
import type { Inode } from '../tree/inode.js';

const NS_PER_US = 1000;

/** The CPU controller of a cgroup (Linux: `struct task_group`), as its files show it. */
export class CpuControl {
  readonly group: TaskGroup;
  /** cpu.weight. */
  weight = 100;
  /** cpu.max, in microseconds. */
  quota: number = Number.POSITIVE_INFINITY;
  period = 100_000;

  constructor(group: TaskGroup) {
    this.group = group;
  }

  setWeight(weight: number): void {
    this.weight = weight;
    this.group.setWeight(weight);
  }

  /** @param quota and @param period in microseconds, as Linux takes them */
  setMax(cpu: Cpu, quota: number, period: number): void {
    this.quota = quota;
    this.period = period;
    Bandwidth.limit(this.group, cpu, quota * NS_PER_US, period * NS_PER_US);
  }

  /** Nobody is limited by it any more; its timer ends. */
  endLimit(cpu: Cpu): void {
    Bandwidth.limit(this.group, cpu, Number.POSITIVE_INFINITY);
  }
}

/** A control group (Linux: `struct cgroup`): a directory of the hierarchy, and the processes that are in it. */
export class Cgroup {
  readonly parent: Cgroup | null;
  readonly name: string;
  readonly children: Set<Cgroup> = new Set();
  /** "+cpu" in its cgroup.subtree_control: its children have the CPU controller. */
  controlsCpu = false;
  /** null: its processes are scheduled with those of the next one above that has a controller. */
  cpu: CpuControl | null = null;
  /** Its cgroup.procs: who may write to it may move processes here. Set by who makes its directory. */
  procs: Inode | null = null;
  /** Its directory has been taken away. */
  dead = false;

  constructor(parent: Cgroup | null, name: string) {
    this.parent = parent;
    this.name = name;
  }

  /** From the root of the hierarchy. */
  get path(): string {
    if (this.parent === null) return '/';
    return this.parent.parent === null ? `/${this.name}` : `${this.parent.path}/${this.name}`;
  }

  /** The group of tasks that its processes belong to; null: that of the root. */
  get taskGroup(): TaskGroup | null {
    return this.cpu === null ? (this.parent?.taskGroup ?? null) : this.cpu.group;
  }

  /** Is it `other`, or below it? */
  isBelow(other: Cgroup): boolean {
    return this === other || (this.parent?.isBelow(other) ?? false);
  }
}

/** The one hierarchy of control groups of a machine, version 2. Its only controller is that of CPU time. */
export class CgroupHierarchy {
  readonly root: Cgroup = new Cgroup(null, '');
  readonly #host: TreeHost;
  readonly #cgroups: WeakMap<Process, Cgroup> = new WeakMap();

  constructor(host: TreeHost) {
    this.#host = host;
  }

  of(process: Process): Cgroup {
    return this.#cgroups.get(process) ?? this.root;
  }

  /** A process has been forked: it is where its parent is, as its task is already. */
  inherit(parent: Process, child: Process): void {
    const cgroup = this.#cgroups.get(parent);
    if (cgroup !== undefined) this.#cgroups.set(child, cgroup);
  }

  /** The process that a thread id belongs to. */
  find(pid: number): Process | undefined {
    const { processes } = this.#host;
    return processes.get(pid) ?? processes.thread(pid)?.process;
  }

  /** Processes in a cgroup itself that have not ended. */
  members(cgroup: Cgroup): Process[] {
    return this.#alive((own) => own === cgroup);
  }

  /** Is a process in it, or in one below? */
  populated(cgroup: Cgroup): boolean {
    return this.#below(cgroup).length > 0;
  }

  /** Is a process in one of those below it? */
  populatedBelow(cgroup: Cgroup): boolean {
    return this.#alive((own) => own !== cgroup && own.isBelow(cgroup)).length > 0;
  }

  /** A process moves, with all its threads (Linux: `cgroup_attach_task`). */
  attach(cpu: Cpu, process: Process, to: Cgroup): void {
    cpu.charge(TmpfsStep.moveToCgroup);
    this.#cgroups.set(process, to);
    this.#schedule(cpu, process);
  }

  /** A new cgroup; its parent gives it the controllers that it gives its children. */
  make(parent: Cgroup, name: string): Cgroup {
    const cgroup = new Cgroup(parent, name);
    parent.children.add(cgroup);
    if (parent.controlsCpu) cgroup.cpu = this.#controllerFor(cgroup);
    return cgroup;
  }

  /** Takes a cgroup away. @returns 0, or -EBUSY if there are processes in it or cgroups below it */
  remove(cpu: Cpu, cgroup: Cgroup): number {
    if (cgroup.children.size > 0 || this.populated(cgroup)) return -Errno.EBUSY;
    cgroup.cpu?.endLimit(cpu);
    cgroup.parent?.children.delete(cgroup);
    cgroup.dead = true;
    return 0;
  }

  /** "+cpu" or "-cpu" in cgroup.subtree_control. */
  control(cpu: Cpu, cgroup: Cgroup, controlled: boolean): void {
    cgroup.controlsCpu = controlled;
    for (const child of cgroup.children) {
      const lost = child.cpu;
      child.cpu = controlled ? this.#controllerFor(child) : null;
      for (const process of this.#below(child)) this.#schedule(cpu, process);
      // Nobody is left in it: its limit ends, with its timer.
      lost?.endLimit(cpu);
    }
  }

  #controllerFor(cgroup: Cgroup): CpuControl {
    return new CpuControl(this.#host.scheduler.createGroup(cgroup.path, cgroup.parent?.taskGroup ?? null));
  }

  /** Processes in a cgroup or below it that have not ended. */
  #below(cgroup: Cgroup): Process[] {
    return this.#alive((own) => own.isBelow(cgroup));
  }

  #alive(where: (own: Cgroup) => boolean): Process[] {
    return [...this.#host.processes].filter((process) => process.threads.length > 0 && where(this.of(process)));
  }

  /** The threads of a process belong to the group of its cgroup. */
  #schedule(cpu: Cpu, process: Process): void {
    const { taskGroup } = this.of(process);
    for (const thread of process.threads) {
      if (thread.group !== taskGroup) this.#host.scheduler.setGroup(cpu, thread, taskGroup);
    }
  }
}
