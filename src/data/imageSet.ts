import type { Fold } from './folds.js'

/** What is known of one picture besides its pixels. */
export interface ImageSample {
  /** Unique within the set, stable from run to run: a path or a member name. */
  readonly id: string
  readonly subject: string | null
  /** Numbers of the active action units; null if the picture carries no labels. */
  readonly aus: readonly number[] | null
  /** The named part of the set that the picture belongs to (`fold1`, `extra`), if its makers named parts. */
  readonly split: string | null
}

/** Encoded pictures with their labels, wherever they are kept. */
export interface ImageSet {
  readonly name: string
  readonly length: number
  /** The action units that labels can name, in output order; null for a set without labels. */
  readonly aus: readonly number[] | null
  /** Whether the set's makers say which units its labels cover. Otherwise `aus` are those that occur. */
  readonly ausDeclared?: boolean
  /** Subject-exclusive folds that came with the set. */
  readonly folds: readonly Fold[] | null
  /** What a user should know of how the set was read (left out, doubled), one sentence each. */
  readonly notes?: readonly string[]
  sample(index: number): ImageSample
  /** The encoded picture (JPEG, PNG or WebP). */
  bytes(index: number): Promise<Uint8Array>
  /** File and member, for messages. */
  describe(index: number): string
}

/** Turns an encoded picture into pixels; each platform brings its own. */
export interface ImageDecoder {
  /**
   * → size·size·3 bytes, RGB, row-major; the aspect ratio is not kept. Rejects if the bytes are no image, or one of
   * more pixels than `maxPixels` (default 50 million).
   */
  decode(bytes: Uint8Array, size: number, maxPixels?: number): Promise<Uint8Array>
}
