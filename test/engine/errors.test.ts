import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { DeviceError, LimitError, ShapeError } from '../../src/engine/errors.js'
import { add } from '../../src/engine/ops/add.js'
import { addPosition } from '../../src/engine/ops/addPosition.js'
import { addPositionAt } from '../../src/engine/ops/addPositionAt.js'
import { argsortRows } from '../../src/engine/ops/argsortRows.js'
import { attention } from '../../src/engine/ops/attention.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { concatTokens } from '../../src/engine/ops/concatTokens.js'
import { gatherRows } from '../../src/engine/ops/gatherRows.js'
import { gelu } from '../../src/engine/ops/gelu.js'
import { layerNorm } from '../../src/engine/ops/layerNorm.js'
import { linear } from '../../src/engine/ops/linear.js'
import { maskedPatchLoss } from '../../src/engine/ops/maskedPatchLoss.js'
import { matmul } from '../../src/engine/ops/matmul.js'
import { meanTokens } from '../../src/engine/ops/meanTokens.js'
import { patchify, unpatchify } from '../../src/engine/ops/patchify.js'
import { randomMasking } from '../../src/engine/ops/randomMasking.js'
import { reshape } from '../../src/engine/ops/reshape.js'
import { residual } from '../../src/engine/ops/residual.js'
import { scale } from '../../src/engine/ops/scale.js'
import { sliceTokens } from '../../src/engine/ops/sliceTokens.js'
import { softmaxCrossEntropy } from '../../src/engine/ops/softmaxCrossEntropy.js'

// A shape that does not fit is refused by name, with the shapes, before anything runs.

const runtime = await openDevice()
t.teardown(() => runtime.close())
const f = (...shape: number[]) => runtime.empty(shape)
const u = (...shape: number[]) => runtime.empty(shape, 'u32')

