import { BlobTree } from '../../../src/data/fileTree.browser.js'
import type { ImageSet } from '../../../src/data/imageSet.js'
import { openSet } from '../../../src/data/openSet.js'
import type { ReadOptions } from '../../../src/data/readers/reader.js'

/** Opens a folder `faces` of these files, or one file in it, without a disk. */
export async function openTree(
  files: Readonly<Record<string, Uint8Array | string>>,
  { file, ...options }: ReadOptions & { readonly file?: string } = {},
): Promise<ImageSet> {
  const blobs = Object.entries(files).map(
    ([path, content]) =>
      [path, new Blob([typeof content === 'string' ? content : new Uint8Array(content)])] as const,
  )
  const tree = new BlobTree('faces', blobs, (path) => `faces/${path}`)
  const found = file === undefined ? null : tree.findOwn(file)
  return openSet({ tree, root: tree, file: found && 'file' in found ? found.file : null }, options)
}
