import { imagenetDeviation, imagenetMean } from '../../data/standardise.js'
import { UserError } from '../../errors.js'
import type { ClassifierConfig, FmaeConfig, VitConfig } from '../../model/config.js'
import { huggingFace, type Layout, reference } from '../../model/weights/layouts.js'
import { encodeHeader } from '../checkpoint/safetensors.js'
import type { ImportedModel } from './importModel.js'

/** A file of a folder, in pieces. */
export interface FolderFile {
  readonly name: string
  readonly pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** Of every layer norm in timm's ViT. */
const TIMM_EPS = 1e-6
/**
 * A folder that Hugging Face's `ViTMAEForPreTraining.from_pretrained` reads.
 *
 * @throws UserError for a model that it cannot express
 */
export function huggingFaceFolder(model: ImportedModel, name: string): FolderFile[] {
  requireImageNet(model, name)
  if (model.kind !== 'fmae')
    throw new UserError(
      `${name}: ViTMAEForPreTraining needs a decoder, and ViTForImageClassification reads the class token, but this model is ${model.kind === 'iat' ? 'a classifier that pools patch tokens' : 'an encoder only'}; use --to timm`,
    )
  return [
    json('config.json', huggingFaceConfig(model.config)),
    json('preprocessor_config.json', {
      image_processor_type: 'ViTImageProcessor',
      do_resize: true,
      do_rescale: true,
      do_normalize: true,
      image_mean: imagenetMean,
      image_std: imagenetDeviation,
      resample: 2,
      rescale_factor: 1 / 255,
      size: { height: model.config.imageSize, width: model.config.imageSize },
    }),
    weights(model, huggingFace),
  ]
}

/** A folder that timm's `create_model('local-dir:FOLDER')` reads. @throws UserError for a model that it cannot express */
export function timmFolder(model: ImportedModel, name: string): FolderFile[] {
  requireImageNet(model, name)
  if (model.config.layerNormEps !== TIMM_EPS)
    throw new UserError(
      `${name}: its layer norms have epsilon ${model.config.layerNormEps}; those of timm have ${TIMM_EPS}`,
    )
  if (model.kind === 'fmae')
    throw new UserError(`${name}: timm has no masked autoencoder; add --encoder-only, or use --to hf`)
  const { imageSize, patchSize, width, depth, heads, mlpRatio } = model.config
  const outputs = model.kind === 'iat' ? model.config.aus : 0
  return [
    json('config.json', {
      architecture: 'vit_base_patch16_224',
      num_classes: outputs,
      global_pool: 'avg',
      model_args: {
        ...{ img_size: imageSize, patch_size: patchSize, embed_dim: width, depth, num_heads: heads },
        ...{ mlp_ratio: mlpRatio, class_token: true, global_pool: 'avg', fc_norm: model.kind === 'iat' },
      },
      pretrained_cfg: {
        ...{
          input_size: [3, imageSize, imageSize],
          num_classes: outputs,
          mean: imagenetMean,
          std: imagenetDeviation,
        },
        ...{ interpolation: 'bilinear', crop_pct: 1, first_conv: 'patch_embed.proj', classifier: 'head' },
      },
    }),
    weights(model, reference, (tensor) => !tensor.startsWith('ID_head')),
  ]
}

function requireImageNet({ standardise }: ImportedModel, name: string): void {
  if (standardise !== 'imagenet')
    throw new UserError(
      `${name}: its images are normalized by ${standardise}, which other programs do not know`,
    )
}

function huggingFaceConfig(config: FmaeConfig): object {
  return {
    architectures: ['ViTMAEForPreTraining'],
    model_type: 'vit_mae',
    hidden_act: 'gelu',
    hidden_size: config.width,
    num_hidden_layers: config.depth,
    num_attention_heads: config.heads,
    intermediate_size: hidden(config, config.width),
    layer_norm_eps: config.layerNormEps,
    image_size: config.imageSize,
    patch_size: config.patchSize,
    num_channels: 3,
    qkv_bias: true,
    attention_probs_dropout_prob: 0,
    hidden_dropout_prob: 0,
    decoder_hidden_size: config.decoderWidth,
    decoder_num_hidden_layers: config.decoderDepth,
    decoder_num_attention_heads: config.decoderHeads,
    decoder_intermediate_size: hidden(config, config.decoderWidth),
    mask_ratio: config.maskRatio,
    norm_pix_loss: config.normPix,
    torch_dtype: 'float32',
  }
}

function hidden({ mlpRatio }: VitConfig | ClassifierConfig, width: number): number {
  return mlpRatio * width
}

function json(name: string, content: object): FolderFile {
  return { name, pieces: [new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`)] }
}

function weights(
  { tensors }: ImportedModel,
  layout: Layout,
  isWanted: (name: string) => boolean = () => true,
): FolderFile {
  const wanted = [...tensors].filter(([name]) => isWanted(name))
  const described = wanted.flatMap(([name, { shape }]) => {
    const names = layout.namesOf(name)
    const part = [shape[0] / names.length, ...shape.slice(1)]
    return names.map((theirs) => ({
      name: theirs,
      shape: names.length === 1 ? shape : part,
      type: 'F32' as const,
    }))
  })
  async function* pieces() {
    yield encodeHeader(described, { format: 'pt' })
    // The parts of a divided tensor lie one after the other, as in the tensor itself.
    for (const [, { values }] of wanted) {
      const { buffer, byteOffset, byteLength } = await values()
      yield new Uint8Array(buffer, byteOffset, byteLength)
    }
  }
  return { name: 'model.safetensors', pieces: pieces() }
}
