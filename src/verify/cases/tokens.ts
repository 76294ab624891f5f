import { addPosition } from '../../engine/ops/addPosition.js'
import { addPositionAt } from '../../engine/ops/addPositionAt.js'
import { concatTokens } from '../../engine/ops/concatTokens.js'
import { gatherRows } from '../../engine/ops/gatherRows.js'
import { meanTokens } from '../../engine/ops/meanTokens.js'
import { patchify, unpatchify } from '../../engine/ops/patchify.js'
import { sliceTokens } from '../../engine/ops/sliceTokens.js'
import { constant, type OpCase, shapeText, single, variable } from '../opCase.js'
import {
  addPositionAtReference,
  addPositionReference,
  concatTokensReference,
  gatherRowsReference,
  meanTokensReference,
  patchifyReference,
  sliceTokensReference,
} from '../reference/tokens.js'

type Shape3 = readonly [number, number, number]

/** x [B,T,D], rows of the table, first row used. */
const positions: readonly (readonly [Shape3, number, number])[] = [
  [[1, 1, 4], 1, 0],
  [[1, 1, 48], 17, 0],
  [[2, 16, 48], 17, 1],
  [[3, 49, 7], 50, 1],
  [[1, 196, 64], 197, 1],
  [[2, 197, 12], 197, 0],
  [[5, 5, 192], 9, 3],
]

const addPositionCases: OpCase[] = positions.map(([shape, rows, firstRow]) => ({
  op: 'addPosition',
  label: `${shapeText(shape)}, rows ${firstRow}… of ${rows}`,
  inputs: [variable('x', shape), single(variable('position', [1, rows, shape[2]]))],
  run: (x, position) => addPosition(x, position, firstRow),
  reference: addPositionReference(firstRow),
}))

/** x [B,M,D], rows of the table, first row. */
const pickedPositions: readonly (readonly [Shape3, number, number])[] = [
  [[1, 1, 4], 1, 0],
  [[2, 4, 16], 17, 1],
  [[3, 12, 7], 50, 1],
  [[1, 49, 64], 197, 1],
  [[2, 50, 13], 50, 0],
  [[5, 5, 192], 9, 3],
]

const addPositionAtCases: OpCase[] = pickedPositions.map(([shape, rows, firstRow]) => {
  const [batch, picked, width] = shape
  const table = constant('position', [1, rows, width], (random, count) =>
    Float32Array.from({ length: count }, () => random.normal()),
  )
  const indices = constant(
    'indices',
    [batch, picked],
    (random, count) => Uint32Array.from({ length: count }, () => random.integer(rows - firstRow)),
    'u32',
  )
  return {
    op: 'addPositionAt',
    label: `${shapeText(shape)}, from row ${firstRow} of ${rows}`,
    inputs: [variable('x', shape), table, indices],
    run: (x, position, rowIndices) => addPositionAt(x, position, rowIndices, firstRow),
    reference: addPositionAtReference(firstRow),
  }
})

const gathers: readonly (readonly [Shape3, number])[] = [
  [[1, 1, 1], 1],
  [[2, 5, 7], 3],
  [[3, 17, 48], 17],
  [[2, 50, 12], 49],
  [[1, 196, 64], 49],
  [[2, 197, 13], 197],
  [[4, 16, 192], 4],
]

const gatherRowsCases: OpCase[] = gathers.map(([shape, picked]) => {
  const [batch, rows] = shape
  const indices = constant(
    'indices',
    [batch, picked],
    (random) =>
      Uint32Array.from(
        Array.from({ length: batch }, () => [...random.permutation(rows)].slice(0, picked)).flat(),
      ),
    'u32',
  )
  return {
    op: 'gatherRows',
    label: `${picked} of ${shapeText(shape)}`,
    inputs: [variable('x', shape), indices],
    run: (x, rowIndices) => gatherRows(x, rowIndices),
    reference: gatherRowsReference,
  }
})

