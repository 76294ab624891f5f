// Shared by adapter.node.ts and adapter.browser.ts: the type of a found adapter, its description, and the rule that
// tells a software adapter from a GPU.

/**
 * Where an adapter came from: a GPU, a software driver of this machine, or the SwiftShader carried by npm.
 */
export type AdapterSource = 'hardware' | 'system' | 'swiftshader'

/** Forces one kind of adapter (`FMAE_ADAPTER` in Node). */
export type AdapterChoice = 'hardware' | 'lavapipe' | 'swiftshader'

export interface FindAdapterOptions {
  /** Accept only this kind. The default is the best one found: hardware, then lavapipe, then SwiftShader. */
  readonly choice?: AdapterChoice
  /** Let Dawn expose experimental features. A browser needs the switch --enable-unsafe-webgpu for that. */
  readonly unsafeApis?: boolean
}

export interface FoundAdapter {
  readonly gpu: GPU
  readonly adapter: GPUAdapter
  /** True if it runs on a CPU. Callers print `notice`, so that nobody trains on a CPU unknowingly. */
  readonly software: boolean
  readonly source: AdapterSource
  /** The driver's description, or vendor and architecture if it has none. */
  readonly description: string
  /** One sentence for the user: which adapter, and whether it is software. */
  readonly notice: string
}

/** No adapter was found. The message names what was tried and how to fix it. */
export class NoAdapterError extends Error {
  override readonly name = 'NoAdapterError'

  constructor(
    readonly tried: readonly string[],
    readonly mend: string,
  ) {
    super(`no WebGPU adapter: ${tried.join('; ')}. ${mend}`)
  }
}

/** llvmpipe / lavapipe (Mesa), SwiftShader (Google) and WARP (Windows), by whatever field names them. */
const SOFTWARE_NAMES = /llvmpipe|lavapipe|softpipe|swiftshader|microsoft basic render|\bwarp\b/i

/** True if the adapter runs on a CPU. Drivers report this in different places, so three are checked. */
export function isSoftwareAdapter(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter === true ||
    (info.vendor === 'mesa' && info.architecture === 'software') ||
    SOFTWARE_NAMES.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`)
  )
}

/** The adapter's name: the driver's description, else vendor and architecture. */
function describeAdapter(info: GPUAdapterInfo): string {
  return (
    info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' ') || 'unnamed'
  )
}

/** Completes the record of a found adapter. */
export function foundAdapter(gpu: GPU, adapter: GPUAdapter, source: AdapterSource): FoundAdapter {
  const software = isSoftwareAdapter(adapter.info)
  const description = describeAdapter(adapter.info)
  return { gpu, adapter, software, source, description, notice: notice(source, software, description) }
}

function notice(source: AdapterSource, software: boolean, description: string): string {
  if (!software) return `Adapter: ${description} (hardware).`
  if (source === 'swiftshader') {
    return `Adapter: ${description} (software). It runs on the CPU, several times slower than lavapipe.`
  }
  return `Adapter: ${description} (software). It runs on the CPU; a GPU would be much faster.`
}
