/** Encodes a square image, interleaved 8-bit RGB (size × size × 3 bytes), as a PNG data URI. Throws RangeError on a wrong length. */
export async function pngDataUri(rgb: Uint8Array, size: number): Promise<string> {
  if (rgb.length !== size * size * 3) {
    throw new RangeError(
      `pngDataUri: got ${rgb.length} bytes, expected ${size}×${size}×3 = ${size * size * 3}`,
    )
  }
  const { default: sharp } = await import('sharp')
  const raw = { width: size, height: size, channels: 3 } as const
  const png = await sharp(rgb, { raw }).png({ compressionLevel: 9 }).toBuffer()
  return `data:image/png;base64,${png.toString('base64')}`
}
