import type { CostLevel, CostStatus } from '@rpal/hw-x86';
import type { Mechanism } from '../mechanism/mechanism.js';

/** Where a published row comes from. */
interface Origin {
  /** Unique in its experiment, such as `MK-2`. */
  readonly id: string;
  /** What was measured, and where: a few words. */
  readonly what: string;
  /** Document and table or figure, and how it came to be known. */
  readonly source: string;
  /** `published`: read in the source or in somebody's notes on it; `recalled`: from memory; `derived`: from other published figures. */
  readonly status: CostStatus;
}

/** A figure that was published. */
export interface PublishedFigure extends Origin {
  readonly kind: 'figure';
  readonly value: number;
  readonly unit: string;
  /** Allowed distance from `value`, as a share of it; null: shown beside it and held to nothing. */
  readonly within: number | null;
}

/** What was observed of several figures together: an order, a growth, a crossover. */
export interface PublishedLaw extends Origin {
  readonly kind: 'law';
  /** In words, as published. */
  readonly value: string;
}

/** A row of what was published. */
export type Published = PublishedFigure | PublishedLaw;

/** What a run has found for a published row. */
export type Finding =
  | { readonly id: string; readonly here: number }
  | { readonly id: string; readonly here: string; readonly holds: boolean };

/** Figures over one quantity, such as cycles over the number of cores. */
export interface Curves {
  readonly title: string;
  /** What the first column is. */
  readonly over: string;
  readonly names: readonly string[];
  /** For each value of `over`, one figure for each name; null where there is none. */
  readonly points: readonly { readonly at: number; readonly values: readonly (number | null)[] }[];
}

/** How an experiment is run. */
export interface ExperimentOptions {
  /** Which end of uncertain step costs. */
  readonly costs: CostLevel;
  readonly seed: number;
}

/** What an experiment comes out with. */
export interface Outcome {
  /** One for each published row, in any order. */
  readonly findings: readonly Finding[];
  readonly curves?: readonly Curves[];
}

/** Something that was published about a system, and the program that makes it again on modelled machines. */
export interface Experiment {
  /** In lower case. */
  readonly name: string;
  /** A line for a reader who does not know it. */
  readonly title: string;
  readonly published: readonly Published[];
  /** Why rows miss what was published with central step costs, by `id`: a sentence or two each. Others need no reason. */
  readonly misses: Readonly<Record<string, string>>;
  /** What of the published experiment is not done here: a sentence each. */
  readonly left: readonly string[];
  run(options: ExperimentOptions): Outcome;
}

/** A structure for an operating system, with what was published about it. A plugin exports it. */
export interface System {
  /** In lower case, for command lines. */
  readonly name: string;
  /** A line for a reader who does not know it. */
  readonly title: string;
  readonly experiments: readonly Experiment[];
  /** Its ways to exchange messages, for comparisons; none if it has no two programs on Linux. */
  readonly mechanisms: readonly Mechanism[];
}
