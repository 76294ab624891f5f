import t, { type Test } from 'tap'
import { create, globals } from 'webgpu'
import type { Kernel, KernelCaps, SubgroupMatrixConfig } from '../../kernels/kernel.js'
import { matmulPlan, matmulVariants } from '../../kernels/matmul.js'
import {
  type MatmulEpilogue,
  type MatmulProduct,
  type MatmulSpec,
  productKernel,
  type StoredTypes,
} from '../../kernels/matmulShared.js'
import { subgroupFits, subgroupText } from '../../kernels/matmulSubgroup.js'
import { subgroupMatrixFits, subgroupMatrixText } from '../../kernels/matmulSubgroupMatrix.js'
import { type TiledVariant, tiledText, tiledTiles } from '../../kernels/matmulTiled.js'
import { openDevice } from '../../src/engine/device.js'
import { PoisonedRuntime } from '../../src/verify/poisonedRuntime.js'
import { emulatedMatrixUnit } from './emulatedMatrixUnit.js'
import { Operands, productError } from './matmulProduct.js'

// Matmul variants for GPUs against float64, outputs poisoned. A CPU driver takes half a second to compile
// each text, so epilogues and stored types take turns: every one meets every variant family, and every pair
// of them is run.

const { device, caps, adapterNote } = await openDevice()
const runtime = new PoisonedRuntime(device, caps, adapterNote)
t.teardown(() => runtime.close())

const layouts = ['NN', 'NT', 'TN'] as const
const epilogues = ['none', 'bias', 'biasGelu', 'residual', 'accumulate'] as const
const single: StoredTypes = { a: 'f32', b: 'f32', c: 'f32' }
const half: StoredTypes = { a: 'f16', b: 'f16', c: 'f16' }
const storedTypes: readonly StoredTypes[] = caps.f16
  ? [single, half, { ...half, c: 'f32' }, { ...single, a: 'f16' }]
  : [single]

/** Batch, m, n, k: one, odd, ragged, divisible by 4 or by every tile; more than one band of tile rows. */
const sizes = [
  [1, 1, 1, 1],
  [2, 3, 17, 50],
  [1, 65, 197, 33],
  [2, 20, 12, 44],
  [1, 68, 132, 52],
  [1, 64, 128, 48],
  [1, 300, 72, 16],
] as const

let turn = 0

/**
 * The next epilogue and stored types, over all sizes that give the same text, and with k in parts where C has
 * no epilogue.
 */
async function checkSizes(
  t: Test,
  layout: MatmulProduct['layout'],
  kernelOf: (product: MatmulProduct) => Kernel | null,
) {
  const met = new Map<string, { epilogue: MatmulEpilogue; stored: StoredTypes }>()
  for (const [batch, m, n, k] of sizes) {
    const plain: MatmulProduct = { batch, m, n, k, layout, epilogue: 'none', splits: 1, stored: single }
    const key = kernelOf(plain)?.key
    if (key === undefined) continue
    if (!met.has(key)) {
      met.set(key, { epilogue: epilogues[turn % 5], stored: storedTypes[turn % storedTypes.length] })
      turn++
    }
    const { epilogue, stored } = met.get(key)!
    const canSplit = epilogue === 'none' && batch === 1 && stored.c === 'f32'
    for (const splits of canSplit ? [1, 3] : [1]) {
      const product = { ...plain, epilogue, stored, splits }
      const kernel = kernelOf(product)!
      const error = await productError(runtime, new Operands(product), kernel)
      t.ok(
        error < (stored.c === 'f16' ? 5e-4 : 1e-6),
        `${kernel.key} ${[batch, m, n, k]} in ${splits}: ${error}`,
      )
    }
  }
}

for (const variant of Object.keys(tiledTiles) as TiledVariant[]) {
  t.test(`${variant} is right on ragged sizes`, async (t) => {
    for (const layout of layouts)
      await checkSizes(t, layout, (product) => productKernel(product, tiledText(variant, product)))
  })
}

const real = `${caps.subgroupMinSize} to ${caps.subgroupMaxSize}`
// The text made for sizes of 4 to 16 must be right on any of them: here a workgroup has several subgroups, or
// a chunk several groups.
const ranges = [caps, { ...caps, subgroupMinSize: 4, subgroupMaxSize: 16 }]
for (const range of ranges) {
  const { subgroups, subgroupMinSize, subgroupMaxSize } = range
  const possible = subgroups && (range === caps || caps.subgroupMaxSize <= subgroupMaxSize)
  const skip = possible ? false : `this adapter has subgroups of ${real} lanes`
  t.test(
    `subgroup variant for ${subgroupMinSize} to ${subgroupMaxSize} lanes on ${real} is right on ragged sizes`,
    { skip },
    async (t) => {
      const kernelOf = (product: MatmulProduct) =>
        subgroupFits(range, product) ? productKernel(product, subgroupText(range, product)) : null
      for (const layout of layouts) await checkSizes(t, layout, kernelOf)
    },
  )
}

const f32Unit: SubgroupMatrixConfig = { componentType: 'f32', resultType: 'f32', M: 16, N: 32, K: 16 }
const f16Unit: SubgroupMatrixConfig = { ...f32Unit, componentType: 'f16' }

const emulation =
  caps.subgroups && caps.subgroupMinSize === caps.subgroupMaxSize
    ? {}
    : { skip: 'wants subgroups of one size' }

