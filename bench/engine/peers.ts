/** The measured engines: their programs, and the operating points to try. */
import type { PeerName } from './labels.js';
import type { Peer, Point } from './peer.js';
import { hnswlibNode } from './peers/hnswlib-node.js';
import { shortlist } from './peers/shortlist.js';
import { usearch } from './peers/usearch.js';
import { zvec } from './peers/zvec.js';

export interface PeerEntry {
  /** Absent: a program of its own (peers/hnswlib.cc). */
  readonly program?: Peer;
  /** The package of bench/engine/package.json that must be installed for it. */
  readonly package?: string;
  /** Whether its build uses more than one thread. */
  readonly buildsOnThreads: boolean;
  /**
   * Ways to search for k neighbours. Each is a list in ascending order of effort; of the points that first reach a recall,
   * one a list, the quickest counts.
   */
  readonly points: (k: number) => readonly (readonly Point[])[];
}

/** Candidate lists, each some 12 % longer than the one before: no engine's best point is far from one that is tried. */
const EFS = [
  10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 44, 50, 56, 64, 72, 80, 90, 100, 112, 128, 144, 160, 180, 200, 224, 256,
  288, 320, 360, 400, 450, 500, 560, 640, 720, 800, 900, 1000, 1120, 1280, 1440, 1600, 1800, 2000, 2240, 2500, 2800,
  3200, 3600, 4000,
];

/** Recalls that shortlist is asked for: its calibration knows efforts below the candidate list of k. */
const TARGETS = [0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999].map(
  (targetRecall) => ({ targetRecall }),
);

/** zvec refuses a longer list. */
const MAX_ZVEC_EF = 2048;

/** Lists shorter than k are raised to k by every engine. */
const efs = (k: number, most = Infinity): Point[] => EFS.filter((ef) => ef >= k && ef <= most).map((ef) => ({ ef }));

export const PEERS: Readonly<Record<PeerName, PeerEntry>> = {
  shortlist: {
    program: shortlist,
    buildsOnThreads: true,
    points: (k) => [efs(k), TARGETS],
  },
  'hnswlib-node': {
    program: hnswlibNode,
    buildsOnThreads: false,
    points: (k) => [efs(k)],
  },
  hnswlib: {
    buildsOnThreads: true,
    points: (k) => [efs(k)],
  },
  'usearch-f32': {
    program: usearch('f32'),
    package: 'usearch',
    buildsOnThreads: true,
    points: (k) => [efs(k)],
  },
  'usearch-bf16': {
    program: usearch('bf16'),
    package: 'usearch',
    buildsOnThreads: true,
    points: (k) => [efs(k)],
  },
  'zvec-f32': {
    program: zvec('f32'),
    package: '@zvec/zvec',
    buildsOnThreads: true,
    points: (k) => [efs(k, MAX_ZVEC_EF)],
  },
  'zvec-int8': {
    program: zvec('int8'),
    package: '@zvec/zvec',
    buildsOnThreads: true,
    points: (k) => [efs(k, MAX_ZVEC_EF), efs(k, MAX_ZVEC_EF).map((point) => ({ ...point, refine: true }))],
  },
};