const concats: readonly (readonly [Shape3, Shape3, number])[] = [
  [[1, 1, 4], [1, 1, 4], 1],
  [[1, 1, 48], [3, 16, 48], 1],
  [[2, 1, 7], [2, 49, 7], 1],
  [[2, 4, 12], [1, 1, 12], 12],
  [[3, 49, 16], [1, 1, 16], 147],
  [[1, 1, 64], [1, 196, 64], 1],
  [[2, 3, 5], [1, 2, 5], 4],
  [[2, 17, 192], [2, 33, 192], 1],
]

export const concatTokensCases: OpCase[] = concats.map(([a, b, repeat]) => {
  // What serves many samples or places is a learned token.
  const operand = (name: string, shape: Shape3, times: number) =>
    shape[0] === Math.max(a[0], b[0]) && times === 1 ? variable(name, shape) : single(variable(name, shape))
  return {
    op: 'concatTokens',
    label: `${shapeText(a)} and ${repeat} of ${shapeText(b)}`,
    inputs: [operand('a', a, 1), operand('b', b, repeat)],
    run: (x, y) => concatTokens(x, y, repeat),
    reference: concatTokensReference(repeat),
  }
})

const slices: readonly (readonly [Shape3, number, number])[] = [
  [[1, 1, 4], 0, 1],
  [[2, 5, 7], 1, 3],
  [[3, 17, 48], 1, 16],
  [[2, 50, 12], 0, 1],
  [[1, 197, 64], 1, 196],
  [[2, 50, 13], 49, 1],
]

const sliceTokensCases: OpCase[] = slices.map(([shape, start, count]) => ({
  op: 'sliceTokens',
  label: `${start}…${start + count - 1} of ${shapeText(shape)}`,
  inputs: [variable('x', shape)],
  run: (x) => sliceTokens(x, start, count),
  reference: sliceTokensReference(start, count),
}))

const means: readonly (readonly [Shape3, number])[] = [
  [[1, 1, 4], 0],
  [[1, 2, 48], 1],
  [[3, 17, 7], 1],
  [[2, 50, 64], 1],
  [[2, 197, 12], 1],
  [[5, 65, 192], 0],
]

const meanTokensCases: OpCase[] = means.map(([shape, start]) => ({
  op: 'meanTokens',
  label: `${shapeText(shape)} from ${start}`,
  inputs: [variable('x', shape)],
  run: (x) => meanTokens(x, start),
  reference: meanTokensReference(start),
}))

/** Batch, channels, side, patch. */
const images: readonly (readonly [number, number, number, number])[] = [
  [1, 3, 8, 8],
  [2, 3, 32, 8],
  [1, 3, 21, 7],
  [3, 1, 6, 3],
  [1, 3, 64, 16],
  [2, 5, 10, 1],
  [1, 3, 56, 4],
]

const patchifyCases: OpCase[] = images.flatMap(([batch, channels, side, patch]) =>
  (['chw', 'hwc'] as const).flatMap((order): OpCase[] => {
    const patches = [batch, (side / patch) ** 2, patch * patch * channels]
    return [
      {
        op: 'patchify',
        label: `${shapeText([batch, channels, side, side])} by ${patch}, ${order}`,
        inputs: [single(variable('images', [batch, channels, side, side]))],
        run: (x) => patchify(x, patch, order),
        reference: patchifyReference(patch, order),
      },
      {
        op: 'unpatchify',
        label: `${shapeText(patches)} by ${patch}, ${order}`,
        inputs: [variable('patches', patches)],
        run: (x) => unpatchify(x, patch, order),
        reference: patchifyReference(patch, order, true),
      },
    ]
  }),
)

export const tokenCases: readonly OpCase[] = [
  ...addPositionCases,
  ...addPositionAtCases,
  ...patchifyCases,
  ...gatherRowsCases,
  ...concatTokensCases,
  ...sliceTokensCases,
  ...meanTokensCases,
]