t.test('subgroup matrix variant, its matrix unit emulated, is right', emulation, async (t) => {
  const cases = [
    [[1, 70, 36, 20], 'NN', 'bias', single, f32Unit],
    [[2, 33, 67, 37], 'NT', 'none', single, f32Unit],
    [[1, 68, 36, 50], 'TN', 'none', { ...half, c: 'f32' }, f16Unit],
  ] as const
  for (const [[batch, m, n, k], layout, epilogue, stored, unit] of cases.slice(0, caps.f16 ? 3 : 2)) {
    const product: MatmulProduct = { batch, m, n, k, layout, epilogue, stored, splits: 1 }
    const withUnit: KernelCaps = { ...caps, subgroupMatrixConfigs: [unit] }
    t.ok(subgroupMatrixFits(withUnit, product))
    const text = subgroupMatrixText(withUnit, product, emulatedMatrixUnit)
    const error = await productError(runtime, new Operands(product), productKernel(product, text))
    t.ok(error < 1e-6, `${layout} ${[batch, m, n, k]}, ${epilogue}: ${error}`)
  }
})

t.test('Dawn accepts the texts for matrix units of several shapes', async (t) => {
  Object.assign(globalThis, globals)
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])
  const adapter = await gpu.requestAdapter()
  const features = [
    'subgroups',
    'shader-f16',
    'subgroup-size-control',
    'chromium-experimental-subgroup-matrix',
  ]
  const device = await adapter!.requestDevice({ requiredFeatures: features as GPUFeatureName[] })
  const units = [
    { ...f32Unit, M: 8, N: 8, K: 8 },
    { ...f16Unit, N: 16 },
    { ...f16Unit, N: 8, K: 8 },
  ]
  for (const unit of units) {
    for (const layout of layouts) {
      for (const subgroupMinSize of [32, 16]) {
        const type = unit.componentType as 'f32' | 'f16'
        const stored = { a: type, b: type, c: type }
        const product: MatmulProduct = {
          batch: 1,
          m: 64,
          n: 64,
          k: 64,
          layout,
          epilogue: 'bias',
          splits: 1,
          stored,
        }
        const sizes = { subgroupMinSize, subgroupMaxSize: 32, subgroupSizeControl: true }
        const text = subgroupMatrixText({ ...caps, ...sizes, subgroupMatrixConfigs: [unit] }, product)
        const { messages } = await device.createShaderModule({ code: text.code() }).getCompilationInfo()
        t.same(
          messages.map(({ message }) => message),
          [],
          text.key,
        )
      }
    }
  }
  device.destroy()
})

t.test('matrix units are used only with f32 sums, shapes that fit and a known subgroup size', async (t) => {
  const known = { ...caps, subgroupMinSize: 32, subgroupMaxSize: 32, subgroupSizeControl: false }
  const eligible = (withCaps: KernelCaps, unit: SubgroupMatrixConfig, stored = half) =>
    subgroupMatrixFits({ ...withCaps, subgroupMatrixConfigs: [unit] }, { stored })
  t.ok(eligible(known, f16Unit))
  t.ok(eligible({ ...known, subgroupMinSize: 16, subgroupSizeControl: true }, f16Unit))
  t.notOk(eligible({ ...known, subgroupMinSize: 16 }, f16Unit), 'size neither fixed nor pinned')
  t.notOk(eligible(known, { ...f16Unit, resultType: 'f16' }), 'f16 sums')
  t.notOk(eligible(known, f16Unit, single), 'f32 operands would be rounded')
  t.ok(eligible(known, f32Unit), 'f16 operands are widened')
  t.notOk(eligible(known, { ...f32Unit, K: 32 }), 'K longer than the block')
  t.notOk(subgroupMatrixFits(known, { stored: single }), 'none offered')
})

t.test('the fixed table: tiles by how many there are, k cut where there are few', async (t) => {
  const gpu = { ...caps, software: false }
  const choice = (batch: number, m: number, n: number, k: number, epilogue: MatmulEpilogue = 'none') => {
    const spec: MatmulSpec = { batch, m, n, k, layout: 'NT', epilogue, stored: single }
    const [variant] = matmulVariants(gpu, spec)
    return [variant, matmulPlan(gpu, spec, variant).splits]
  }
  t.same(choice(1, 3200, 768, 192, 'bias'), ['tiled64x64', 1])
  t.same(choice(1, 3200, 1536, 384), ['tiled64x128', 1])
  t.same(choice(1, 3200, 1536, 384, 'biasGelu'), ['tiled64x64', 1])
  t.same(choice(1, 384, 384, 12608), ['tiled64x64', 4], 'a weight gradient')
  t.same(choice(1, 64, 12, 192), ['tiled32x32', 3], 'a head')
  t.same(choice(1, 64, 12, 192, 'bias'), ['tiled32x32', 1])
  t.same(choice(4, 50, 50, 64), ['tiled32x32', 1])
})

t.test('experimental features are refused by name where the adapter has none', async (t) => {
  const offered = caps.subgroupMatrixConfigs ?? []
  t.same(offered, [], 'off unless asked for')
  await t.rejects(openDevice({ experimental: ['subgroup-matrix'] }), /chromium-experimental-subgroup-matrix/)
})
