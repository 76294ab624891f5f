/** Ways to cut a face out of an image. */
export const crops = ['none', 'found', 'aligned'] as const
/**
 * `none`: the whole image. `found`: the detector's box, widened by 5 % on each side, as in the paper's experiments.
 * `aligned`: a square turned upright by the eyes and the base of the nose, framed as the bundled faces are.
 */
export type Crop = (typeof crops)[number]
