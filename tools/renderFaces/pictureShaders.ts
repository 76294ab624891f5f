/**
 * WGSL that makes pictures of posed heads: a render pipeline that draws them supersampled into an atlas of
 * tiles, and a kernel that develops the tiles. All colours are linear light until the last step.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { workgroupSize } from './poseShaders.js'

/** What differs from picture to picture; `renderer.ts` fills it row by row (`tileRow`). */
const tileStruct = wgsl`
struct Tile {
  turn0: vec4f,        // rows of the head's rotation; w unused
  turn1: vec4f,
  turn2: vec4f,
  camera: vec4f,       // centre x, y; half width; distance
  lightDirection: vec4f,
  lightKey: vec4f,
  lightSky: vec4f,
  lightGround: vec4f,
  background0: vec4f,  // colour; w: angle of the line
  background1: vec4f,  // colour; w: its offset
  skin: vec4f,         // colour; w: gloss
  lips: vec4f,         // colour; w: blush of the cheeks
  hair: vec4f,         // colour; w: density of the hair shade
  brow: vec4f,         // colour; w: density
  iris: vec4f,         // colour; w: radius
  browForm: vec4f,     // half width, taper; lid line; softness of the background's line
  texture: vec4f,      // offset of the noise; w: mottling
  shade: vec4f,        // hairline; beard; unused
}
`

