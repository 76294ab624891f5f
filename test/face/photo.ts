import { join } from 'node:path'
import sharp from 'sharp'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { root } from '../cli/program.js'

const gray = { r: 128, g: 128, b: 128 }
const faces = await openImageSet(join(root, 'data', 'faces'))

export interface Place {
  /** Index into the bundled faces. */
  readonly face: number
  readonly side: number
  readonly left: number
  readonly top: number
}

/** A PNG of some of the bundled faces, enlarged on a gray image. */
export async function photo(places: readonly Place[], width = 640, height = 400): Promise<Buffer> {
  const layers = places.map(async ({ face, side, left, top }) => ({
    input: await sharp(await faces.bytes(face))
      .resize(side)
      .toBuffer(),
    left,
    top,
  }))
  const background = sharp({ create: { width, height, channels: 3, background: gray } })
  return background
    .composite(await Promise.all(layers))
    .png()
    .toBuffer()
}