/** Op, a call that does not fit, and shapes that the message must show. */
const wrong: readonly (readonly [op: string, call: () => unknown, ...shown: string[]])[] = [
  ['linear', () => linear(f(2, 5, 3), f(8, 4), null), '[2,5,3]', '[8,4]'],
  ['linear', () => linear(f(2, 4), f(8, 4), f(7)), '[8,4]', '[7]'],
  ['linear', () => linear(f(2, 4), f(8), null), '[2,4]', '[8]'],
  ['linear', () => linear(f(2, 4), f(8, 4), null, 'gelu'), 'bias'],
  ['matmul', () => matmul(f(2, 3), f(4, 5)), '[2,3]', '[4,5]'],
  ['matmul', () => matmul(f(2, 2, 3), f(3, 3, 5)), '[2,2,3]', '[3,3,5]'],
  ['matmul', () => matmul(f(2, 3), f(5, 4), { transposeB: true }), '[2,3]', '[5,4]ᵀ'],
  ['matmul', () => matmul(f(3), f(3, 5)), '[3]'],
  ['attention', () => attention(f(2, 5, 10), 2), '[2,5,10]'],
  ['attention', () => attention(f(5, 12), 2), '[5,12]'],
  ['attention', () => attention(f(1, 2, 3 * 129), 1), '129', '128'],
  ['layerNorm', () => layerNorm(f(2, 8), f(7), f(8), 1e-6), '[2,8]', '[7]'],
  ['layerNorm', () => layerNorm(f(2, 8), f(8), f(8, 1), 1e-6), '[2,8]', '[8,1]'],
  ['gelu', () => gelu(f(0, 3)), '[0,3]'],
  ['scale', () => scale(f(0), 2), '[0]'],
  ['add', () => add(f(2, 3), f(3, 2)), '[2,3]', '[3,2]'],
  ['add', () => add(f(2, 3), f(1, 3)), '[2,3]', '[1,3]'],
  ['residual', () => residual(f(2, 3), f(2, 4), null), '[2,3]', '[2,4]'],
  ['residual', () => residual(f(2, 3), f(2, 3), f(3)), '[2,3]', '[3]'],
  ['addPositionAt', () => addPositionAt(f(2, 3, 8), f(1, 4, 8), u(2, 4), 1), '[2,3,8]', '[2,4]'],
  ['addPosition', () => addPosition(f(2, 5, 8), f(1, 5, 8), 1), '[2,5,8]', '[1,5,8]'],
  ['addPosition', () => addPosition(f(2, 5, 8), f(1, 5, 4), 0), '[2,5,8]', '[1,5,4]'],
  ['patchify', () => patchify(f(1, 3, 8, 6), 2, 'chw'), '[1,3,8,6]'],
  ['patchify', () => patchify(f(1, 3, 8, 8), 3, 'chw'), '[1,3,8,8]', '3'],
  ['unpatchify', () => unpatchify(f(1, 5, 12), 2, 'hwc'), '[1,5,12]'],
  ['gatherRows', () => gatherRows(f(2, 5, 8), u(3, 2)), '[2,5,8]', '[3,2]'],
  ['gatherRows', () => gatherRows(f(2, 5, 8), f(2, 2)), '[2,5,8]', '[2,2]'],
  ['gatherRows', () => gatherRows(f(2, 5, 8), u(2, 6)), '[2,5,8]', '[2,6]'],
  ['concatTokens', () => concatTokens(f(2, 1, 8), f(3, 4, 8)), '[2,1,8]', '[3,4,8]'],
  ['concatTokens', () => concatTokens(f(2, 1, 8), f(2, 4, 4)), '[2,1,8]', '[2,4,4]'],
  ['concatTokens', () => concatTokens(f(2, 1, 8), f(2, 4, 8), 3), '[2,4,8]', '3'],
  ['sliceTokens', () => sliceTokens(f(2, 5, 8), 3, 3), '[2,5,8]', '3'],
  ['meanTokens', () => meanTokens(f(2, 5, 8), 5), '[2,5,8]'],
  ['bceWithLogits', () => bceWithLogits(f(2, 3), f(2, 4)), '[2,3]', '[2,4]'],
  ['bceWithLogits', () => bceWithLogits(f(2, 3), u(2, 3)), 'u32'],
  ['softmaxCrossEntropy', () => softmaxCrossEntropy(f(2, 3), u(3)), '[2,3]', '[3]'],
  ['softmaxCrossEntropy', () => softmaxCrossEntropy(f(2, 3), f(2)), 'u32', 'f32'],
  ['maskedPatchLoss', () => maskedPatchLoss(f(2, 4, 6), f(2, 4, 5), f(2, 4), true), '[2,4,6]', '[2,4,5]'],
  ['maskedPatchLoss', () => maskedPatchLoss(f(2, 4, 6), f(2, 4, 6), f(4, 2), true), '[2,4,6]', '[4,2]'],
  ['maskedPatchLoss', () => maskedPatchLoss(f(2, 4, 1), f(2, 4, 1), f(2, 4), true), '[2,4,1]'],
  ['argsortRows', () => argsortRows(f(2, 3, 4)), '[2,3,4]'],
  ['argsortRows', () => argsortRows(u(2, 3)), 'u32'],
  ['randomMasking', () => randomMasking(f(2, 3), 4), '[2,3]', '4'],
  ['reshape', () => reshape(f(2, 3), [4]), '[2,3]', '[4]'],
]

for (const [op, call, ...shown] of wrong) {
  t.test(`${op} refuses ${shown.join(' ')}`, async (t) => {
    try {
      call()
      t.fail('it was accepted')
    } catch (error) {
      t.type(error, ShapeError)
      const { message } = error as ShapeError
      t.equal((error as ShapeError).op, op)
      t.ok(message.startsWith(`${op}: `), message)
      for (const text of shown) t.ok(message.includes(text), `${message} shows ${text}`)
    }
  })
}

t.test('the runtime refuses what it cannot do', async (t) => {
  t.throws(() => runtime.tensor([1, 2], [3]), DeviceError)
  t.throws(() => runtime.empty([2 ** 20, 2 ** 12]), LimitError)
  t.throws(() => softmaxCrossEntropy(f(2, 3), u(2), 1.5), RangeError)
})

t.test('a label that names no class gives NaN, not a silent number', async (t) => {
  const loss = softmaxCrossEntropy(runtime.zeros([2, 3]), runtime.tensor([1, 3], [2], 'u32'))
  t.ok(Number.isNaN((await loss.read())[0]))
})
