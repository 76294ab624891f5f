/** True for the names of images that are read. */
export function isImage(path: string): boolean {
  return /\.(jpe?g|png|webp)$/i.test(path)
}

/** True for the names of images in formats that are not read. */
export function isOtherImage(path: string): boolean {
  return /\.(avif|bmp|gif|hei[cf]|jfif|jp2|jxl|svg|tga|tiff?)$/i.test(path)
}

/**
 * Hidden files are no data, in folders and in archives: systems put their own beside images and shards, under the same names
 * too (`._1.jpg`, `__MACOSX/1.jpg`, Synology's `@eaDir/1.jpg/…`). `.` and `..` are places, not names.
 */
export function isHidden(path: string): boolean {
  return path
    .split('/')
    .some((part) => systemFolders.has(part) || (/^\./.test(part) && !/^\.\.?$/.test(part)))
}

const systemFolders: ReadonlySet<string> = new Set([
  '__MACOSX',
  '@eaDir',
  '#recycle',
  '#snapshot',
  '$RECYCLE.BIN',
  'System Volume Information',
])