/** Draws one tile: instance number = tile. Writes linear light, with coverage in alpha. */
export const drawFace = wgsl`
${tileStruct}
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;

struct Corner {
  @location(0) position: vec3f,
  @location(1) normal: vec3f,
  @location(2) rest: vec3f,    // position on the mean face
  // Distance to the brow line, position along it, depth inside the lips, distance to the lid edge.
  @location(3) paint: vec4f,
  // Distance from the pupil; membership of mouth socket, gums, teeth.
  @location(4) parts: vec4f,
}

struct Surface {
  @builtin(position) clip: vec4f,
  @location(0) normal: vec3f,
  @location(1) view: vec3f,
  @location(2) rest: vec3f,
  @location(3) paint: vec4f,
  @location(4) parts: vec4f,
  @location(5) @interpolate(flat) tile: u32,
}

const pivot = vec3f(0.0, 0.0, 8.0);  // the head turns about a point behind the nose: faces stay in the middle
const near = 30.0;
const beyond = 110.0;

@vertex
fn placeCorner(corner: Corner, @builtin(instance_index) tile: u32) -> Surface {
  let turn = transpose(mat3x3f(tiles[tile].turn0.xyz, tiles[tile].turn1.xyz, tiles[tile].turn2.xyz));
  let position = turn * (corner.position - pivot) + pivot;
  let depth = tiles[tile].camera.w - position.z;
  let centred = (position.xy - tiles[tile].camera.xy) * (tiles[tile].camera.w - pivot.z) / tiles[tile].camera.z;
  var out: Surface;
  // Eyeballs rank 0.15 cm deeper than they lie, or the bulge of the cornea would pierce a closed lid.
  let rank = depth + select(0.0, 0.15, corner.parts.x < 5.0);
  out.clip = vec4f(centred, (rank - near) * beyond / (beyond - near), depth);
  out.normal = turn * corner.normal;
  out.view = vec3f(tiles[tile].camera.xy, tiles[tile].camera.w) - position;
  out.rest = corner.rest;
  out.paint = corner.paint;
  out.parts = corner.parts;
  out.tile = tile;
  return out;
}

// Integer hash (Wang 2007) of a lattice point, to 0…1.
fn latticeValue(p: vec3i) -> f32 {
  var h = (u32(p.x) * 73856093u) ^ (u32(p.y) * 19349663u) ^ (u32(p.z) * 83492791u);
  h = (h ^ 61u) ^ (h >> 16u);
  h *= 9u;
  h ^= h >> 4u;
  h *= 0x27d4eb2du;
  h ^= h >> 15u;
  return f32(h >> 8u) / 16777216.0;
}

// Trilinear value noise, -1…1.
fn valueNoise(p: vec3f) -> f32 {
  let cell = floor(p);
  let i = vec3i(cell);
  let f = smoothstep(vec3f(0.0), vec3f(1.0), p - cell);
  let x00 = mix(latticeValue(i), latticeValue(i + vec3i(1, 0, 0)), f.x);
  let x10 = mix(latticeValue(i + vec3i(0, 1, 0)), latticeValue(i + vec3i(1, 1, 0)), f.x);
  let x01 = mix(latticeValue(i + vec3i(0, 0, 1)), latticeValue(i + vec3i(1, 0, 1)), f.x);
  let x11 = mix(latticeValue(i + vec3i(0, 1, 1)), latticeValue(i + vec3i(1, 1, 1)), f.x);
  return 2.0 * mix(mix(x00, x10, f.y), mix(x01, x11, f.y), f.z) - 1.0;
}

fn skinColour(s: Surface) -> vec3f {
  let tile = s.tile;
  let rest = s.rest;
  let place = tiles[tile].texture.xyz;
  let mottle = valueNoise(rest * 1.3 + place) + 0.6 * valueNoise(rest * 4.0 + place.zxy);
  var colour = tiles[tile].skin.rgb * (1.0 + tiles[tile].texture.w * mottle);

  let cheek = length((vec2f(abs(rest.x), rest.y) - vec2f(4.3, -0.6)) / vec2f(2.4, 1.8));
  let nose = length((rest.xy - vec2f(0.0, 0.6)) / vec2f(1.3, 1.2));
  let rosy = max(1.0 - smoothstep(0.2, 1.2, cheek), 0.6 * (1.0 - smoothstep(0.2, 1.0, nose)));
  let blush = tiles[tile].lips.w * rosy;
  colour *= mix(vec3f(1.0), vec3f(1.06, 0.72, 0.72), blush);

  // Shaved hair: above the hairline, which comes down at the temples and behind them.
  let line = tiles[tile].shade.x - 0.05 * rest.x * rest.x - 0.35 * max(0.0, 7.0 - rest.z);
  colour = mix(colour, tiles[tile].hair.rgb, tiles[tile].hair.w * smoothstep(-0.4, 0.5, rest.y - line));

  // Beard shade: jaw, chin and moustache, not the lips nor the cheeks.
  let jaw = 1.0 - smoothstep(-2.2, 0.0, rest.y + 1.2 - 0.16 * (abs(rest.x) - 2.5) * (abs(rest.x) - 2.5));
  let away = abs(rest.xy + vec2f(0.0, 2.3));
  let moustache = (1.0 - smoothstep(2.2, 3.0, away.x)) * (1.0 - smoothstep(0.2, 0.9, away.y));
  let beard = tiles[tile].shade.y * max(jaw, moustache) * smoothstep(-14.0, -10.0, rest.y) * step(2.0, rest.z);
  let stubble = 0.75 + 0.25 * valueNoise(rest * 6.0 + place.yzx);
  colour = mix(colour, tiles[tile].hair.rgb, beard * stubble);

  colour = mix(colour, tiles[tile].lips.rgb, smoothstep(-0.06, 0.08, s.paint.z));

  let halfWidth = tiles[tile].browForm.x * (1.0 - tiles[tile].browForm.y * s.paint.y * s.paint.y);
  let strands = 0.12 * valueNoise(rest * vec3f(5.0, 7.0, 1.0) + place);
  let brow = 1.0 - smoothstep(halfWidth - 0.1, halfWidth + 0.14, s.paint.x + strands);
  colour = mix(colour, tiles[tile].brow.rgb, brow * tiles[tile].brow.w);

  let lid = 1.0 - smoothstep(0.02, 0.16, s.paint.w);
  return colour * (1.0 - tiles[tile].browForm.z * lid);
}

fn eyeColour(tile: u32, radius: f32) -> vec3f {
  let white = vec3f(0.66, 0.63, 0.6) * (1.0 - 0.2 * smoothstep(0.6, 1.1, radius));
  let edge = tiles[tile].iris.w;
  let ring = 1.0 - 0.5 * smoothstep(edge - 0.14, edge, radius);
  let colour = mix(tiles[tile].iris.rgb * ring, white, smoothstep(edge - 0.02, edge + 0.05, radius));
  return mix(vec3f(0.004), colour, smoothstep(0.2, 0.25, radius));
}

@fragment
fn shade(s: Surface) -> @location(0) vec4f {
  let tile = s.tile;
  let isEye = s.parts.x < 5.0;
  let mouth = clamp(s.parts.y, 0.0, 1.0);
  var albedo = vec3f(0.0);
  var gloss = tiles[tile].skin.w;
  var sharpness = 18.0;
  if (isEye) {
    albedo = eyeColour(tile, s.parts.x);
    gloss = 0.7;
    sharpness = 120.0;
  } else {
    // Light fades towards the throat.
    let throat = smoothstep(3.0, 10.5, s.rest.z);
    let inMouth = vec3f(0.13, 0.03, 0.028) * throat;
    albedo = mix(skinColour(s), inMouth, mouth);
    albedo = mix(albedo, vec3f(0.3, 0.09, 0.09) * throat, s.parts.z);
    albedo = mix(albedo, vec3f(0.62, 0.58, 0.5) * throat, s.parts.w);
    gloss = mix(gloss, 0.02, mouth);
  }

  let toEye = normalize(s.view);
  let normal = normalize(s.normal);
  let light = tiles[tile].lightDirection.xyz;
  // Wrapped diffuse light: skin scatters it a little past the terminator.
  let wrap = 0.2;
  let diffuse = max(0.0, (dot(normal, light) + wrap) / (1.0 + wrap));
  let ambient = mix(tiles[tile].lightGround.rgb, tiles[tile].lightSky.rgb, 0.5 + 0.5 * normal.y);
  let halfway = max(0.0, dot(normal, normalize(light + toEye)));
  let shine = gloss * pow(halfway, sharpness) * step(0.0, dot(normal, light));
  let key = tiles[tile].lightKey.rgb;
  let colour = albedo * (ambient + key * diffuse) + key * shine;
  return vec4f(colour, 1.0);
}
`

