import * as z from 'zod'

const size = z.int().positive()

/** The fields of a `VitConfig`, as files carry it. */
export const vitShape = {
  imageSize: size,
  patchSize: size,
  width: size,
  depth: size,
  heads: size,
  mlpRatio: z.number().positive(),
  layerNormEps: z.number().positive(),
}
