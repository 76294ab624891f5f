/**
 * Renders the bundled face set, or one like it, from the ICT-FaceKit light model:
 *   renderFaces --model <folder> --out data/faces --people 168 --per-person 24 --extra-people 500
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findAdapter } from '../../src/engine/adapter.node.js'
import { writeCard } from './card.js'
import { writeContactSheet } from './contactSheet.js'
import { readFaceModel } from './faceModel.js'
import { planFaceSet, renderSamples } from './faceSet.js'
import { parseOptions, type RenderOptions } from './options.js'
import { FaceRenderer } from './renderer.js'
import { type Shard, writeShards } from './shards.js'

/** Samples per pixel and axis. */
const supersampling = 3

async function openDevice(): Promise<GPUDevice> {
  const { adapter, notice } = await findAdapter()
  process.stderr.write(`${notice}\n`)
  const device = await adapter.requestDevice()
  device.addEventListener('uncapturederror', ({ error }) => {
    process.stderr.write(`renderFaces: ${error.message}\n`)
    process.exit(1)
  })
  return device
}

async function clearFolder(folder: string): Promise<void> {
  const old = (await readdir(folder)).filter((file) => /^(fold\d|extra)-\d{3}\.tar\.gz$/.test(file))
  for (const file of old) await rm(join(folder, file))
}

function progressLine(total: number): (done: number) => void {
  const start = performance.now()
  return (done) => {
    const rate = done / ((performance.now() - start) / 1000)
    const end = done === total ? '\n' : '\r'
    process.stderr.write(`${done} of ${total} pictures, ${rate.toFixed(1)} a second  ${end}`)
  }
}

async function renderFaces(options: RenderOptions): Promise<void> {
  const model = await readFaceModel(options.model)
  await mkdir(options.out, { recursive: true })
  const faces = planFaceSet(model, options)
  const device = await openDevice()
  const renderer = new FaceRenderer(device, model, options.size, supersampling)
  const samples = await renderSamples(renderer, faces, options, progressLine(faces.plans.length))
  await clearFolder(options.out)
  const shards: Shard[] = []
  for (const split of new Set(faces.plans.map((plan) => plan.split))) {
    const own = samples.filter((_, i) => faces.plans[i].split === split)
    shards.push(...(await writeShards(options.out, split, own)))
  }
  await writeContactSheet(join(options.out, 'contactSheet.png'), renderer, model, faces, options)
  await writeCard(options.out, faces, shards, options)
  renderer.destroy()
  device.destroy()
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options) await renderFaces(options)
  process.exit(0)
} catch (error) {
  process.stderr.write(`renderFaces: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
