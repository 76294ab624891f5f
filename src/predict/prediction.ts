import type { Face } from '../face/faceFinder.js'
import type { Pixels } from '../face/sample.js'
import type { Reading } from './auReader.js'

/** One image, or one frame of a video. */
export interface InputImage {
  /** The path or the name that the results have it under. */
  readonly input: string
  /** Number of the frame in its video, from 0; 0 for an image. */
  readonly frame: number
  /** Seconds from the start of the video; null for an image. */
  readonly timestamp: number | null
  /** All its pixels. @throws Error with the reason if it cannot be decoded */
  pixels(): Promise<Pixels>
  /** The whole image as a network's input, as training reads it. → RGB bytes, side·side·3. @throws as `pixels` */
  whole(side: number): Promise<Uint8Array>
}

/** One face of an image. */
export interface Prediction {
  readonly input: string
  readonly frame: number
  readonly timestamp: number | null
  /** From 0; in a video a face keeps its number from frame to frame. */
  readonly faceId: number
  /** Null for an image without a face, and where the whole image was read. */
  readonly face: Face | null
  /** Null for an image without a face. */
  readonly reading: Reading | null
  /** In pixels; null where the whole image was read. */
  readonly imageSize: { readonly width: number; readonly height: number } | null
}

/** What comes of one image: a prediction for each face, or one without a reading; or why it cannot be read. */
export type Result =
  | { readonly input: string; readonly faces: readonly Prediction[] }
  | { readonly input: string; readonly unreadable: string }
