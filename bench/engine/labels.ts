/** The names of the measured engines, in the order of tables. */
export const LABELS = {
  shortlist: 'shortlist',
  'hnswlib-node': 'hnswlib-node',
  hnswlib: 'hnswlib C++',
  'usearch-f32': 'usearch f32',
  'usearch-bf16': 'usearch bf16',
  'zvec-f32': 'zvec f32',
  'zvec-int8': 'zvec int8',
} as const;

export type PeerName = keyof typeof LABELS;
export const PEER_NAMES = Object.keys(LABELS) as PeerName[];
