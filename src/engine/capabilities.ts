import type { KernelCaps, SubgroupMatrixConfig } from '../../kernels/kernel.js'
import { DeviceError } from './errors.js'

/** What the adapter can do; read once, before any kernel is chosen. */
export interface Capabilities extends KernelCaps {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
  readonly f16: boolean
  readonly subgroups: boolean
  readonly subgroupMinSize: number
  readonly subgroupMaxSize: number
  readonly subgroupSizeControl: boolean
  readonly subgroupMatrixConfigs: readonly SubgroupMatrixConfig[]
  readonly timestampQuery: boolean
  /** Largest storage binding and buffer, bytes. */
  readonly maxBindingBytes: number
  readonly maxBufferBytes: number
}

/** Features that the engine uses if the adapter has them; none is required. */
const optionalFeatures = ['timestamp-query', 'shader-f16', 'subgroups', 'subgroup-size-control'] as const

/** Features that browsers do not ship yet; used only if the caller of `openDevice` requests them. */
export type Experimental = 'subgroup-matrix'

const SUBGROUP_MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix'

/** Limits to raise to those of the adapter: the defaults cap bindings at 128 MiB and buffers at 256 MiB. */
const raisedLimits = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
] as const

/** @throws DeviceError if the adapter lacks an experimental feature that was asked for. */
export function deviceDescriptor(
  adapter: GPUAdapter,
  experimental: readonly Experimental[] = [],
): GPUDeviceDescriptor {
  const requiredFeatures: string[] = optionalFeatures.filter((feature) => adapter.features.has(feature))
  if (experimental.includes('subgroup-matrix')) {
    requireSubgroupMatrix(adapter)
    requiredFeatures.push(SUBGROUP_MATRIX_FEATURE)
  }
  const requiredLimits = Object.fromEntries(raisedLimits.map((limit) => [limit, adapter.limits[limit]]))
  return { requiredFeatures: requiredFeatures as GPUFeatureName[], requiredLimits }
}

function requireSubgroupMatrix({ features, info }: GPUAdapter): void {
  if (features.has(SUBGROUP_MATRIX_FEATURE) && subgroupMatrixConfigs(info).length > 0) return
  throw new DeviceError(
    `subgroup-matrix: the adapter ${info.description} offers no ${SUBGROUP_MATRIX_FEATURE}; open the runtime without it`,
  )
}

/** Not in the standard, hence not in its types. */
function subgroupMatrixConfigs(info: GPUAdapterInfo): readonly SubgroupMatrixConfig[] {
  const { subgroupMatrixConfigs = [] } = info as GPUAdapterInfo & { subgroupMatrixConfigs?: DawnConfig[] }
  return subgroupMatrixConfigs.map(({ componentType, resultComponentType: resultType, M, N, K }) => {
    return { componentType, resultType, M, N, K }
  })
}

interface DawnConfig extends Omit<SubgroupMatrixConfig, 'resultType'> {
  readonly resultComponentType: string
}

export function readCapabilities(adapter: GPUAdapter, device: GPUDevice, software: boolean): Capabilities {
  const { info } = adapter
  const { limits } = device
  return {
    software,
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    f16: device.features.has('shader-f16'),
    subgroups: device.features.has('subgroups' as GPUFeatureName),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupSizeControl: device.features.has('subgroup-size-control' as GPUFeatureName),
    subgroupMatrixConfigs: device.features.has(SUBGROUP_MATRIX_FEATURE as GPUFeatureName)
      ? subgroupMatrixConfigs(info)
      : [],
    timestampQuery: device.features.has('timestamp-query'),
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
  }
}
