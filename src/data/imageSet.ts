import type { Crop } from '../face/crop.js'
import type { Fold } from './folds.js'

/** Name and labels of one image. */
export interface ImageSample {
  /** Unique in the set and the same in every run: a path or a member name. */
  readonly id: string
  readonly subject: string | null
  /** Numbers of the active AUs; null if the image has no labels. */
  readonly aus: readonly number[] | null
  /** The split that contains the image (`fold1`, `extra`), if the set has splits. */
  readonly split: string | null
}

/** Encoded images with their labels, from any source. */
export interface ImageSet {
  readonly name: string
  readonly length: number
  /** The AUs that the labels cover, in output order; null for a set without labels. */
  readonly aus: readonly number[] | null
  /** True if the set declares the AUs that its labels cover. Otherwise `aus` are those that occur. */
  readonly ausDeclared?: boolean
  /** How the faces of the set are cropped already, if it says so. */
  readonly crop?: Crop
  /** Subject-exclusive folds that came with the set. */
  readonly folds: readonly Fold[] | null
  /** What was ignored or found twice while reading, one sentence each. */
  readonly notes?: readonly string[]
  sample(index: number): ImageSample
  /** The encoded image (JPEG, PNG or WebP). */
  bytes(index: number): Promise<Uint8Array>
  /** File and member, for messages. */
  describe(index: number): string
}

/** Decodes images; implemented for each platform. */
export interface ImageDecoder {
  /**
   * → size·size·3 bytes, RGB, row-major; the aspect ratio is not kept. Rejects if the bytes are not an image,
   * or if it has more than `maxPixels` pixels (default 50 million).
   */
  decode(bytes: Uint8Array, size: number, maxPixels?: number): Promise<Uint8Array>
}
