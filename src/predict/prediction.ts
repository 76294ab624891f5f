import type { Face } from '../face/faceFinder.js'
import type { Pixels } from '../face/sample.js'
import type { Reading } from './auReader.js'

/** An image as it comes: a file's bytes, or the pixels of a frame. */
export type ImageContent = { readonly encoded: Uint8Array } | { readonly pixels: Pixels }

/** One image, or one frame of a video. */
export interface InputImage {
  /** The path or the name that the results have it under. */
  readonly input: string
  /** Number of the frame in its video, from 0; 0 for an image. */
  readonly frame: number
  /** Seconds from the start of the video; null for an image. */
  readonly timestamp: number | null
  /** @throws Error with the reason if it cannot be read */
  content(): Promise<ImageContent>
}

/** A face of an image as the classifier sees it. */
export interface CutFace {
  /** Null where the whole image is read. */
  readonly face: Face | null
  /** RGB bytes, side·side·3. */
  readonly rgb: Uint8Array
}

/** The faces of one image. */
export interface CutImage {
  /** In pixels; null where the whole image is read. */
  readonly imageSize: ImageSize | null
  /** The largest first; empty if there are none. */
  readonly faces: readonly CutFace[]
}

export interface ImageSize {
  readonly width: number
  readonly height: number
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
  /** Null where the whole image was read. */
  readonly imageSize: ImageSize | null
}

/** What comes of one image: a prediction for each face, or one without a reading; or why it cannot be read. */
export type Result =
  | { readonly input: string; readonly faces: readonly Prediction[] }
  | { readonly input: string; readonly unreadable: string }
