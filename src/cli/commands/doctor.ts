import { existsSync } from 'node:fs'
import { type FoundAdapter, findAdapter, NoAdapterError } from '#adapter'
import { openVariantStore } from '#variantStore'

// Limits that decide which models fit, by their WebGPU names.
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const

const DOUBLE = `
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { values[id.x] *= 2.0; }`

/**
 * Prints what this machine offers: Node, packages, adapter, features, limits, a four-number computation, then the rows
 * of `more` (what only tests need). If training lacks something, prints the command that fixes it. Returns the exit
 * code: 0 if training can run.
 */
export async function doctor(
  more: () => Promise<[name: string, value: string][]> = async () => [],
): Promise<number> {
  row('Node', `${process.version} ${process.platform}-${process.arch}`)
  const problems = [await checkImages(), await checkAdapter()].filter((problem) => problem !== null)
  for (const [name, value] of await more()) row(name, value)
  if (problems.length === 0) console.log('\nNo problems found.')
  for (const problem of problems) console.log(`\n${problem}`)
  return problems.length === 0 ? 0 : 1
}

async function checkImages(): Promise<string | null> {
  try {
    const { default: sharp } = await import('sharp')
    row('Images', `sharp ${sharp.versions.sharp ?? ''}`)
    return null
  } catch (error) {
    row('Images', `sharp does not load: ${messageOf(error)}`)
    return 'To fix this, run: npm ci'
  }
}

async function checkAdapter(): Promise<string | null> {
  let found: FoundAdapter
  try {
    found = await findAdapter()
  } catch (error) {
    if (!(error instanceof NoAdapterError)) throw error
    row('Adapter', `none: ${error.tried.join('; ')}`)
    return error.mend
  }
  printAdapter(found)
  printVariants()
  const problem = await compute(found.adapter)
  row('Computation', problem ?? 'correct')
  if (found.source === 'swiftshader')
    console.log('\nlavapipe is several times faster; to install it, run: npm run setup')
  return (
    problem && 'The driver returns wrong results. Try another one: FMAE_ADAPTER=swiftshader npm run doctor'
  )
}

function printAdapter({ adapter, software, description }: FoundAdapter): void {
  const { info, features, limits } = adapter
  row('Adapter', software ? 'software, runs on the CPU' : 'hardware')
  row('Vendor', info.vendor || 'unknown')
  row('Architecture', info.architecture || 'unknown')
  row('Description', description)
  row(
    'Subgroups',
    info.subgroupMinSize ? `${info.subgroupMinSize} to ${info.subgroupMaxSize} lanes` : 'unknown',
  )
  row('Features', [...features].sort().join(', '))
  for (const [at, name] of LIMITS.entries()) row(at === 0 ? 'Limits' : '', `${name} ${limits[name]}`)
}

/** Where autotuning stores its choices (docs/tuner.md). */
function printVariants(): void {
  const { place } = openVariantStore()
  row(
    'Autotuning',
    existsSync(place) ? `${place} (delete it to autotune again)` : `${place} (not created yet)`,
  )
}

/** Doubles four numbers on the device: some drivers list an adapter that fails here. Returns what went wrong. */
async function compute(adapter: GPUAdapter): Promise<string | null> {
  const input = new Float32Array([1, 2, 3, 4])
  try {
    const device = await adapter.requestDevice()
    const output = await runDouble(device, input)
    device.destroy()
    return output.every((value, at) => value === 2 * input[at])
      ? null
      : `wrong: ${input} doubled gave ${output}`
  } catch (error) {
    return `failed: ${messageOf(error)}`
  }
}

async function runDouble(device: GPUDevice, input: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage
  const values = device.createBuffer({ size: input.byteLength, usage: STORAGE | COPY_SRC | COPY_DST })
  const result = device.createBuffer({ size: input.byteLength, usage: MAP_READ | COPY_DST })
  device.queue.writeBuffer(values, 0, input)
  const module = device.createShaderModule({ code: DOUBLE })
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } })
  const layout = pipeline.getBindGroupLayout(0)
  const entries = [{ binding: 0, resource: { buffer: values } }]
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, device.createBindGroup({ layout, entries }))
  pass.dispatchWorkgroups(1)
  pass.end()
  encoder.copyBufferToBuffer(values, 0, result, 0, input.byteLength)
  device.queue.submit([encoder.finish()])
  await result.mapAsync(GPUMapMode.READ)
  return new Float32Array(result.getMappedRange().slice(0))
}

function row(name: string, value: string): void {
  console.log(`${name.padEnd(12)} ${value}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
