import { MAX_IMAGE_FILE } from '../fileTree.js'
import { isImage } from '../imageFiles.js'
import { imageSetOf } from '../imageSetOf.js'
import type { Reader } from './reader.js'

/** Every .jpg, .jpeg, .png and .webp file in a folder and its subfolders, without labels, sorted by path. */
export const imageFolderReader: Reader = {
  reads: 'a folder',
  noun: 'image',
  foldersOnly: true,
  owns: isImage,
  chosen: (files) => files.filter(({ path }) => isImage(path)),

  async open({ name, files }) {
    const images = files.map((file) => ({
      sample: { id: file.path, subject: null, aus: null, split: null },
      where: file.name,
      identity: file.path,
      name: file.name,
      bytes: () => file.bytes(MAX_IMAGE_FILE),
    }))
    return {
      set: imageSetOf(images, { name, aus: null, folds: null, notes: [] }),
      read: new Set(files.map(({ path }) => path)),
    }
  },
}
