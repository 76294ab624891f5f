/**
 * All Philox streams of a run's seed (engine/random.ts). Two uses of one stream number would draw the same
 * values, so every stream is listed here. Initial values of parameters use hashes of the parameter names as
 * streams.
 *
 * The step of a stream is the optimizer step (masks, drop path), the epoch (order), or epoch and image
 * (augmentation).
 */
export const streams = {
  /** Train: random masks, and the masks of reconstructions in reports. */
  masks: 0x3a5c0001,
  shownMasks: 0x3a5c0010,
  dropPath: 0x3a5c0002,
  /** Train: heads that are initialized again after the encoder's weights are loaded. */
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
