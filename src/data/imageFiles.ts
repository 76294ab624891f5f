/** True for file names of supported image formats. */
export function isImage(path: string): boolean {
  return /\.(jpe?g|png|webp)$/i.test(path)
}

/** True for file names of image formats that are not supported. */
export function isOtherImage(path: string): boolean {
  return /\.(avif|bmp|gif|hei[cf]|jfif|jp2|jxl|svg|tga|tiff?)$/i.test(path)
}

/**
 * True for hidden files and system folders, which are ignored in folders and archives. Operating systems add
 * them, some with the same file names: `._1.jpg`, `__MACOSX/1.jpg`, Synology's `@eaDir/1.jpg/…`. Not true for
 * `.` and `..`.
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
