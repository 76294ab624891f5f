/**
 * All Philox streams that draw from a run's seed (engine/random.ts). Two users of one number would draw the same values, so every
 * stream is listed here. Start values of parameters have streams of their own, hashes of their names.
 *
 * Where a stream has a step, it is the optimizer step (masks, drop path), the epoch (order), or epoch and image (augmentation).
 */
export const streams = {
  /** Train: random masking of patches, and that of the reconstructions shown in reports. */
  masks: 0x3a5c0001,
  shownMasks: 0x3a5c0010,
  dropPath: 0x3a5c0002,
  /** Train: heads that are drawn again after the encoder's weights are loaded. */
  auHead: 0x3a5c0003,
  identityHead: 0x3a5c0004,
  /** Data. */
  order: 0xda7a0001,
  augmentation: 0xda7a0002,
  folds: 0xda7a0003,
  heldOut: 0xda7a0004,
  /** Metrics and report. */
  publishedProbe: 0xda7a0005,
  probedImages: 0xda7a0006,
  embedding: 0xda7a0e2d,
} as const