/**
 * Develops the tiles: averages factor×factor samples in linear light over the background, then encodes to sRGB.
 * One invocation: one pixel of one tile. Output [N, size, size, 3], grey levels 0…255 as floats.
 */
export const developPictures = wgsl`
${tileStruct}
struct Film {
  size: u32,
  factor: u32,
  columns: u32,
  tiles: u32,
}
@group(0) @binding(0) var<uniform> film: Film;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
@group(0) @binding(2) var samples: texture_2d<f32>;
@group(0) @binding(3) var<storage, read_write> pictures: array<f32>;

fn background(tile: u32, place: vec2f) -> vec3f {
  let angle = tiles[tile].background0.w;
  let across = dot(place, vec2f(cos(angle), sin(angle))) - tiles[tile].background1.w;
  let softness = tiles[tile].browForm.w;
  let side = smoothstep(-softness, softness, across);
  return mix(tiles[tile].background0.rgb, tiles[tile].background1.rgb, side);
}

fn encode(light: vec3f) -> vec3f {
  let x = clamp(light, vec3f(0.0), vec3f(1.0));
  return select(1.055 * pow(x, vec3f(1.0 / 2.4)) - 0.055, 12.92 * x, x <= vec3f(0.0031308));
}

@compute @workgroup_size(${workgroupSize})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let pixel = id.x;
  let tile = id.y;
  if (pixel >= film.size * film.size) { return; }
  let x = pixel % film.size;
  let y = pixel / film.size;
  let corner = film.factor * (film.size * vec2u(tile % film.columns, tile / film.columns) + vec2u(x, y));
  var sum = vec4f(0.0);
  for (var j = 0u; j < film.factor; j++) {
    for (var i = 0u; i < film.factor; i++) {
      sum += min(textureLoad(samples, corner + vec2u(i, j), 0), vec4f(1.5));
    }
  }
  let mean = sum / f32(film.factor * film.factor);
  let place = 2.0 * (vec2f(f32(x), f32(y)) + 0.5) / f32(film.size) - 1.0;
  let grey = 255.0 * encode(mean.rgb + (1.0 - mean.a) * background(tile, place));
  let at = 3u * (tile * film.size * film.size + pixel);
  pictures[at] = grey.r;
  pictures[at + 1u] = grey.g;
  pictures[at + 2u] = grey.b;
}
`
