import {
  type FindAdapterOptions,
  type FoundAdapter,
  foundAdapter,
  isSoftwareAdapter,
  NoAdapterError,
} from './adapterInfo.js'

export * from './adapterInfo.js'

/**
 * Finds the browser's WebGPU adapter; the twin of adapter.node.ts.
 * @throws NoAdapterError when the browser has no WebGPU, or none of the wanted kind.
 */
export async function findAdapter(options: FindAdapterOptions = {}): Promise<FoundAdapter> {
  const gpu = globalThis.navigator?.gpu
  if (!gpu) throw new NoAdapterError(['this browser has no navigator.gpu (or the page is not https)'], MEND)
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new NoAdapterError(['the browser offers no adapter'], MEND)
  const software = isSoftwareAdapter(adapter.info)
  const wantSoftware = options.choice === 'lavapipe' || options.choice === 'swiftshader'
  if (options.choice && software !== wantSoftware) {
    throw new NoAdapterError([`the browser offers only ${software ? 'software' : 'hardware'}`], MEND)
  }
  return foundAdapter(gpu, adapter, software ? 'system' : 'hardware')
}

const MEND = 'In Chrome on Linux, start it with --enable-unsafe-webgpu.'
