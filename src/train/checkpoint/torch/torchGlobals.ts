import type { StoredType } from '../storedTypes.js'

/** The element type of each storage class of PyTorch. */
const storageTypes: Readonly<Record<string, StoredType>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  CharStorage: 'I8',
  ShortStorage: 'I16',
  IntStorage: 'I32',
  LongStorage: 'I64',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
}

export function storageType(name: string): StoredType | null {
  const [, kind] = /^torch\.(?:cuda\.)?(\w+Storage)$/.exec(name) ?? []
  return kind !== undefined && Object.hasOwn(storageTypes, kind) ? storageTypes[kind] : null
}

/** Calls that make a tensor. */
export const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2'
export const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter'

/**
 * Other names in checkpoints of training programs: arguments, paths, numbers, random states. They are only read past.
 * The list is closed: a pickle may name any function of any module.
 */
const inert: ReadonlySet<string> = new Set([
  'collections.OrderedDict',
  'collections.defaultdict',
  'collections.Counter',
  'argparse.Namespace',
  'copyreg._reconstructor',
  'copy_reg._reconstructor',
  '_codecs.encode',
  'datetime.datetime',
  'datetime.timedelta',
  ...['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path'].map(
    (name) => `pathlib.${name}`,
  ),
  ...['builtins', '__builtin__'].flatMap((module) =>
    ['bool', 'bytearray', 'bytes', 'complex', 'dict', 'float', 'frozenset', 'int', 'list', 'object', 'set']
      .concat('slice', 'str', 'tuple', 'unicode', 'long')
      .map((name) => `${module}.${name}`),
  ),
  ...['numpy.core.multiarray', 'numpy._core.multiarray'].flatMap((module) =>
    ['scalar', '_reconstruct', '_frombuffer'].map((name) => `${module}.${name}`),
  ),
  'numpy.dtype',
  'numpy.ndarray',
  'numpy.bool_',
  'numpy.float64',
  'numpy.int64',
  'torch.Size',
  'torch.device',
  'torch._utils._rebuild_device_tensor_from_numpy',
  'torch.serialization._get_layout',
  'torch.nn.parameter.Parameter',
  'torch.Tensor',
])

/** `torch.float32` and the like. */
const dtype = /^torch\.(float(16|32|64)?|bfloat16|half|double|u?int(8|16|32|64)|int|short|long|bool)$/

export function isAllowedGlobal(name: string): boolean {
  return (
    name === REBUILD_TENSOR ||
    name === REBUILD_PARAMETER ||
    storageType(name) !== null ||
    inert.has(name) ||
    dtype.test(name)
  )
}
