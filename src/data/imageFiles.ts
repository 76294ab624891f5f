/** True for the names of pictures. */
export function isImage(path: string): boolean {
  return /\.(jpe?g|png|webp)$/i.test(path)
}

/** Hidden files are no data: systems put their own beside pictures and shards, under the same names too (._1.jpg). */
export function isHidden(path: string): boolean {
  return /(^|\/)(\.[^/]|__MACOSX\/)/.test(path)
}
