/**
 * Layouts: the names under which programs store the weights of one and the same network. Each is translated to the
 * names of the reference (MAE, FMAE-IAT), which this project uses.
 */

/** A tensor of a foreign file. */
export interface ForeignTensor {
  readonly name: string
  readonly shape: readonly number[]
}

/** One tensor of the reference, made from tensors of the file. */
export interface Part {
  readonly name: string
  /** Concatenated along the first axis, in this order. */
  readonly from: readonly string[]
}

export interface Translation {
  readonly parts: readonly Part[]
  /** Tensors of the file that are not needed, with the reason. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[]
}

export interface Layout {
  /** In tables and messages. */
  readonly name: string
  /** Whether a file with these names has this layout. */
  matches(names: ReadonlySet<string>): boolean
  translate(tensors: readonly ForeignTensor[]): Translation
  /** The names under which it stores a tensor of the reference; several if it divides the first axis. */
  namesOf(name: string): readonly string[]
  /** Epsilon of its layer norms, unless the file says otherwise. */
  readonly layerNormEps: number
}

/** PyTorch adds these for DataParallel and torch.compile, Lightning the last. */
const wrappers =
  /^((module|_orig_mod|model|backbone|encoder)\.)+(?=(cls_token|pos_embed|mask_token|patch_embed|blocks|norm|fc_norm|head|AU_head|ID_head|decoder_|vit\.|decoder\.|classifier|encoder\.layer\.|embeddings\.|layernorm\.|pooler\.))/

/** The name without what wrappers added. */
export function unwrappedName(name: string): string {
  return name.replace(wrappers, '')
}

/** MAE, FMAE, FMAE-IAT and timm: the reference's own names. */
export const reference: Layout = {
  name: 'MAE, FMAE, FMAE-IAT or timm',
  layerNormEps: 1e-6,
  matches: (names) => [...names].some((name) => /^blocks\.\d+\.attn\.qkv\.weight$/.test(name)),
  translate: (tensors) => ({
    parts: tensors.map(({ name }) => ({ name: name.replace(/^AU_head\./, 'head.'), from: [name] })),
    leftOut: [],
  }),
  namesOf: (name) => [name],
}

/** Hugging Face's ViTMAEForPreTraining, ViTMAEModel, ViTForImageClassification and ViTModel. */
export const huggingFace: Layout = {
  name: 'Hugging Face ViTMAE or ViT',
  layerNormEps: 1e-12,
  matches: (names) =>
    [...names].some((name) => /(^|\.)encoder\.layer\.\d+\.attention\.attention\.query\.weight$/.test(name)),
  translate(tensors) {
    const parts = new Map<string, string[]>()
    const leftOut: Translation['leftOut'][number][] = []
    for (const { name } of tensors) {
      if (/(^|\.)pooler\./.test(name)) {
        leftOut.push({ name, reason: 'the pooler of the class token; this model pools patch tokens' })
        continue
      }
      const own = huggingFaceName(name)
      const list = parts.get(own.name) ?? []
      list[own.third ?? 0] = name
      parts.set(own.name, list)
    }
    return { parts: [...parts].map(([name, from]) => ({ name, from: from.filter(Boolean) })), leftOut }
  },
  namesOf(name) {
    const block = /^(decoder_)?blocks\.(\d+)\.(.*)\.(weight|bias)$/.exec(name)
    if (!block) return [theirName(name)]
    const [, decoder, index, layer, kind] = block
    const prefix = decoder ? `decoder.decoder_layers.${index}` : `vit.encoder.layer.${index}`
    if (layer === 'attn.qkv') return thirds.map((third) => `${prefix}.attention.attention.${third}.${kind}`)
    const theirs = Object.entries(layerNames).find(([, own]) => own === layer)
    return [`${prefix}.${theirs?.[0] ?? layer}.${kind}`]
  },
}

/** The reference keeps query, key and value in one tensor, in this order. */
const thirds = ['query', 'key', 'value']

/** `vit.encoder.layer.3.attention.attention.key.bias` → third 1 of `blocks.3.attn.qkv.bias`. */
function huggingFaceName(full: string): { name: string; third?: number } {
  const name = full.replace(/^vit\./, '')
  const block = /^(encoder\.layer|decoder\.decoder_layers)\.(\d+)\.(.*)\.(weight|bias)$/.exec(name)
  if (!block) return { name: topLevelName(name) }
  const [, stack, index, layer, kind] = block
  const prefix = `${stack === 'encoder.layer' ? 'blocks' : 'decoder_blocks'}.${index}`
  const third = thirds.indexOf(layer.replace(/^attention\.attention\./, ''))
  if (third >= 0) return { name: `${prefix}.attn.qkv.${kind}`, third }
  return { name: `${prefix}.${layerNames[layer] ?? layer}.${kind}` }
}

const layerNames: Readonly<Record<string, string>> = {
  layernorm_before: 'norm1',
  layernorm_after: 'norm2',
  'attention.output.dense': 'attn.proj',
  'intermediate.dense': 'mlp.fc1',
  'output.dense': 'mlp.fc2',
}

function topLevelName(name: string): string {
  const renamed = Object.entries(topLevelNames).find(
    ([theirs]) => name === theirs || name.startsWith(`${theirs}.`),
  )
  return renamed ? renamed[1] + name.slice(renamed[0].length) : name
}

const topLevelNames: Readonly<Record<string, string>> = {
  'embeddings.cls_token': 'cls_token',
  'embeddings.position_embeddings': 'pos_embed',
  'embeddings.patch_embeddings.projection': 'patch_embed.proj',
  layernorm: 'norm',
  classifier: 'head',
  'decoder.mask_token': 'mask_token',
  'decoder.decoder_pos_embed': 'decoder_pos_embed',
  'decoder.decoder_embed': 'decoder_embed',
  'decoder.decoder_norm': 'decoder_norm',
  'decoder.decoder_pred': 'decoder_pred',
}

/** `patch_embed.proj.bias` → `vit.embeddings.patch_embeddings.projection.bias`. */
function theirName(name: string): string {
  const renamed = Object.entries(topLevelNames).find(([, own]) => name === own || name.startsWith(`${own}.`))
  if (!renamed) return name
  const [theirs, own] = renamed
  const prefix = /^(decoder\.|classifier$)/.test(theirs) ? '' : 'vit.'
  return prefix + theirs + name.slice(own.length)
}

export const layouts: readonly Layout[] = [reference, huggingFace]
