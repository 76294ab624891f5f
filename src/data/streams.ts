/**
 * Philox stream numbers of the data side: who draws from a seed may not share a number with anyone else.
 * The third address word (`step`) is the epoch, or the epoch and the picture.
 */
export const dataStreams = { order: 0xda7a0001, augment: 0xda7a0002, folds: 0xda7a0003, holdOut: 0xda7a0004 }
