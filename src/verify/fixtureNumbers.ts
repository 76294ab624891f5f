/**
 * Numbers of the fixtures A1–A6: computed in float64 with the published classes and, independently, with an
 * implementation written from the paper alone.
 */
import type { Schedule } from '../train/optim/schedule.js'

type Norms = Readonly<Record<string, number>>

/** A1: the tiny masked autoencoder. */
export const fmae = {
  masks: ['0111110111110011', '1100111110011111'],
  lossNormPix: 1.0814915019,
  lossRaw: 0.6482551554,
  predStart: [-0.01403098, -0.02872359, -0.30618659, -0.01709787],
  predEnd: [-0.28009085, 0.16552229, -0.34386101],
  predMean: -0.00683345,
  /** First values of patch 1 in (row, column, channel) order. */
  patch1: [0.071117, 0.451409, 0.937459, 0.02259, 0.463392, 0.999601],
  gradientNorms: {
    cls_token: 4.8112790526e-5,
    mask_token: 1.5445918307e-1,
    'patch_embed.proj.weight': 2.5211290255e-4,
    'blocks.0.attn.qkv.weight': 7.570223325e-5,
    'blocks.1.mlp.fc2.bias': 7.912812333e-5,
    'norm.weight': 1.2629838122e-4,
    'decoder_embed.weight': 1.1433010475e-3,
    'decoder_blocks.0.attn.qkv.bias': 3.7761575754e-2,
    'decoder_pred.weight': 1.4385801078e-1,
  } as Norms,
}

/** A2: the tiny AU classifier with its identity head, λ = 2. */
export const iat = {
  auTargets: Float32Array.of(1, 0, 1, 0, 0, 1),
  ids: Uint32Array.of(1, 3),
  auLogits: [0.09666955, 0.13564422, 0.18806752, 0.06726395, 0.18954264, 0.24389289],
  idLogits: [
    -0.11701358, -0.19963872, -0.24677958, -0.14515113, 0.01525415, -0.1104205, -0.2651478, -0.2854837,
    -0.09861392, 0.07676975,
  ],
  auLoss: 0.6851901111,
  idLoss: 0.6580940279,
  gradientNorms: {
    'head.weight': 9.0868470353e-1,
    'head.bias': 2.3374526056e-1,
    'ID_head.weight': 6.4057310382e-1,
    'ID_head.bias': 1.6450470404e-1,
    'fc_norm.weight': 2.1465923308e-1,
    'blocks.1.mlp.fc2.bias': 2.364229111e-1,
    'blocks.0.attn.qkv.weight': 1.9240901995e-2,
    cls_token: 5.7691902512e-3,
    pos_embed: 5.8988983862e-2,
    'patch_embed.proj.bias': 2.3475870376e-1,
  } as Norms,
  /** First element of the gradient of fc_norm.weight for λ = 0, 1, 2. */
  fcNormGradient: [
    [0, 1.25915676e-2],
    [1, 2.50722985e-2],
    [2, 3.75530294e-2],
  ] as const,
}

/** A3: patch (0,1) of the table of width 384; sines of dims 0–3, cosines of dims 96–98. */
export const positions = {
  sines: [0.84147096, 0.78859305, 0.73482198, 0.68156135],
  cosines: [0.54030228, 0.61491543, 0.67826003],
}

/** A4: rates by epoch. */
export const schedules: readonly { name: string; schedule: Schedule; rates: [number, number][] }[] = [
  {
    name: 'fine-tuning',
    schedule: { learningRate: 5e-5, warmupEpochs: 2, epochs: 20, minimum: 1e-6 },
    rates: [
      [0, 0],
      [0.5, 1.25e-5],
      [1, 2.5e-5],
      [2, 5e-5],
      [5, 4.6717622e-5],
      [11, 2.55e-5],
      [15, 9.7517036e-6],
      [19, 1.3722101e-6],
    ],
  },
  {
    name: 'pretraining',
    schedule: { learningRate: 3e-4, warmupEpochs: 2, epochs: 50, minimum: 0 },
    rates: [
      [26, 1.5e-4],
      [49, 3.2116e-7],
    ],
  },
]

/** A5: 7, 6, 5, 4 of the patch 0…7 by its mean and unbiased variance. */
export const normalisedRamp = [1.4288689, 1.02062064, 0.61237238, 0.20412413]

/** A6: size of every gradient of the BCE over one-hot subjects at zero logits, batch 64, 41 subjects. */
export const ZERO_LOGIT_GRADIENT = 1.90549e-4

/** A6: initial loss of ViT-S on normal noise, normalized patches: 1.75–1.81 over seeds. */
export const VIT_SMALL_START_LOSS = 1.78

/** Table 1.9 of the specification: parameters and tensors of the published sizes. */
export const sizes = [
  { preset: 'vit-s', total: 47_578_240, trainable: 47_401_728, tensors: 254, classifier: 21_670_284 },
  { preset: 'vit-b', total: 111_907_840, trainable: 111_655_680, tensors: 254, classifier: 85_807_884 },
  { preset: 'vit-l', total: 329_541_888, trainable: 329_239_296, tensors: 398, classifier: 303_313_932 },
] as const

/** Classifiers with an identity head: preset, AUs, subjects, parameters. */
export const identitySizes = [
  { preset: 'vit-s', aus: 12, subjects: 41, total: 21_670_284 + 385 * 41 },
  { preset: 'vit-b', aus: 12, subjects: 140, total: 85_915_544 },
  { preset: 'vit-l', aus: 12, subjects: 41, total: 303_355_957 },
  { preset: 'vit-l', aus: 12, subjects: 140, total: 303_457_432 },
  { preset: 'vit-b', aus: 8, subjects: 27, total: 85_825_571 },
  { preset: 'vit-l', aus: 8, subjects: 27, total: 303_337_507 },
] as const
