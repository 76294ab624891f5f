// What the two platform twins (adapter.node.ts, adapter.browser.ts) share: the answer's type, the words for
// it, and the rule that tells a software adapter from a GPU.

/**
 * Where an adapter came from: a GPU, a software driver of this machine, or the SwiftShader carried by npm.
 */
export type AdapterSource = 'hardware' | 'system' | 'swiftshader'

/** Forces one kind of adapter (`FMAE_ADAPTER` in Node). */
export type AdapterChoice = 'hardware' | 'lavapipe' | 'swiftshader'

export interface FindAdapterOptions {
  /**
   * Accept only this kind; without it the best one found is taken: hardware, then lavapipe, then SwiftShader.
   */
  readonly choice?: AdapterChoice
  /** Let Dawn show experimental features. In a browser the command line decides (--enable-unsafe-webgpu). */
  readonly unsafeApis?: boolean
}

export interface FoundAdapter {
  readonly gpu: GPU
  readonly adapter: GPUAdapter
  /** True when a CPU does the work. Callers print `notice`, so that nobody trains on a CPU unknowingly. */
  readonly software: boolean
  readonly source: AdapterSource
  /** The driver's own words, or vendor and architecture where it says nothing. */
  readonly description: string
  /** One sentence for the user: which adapter, and whether it is software. */
  readonly notice: string
}

/** No adapter could be had. The message names what was tried and the one command that mends it. */
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

/**
 * True when the adapter computes on a CPU. Drivers disagree on where they say so, hence three ways to tell.
 */
export function isSoftwareAdapter(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter === true ||
    (info.vendor === 'mesa' && info.architecture === 'software') ||
    SOFTWARE_NAMES.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`)
  )
}

/** The adapter's name for people: the driver's description, else vendor and architecture. */
function describeAdapter(info: GPUAdapterInfo): string {
  return (
    info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' ') || 'unnamed'
  )
}

/** Completes the record of an adapter that was found. */
export function foundAdapter(gpu: GPU, adapter: GPUAdapter, source: AdapterSource): FoundAdapter {
  const software = isSoftwareAdapter(adapter.info)
  const description = describeAdapter(adapter.info)
  return { gpu, adapter, software, source, description, notice: notice(source, software, description) }
}

function notice(source: AdapterSource, software: boolean, description: string): string {
  if (!software) return `Adapter: ${description} (hardware).`
  if (source === 'swiftshader') {
    return `Adapter: ${description}, SOFTWARE: the CPU does the work, several times slower than lavapipe would.`
  }
  return `Adapter: ${description}, SOFTWARE: the CPU does the work, a GPU would be far faster.`
}
