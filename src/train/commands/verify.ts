export async function verify(_files: string[], _options: { tolerance: number }): Promise<number> {
  return 1
}
