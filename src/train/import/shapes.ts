import { UserError } from '../../errors.js'
import { gridOf } from '../../model/weights/interpolatePositions.js'

/** Sizes of a ViT that the shapes of its weights show. */
export interface ShownSizes {
  readonly imageSize: number
  readonly patchSize: number
  readonly width: number
  readonly depth: number
  readonly mlpRatio: number
}

export type Shapes = ReadonlyMap<string, readonly number[]>

/** @throws UserError that names the tensor, if it is missing or has another number of axes */
export function shownSizes(shapes: Shapes, file: string): ShownSizes {
  const [width, channels, patchSize, patchWidth] = shapeOf(shapes, 'patch_embed.proj.weight', 4, file)
  if (channels !== 3 || patchSize !== patchWidth)
    throw new UserError(
      `${file}: tensor patch_embed.proj.weight is [${width},${channels},${patchSize},${patchWidth}]; expected 3 channels and square patches`,
    )
  const [, tokens] = shapeOf(shapes, 'pos_embed', 3, file)
  const [hidden] = shapeOf(shapes, 'blocks.0.mlp.fc1.weight', 2, file)
  return {
    patchSize,
    width,
    imageSize: patchSize * gridOf(tokens, 'pos_embed', file),
    depth: blockCount(shapes, 'blocks'),
    mlpRatio: hidden / width,
  }
}

export function shapeOf(shapes: Shapes, name: string, axes: number, file: string): readonly number[] {
  const shape = shapes.get(name)
  if (!shape) throw new UserError(`${file}: tensor ${name} is missing`)
  if (shape.length !== axes)
    throw new UserError(`${file}: tensor ${name} is [${shape}]; expected ${axes} axes`)
  return shape
}

/** One more than the largest block number, so that a missing block is named as missing. */
export function blockCount(shapes: Shapes, stack: string): number {
  const numbers = [...shapes.keys()].map((name) => /^(\w+)\.(\d+)\./.exec(name))
  return 1 + Math.max(-1, ...numbers.map((found) => (found?.[1] === stack ? Number(found[2]) : -1)))
}
