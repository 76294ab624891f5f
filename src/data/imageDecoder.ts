import { imageDecoder as ofThisPlatform } from '#imageDecoder'
import type { ImageDecoder } from './imageSet.js'

/** Decodes JPEG, PNG and WebP: with sharp in Node, by `createImageBitmap` in a browser. */
export const imageDecoder: ImageDecoder = ofThisPlatform
