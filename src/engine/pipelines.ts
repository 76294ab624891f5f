import type { Kernel } from '../../kernels/kernel.js'
import type { Storage } from './memory.js'

/** A pipeline with one set of shape parameters, and the bind groups it has met. */
export class PipelineEntry {
  readonly #bindGroups = new Map<string, GPUBindGroup>()

  constructor(
    readonly device: GPUDevice,
    readonly pipeline: GPUComputePipeline,
    readonly layout: GPUBindGroupLayout,
    readonly params: GPUBuffer | null,
  ) {}

  bindGroup(storages: readonly Storage[]): GPUBindGroup {
    let key = ''
    for (const s of storages) key += `${s.bufferId}.${s.byteOffset}.${s.byteLength} `
    let group = this.#bindGroups.get(key)
    if (!group) {
      group = this.createBindGroup(storages)
      this.#bindGroups.set(key, group)
    }
    return group
  }

  /** A bind group that the caller keeps. */
  createBindGroup(storages: readonly Storage[]): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = storages.map((storage, binding) => ({
      binding,
      resource: { buffer: storage.buffer!, offset: storage.byteOffset, size: storage.byteLength },
    }))
    if (this.params) entries.push({ binding: storages.length, resource: { buffer: this.params } })
    return this.device.createBindGroup({ layout: this.layout, entries })
  }
}

interface Compiled {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
}

/** Compiles each kernel text once, and keeps one small uniform buffer per distinct set of parameters. */
export class PipelineCache {
  readonly #compiled = new Map<string, Compiled>()
  readonly #entries = new Map<string, PipelineEntry>()

  constructor(readonly device: GPUDevice) {}

  /** Distinct kernel texts compiled so far. */
  get size(): number {
    return this.#compiled.size
  }

  get(kernel: Kernel): PipelineEntry {
    const key = `${kernel.key}|${kernel.params.join()}`
    let entry = this.#entries.get(key)
    if (!entry) {
      const { pipeline, layout } = this.#compile(kernel)
      entry = new PipelineEntry(this.device, pipeline, layout, this.#uniform(kernel.params))
      this.#entries.set(key, entry)
    }
    return entry
  }

  #compile(kernel: Kernel): Compiled {
    let compiled = this.#compiled.get(kernel.key)
    if (!compiled) {
      const layout = this.device.createBindGroupLayout({ label: kernel.name, entries: layoutEntries(kernel) })
      const pipeline = this.device.createComputePipeline({
        label: kernel.name,
        layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: {
          module: this.device.createShaderModule({ label: kernel.name, code: kernel.code() }),
          entryPoint: 'main',
        },
      })
      compiled = { pipeline, layout }
      this.#compiled.set(kernel.key, compiled)
    }
    return compiled
  }

  #uniform(params: readonly number[]): GPUBuffer | null {
    if (params.length === 0) return null
    const size = Math.ceil(params.length / 4) * 16
    const buffer = this.device.createBuffer({ size, usage: GPUBufferUsage.UNIFORM, mappedAtCreation: true })
    new Uint32Array(buffer.getMappedRange()).set(params)
    buffer.unmap()
    return buffer
  }
}

function layoutEntries(kernel: Kernel): GPUBindGroupLayoutEntry[] {
  const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map((access, binding) => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
  }))
  if (kernel.params.length > 0) {
    entries.push({ binding: entries.length, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform' } })
  }
  return entries
}
