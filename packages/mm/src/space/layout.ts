import { KIB, MIB, PAGE_SIZE, pageCeil, pageFloor, type Rng, USER_TOP } from '@rpal/hw-x86';

/** Highest user address plus one: the last page of the lower half is kept free (Linux: TASK_SIZE_MAX). @public for programs that reach the limit */
export const TASK_SIZE: number = USER_TOP - PAGE_SIZE;
/** Two thirds of the way up: where Linux loads position-independent programs. */
export const ELF_ET_DYN_BASE: number = pageFloor(Math.floor((TASK_SIZE / 3) * 2));
/** Lowest address a program may map. */
export const MMAP_MIN_ADDR: number = 64 * KIB;
/** What is kept free below a stack. */
export const STACK_GUARD_GAP: number = 256 * PAGE_SIZE;

const STACK_LIMIT = 8 * MIB;
/** 16 GiB in pages: how far the top of the stack is randomised. */
const STACK_RANDOM_PAGES = 0x40_0000;
const MMAP_RANDOM_BITS = 28;
const BRK_RANDOM_RANGE = 32 * MIB;

/** The borders of a fresh address space. All are page aligned. */
export interface Layout {
  /** Where mmap ends and above which nothing is placed. */
  readonly taskSize: number;
  /** First address above the stack. */
  readonly stackTop: number;
  /** Where the search for free ranges starts, downwards. */
  readonly mmapBase: number;
  /** Where it goes on upwards if nothing is free below (Linux: `mmap_legacy_base`, a third of the way up). */
  readonly mmapLegacyBase: number;
  /** What is added to the addresses of a position-independent image. */
  readonly loadBias: number;
  /** Where the heap starts; 0: after the image, randomised. */
  readonly brkStart: number;
}

/** Linux's choice, with address-space randomisation drawn from `rng`. */
export function defaultLayout(rng: Rng): Layout {
  const stackTop = USER_TOP - PAGE_SIZE - rng.below(STACK_RANDOM_PAGES) * PAGE_SIZE;
  const mmapPages = rng.below(2 ** MMAP_RANDOM_BITS);
  return {
    taskSize: TASK_SIZE,
    stackTop,
    mmapBase: mmapBaseBelow(TASK_SIZE, mmapPages),
    mmapLegacyBase: mmapLegacyBaseBelow(TASK_SIZE, mmapPages),
    loadBias: ELF_ET_DYN_BASE + rng.below(2 ** MMAP_RANDOM_BITS) * PAGE_SIZE,
    brkStart: 0,
  };
}

/** Start of the heap behind an image that ends at `imageEnd`. */
export function randomBrk(imageEnd: number, rng: Rng): number {
  return pageCeil(imageEnd) + rng.below(BRK_RANDOM_RANGE / PAGE_SIZE) * PAGE_SIZE;
}

/** Where mmap starts below `top`: stack limit, guard gap and stack randomisation are kept free, then `pages` more (Linux: `mmap_base`). */
export function mmapBaseBelow(top: number, pages: number): number {
  const gap = Math.max(128 * MIB, STACK_LIMIT + STACK_RANDOM_PAGES * PAGE_SIZE + STACK_GUARD_GAP);
  return pageFloor(top - gap - pages * PAGE_SIZE);
}

/** Where mmap goes on upwards if nothing is free below: a third of the way up to `top`, and `pages` more (Linux: `mmap_legacy_base`). */
export function mmapLegacyBaseBelow(top: number, pages: number): number {
  return pageCeil(Math.floor(top / 3)) + pages * PAGE_SIZE;
}
