import type { KernelCaps } from '../../kernels/kernel.js'

/** What the adapter at hand can do; read once, before any kernel is chosen. */
export interface Capabilities extends KernelCaps {
  readonly vendor: string
  readonly architecture: string
  readonly description: string
  readonly f16: boolean
  readonly subgroups: boolean
  readonly subgroupMinSize: number
  readonly subgroupMaxSize: number
  readonly timestampQuery: boolean
  /** Largest storage binding and buffer, bytes. */
  readonly maxBindingBytes: number
  readonly maxBufferBytes: number
}

/** Features the engine uses where an adapter has them; none is required. */
const optionalFeatures = ['timestamp-query', 'shader-f16', 'subgroups'] as const

/** Limits worth raising to the adapter's own: the defaults would cap bindings at 128 MiB, buffers at 256 MiB. */
const raisedLimits = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
] as const

export function deviceDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredFeatures = optionalFeatures.filter((feature) => adapter.features.has(feature))
  const requiredLimits = Object.fromEntries(raisedLimits.map((limit) => [limit, adapter.limits[limit]]))
  return { requiredFeatures: requiredFeatures as GPUFeatureName[], requiredLimits }
}

export function readCapabilities(adapter: GPUAdapter, device: GPUDevice, software: boolean): Capabilities {
  const { info } = adapter
  const { limits } = device
  return {
    software,
    vendor: info.vendor,
    architecture: info.architecture,
    description: info.description,
    f16: device.features.has('shader-f16'),
    subgroups: device.features.has('subgroups' as GPUFeatureName),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    timestampQuery: device.features.has('timestamp-query'),
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
  }
}
